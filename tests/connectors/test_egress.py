"""Where the guarded client connects, and where it does not."""
from __future__ import annotations

import contextlib
import socket
import threading
import time

import pytest

from workers.connectors.base import Target
from workers.connectors.egress import EgressRefused, public
from workers.connectors.http import ExchangeFailed, GuardedClient


@pytest.mark.parametrize("address", [
    "127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
    "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1", "::ffff:10.0.0.1", "::ffff:8.8.8.8",
    "64:ff9b::7f00:1", "2002:7f00:1::", "2001:db8::1",
])
def test_addresses_inside_are_refused(address):
    assert not public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111"])
def test_public_addresses_are_allowed(address):
    assert public(address)


def client(*addresses):
    asked = []

    def resolve(host, port):
        asked.append(host)
        return list(addresses)

    return GuardedClient(resolve=resolve), asked


def test_a_public_name_that_resolves_inside_is_refused_after_one_look_up():
    guarded, asked = client("10.0.0.1")
    with pytest.raises(EgressRefused, match=r"10\.0\.0\.1"):
        guarded.exchange(Target("t", "webhook"), "POST", "https://receiver.example/", {})
    assert asked == ["receiver.example"]


def test_plain_http_is_refused_without_allow_private():
    with pytest.raises(EgressRefused, match="https"):
        client("8.8.8.8")[0].exchange(Target("t", "webhook"), "POST", "http://receiver.example/", {})


def serving(answer):
    listener = socket.create_server(("127.0.0.1", 0))

    def run():
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            with contextlib.suppress(OSError):
                answer(connection)

    threading.Thread(target=run, daemon=True).start()
    return listener, f"http://receiver.example:{listener.getsockname()[1]}/"


def test_a_receiver_that_drips_is_cut_off_at_the_timeout():
    def drip(connection):
        for _ in range(100):
            connection.sendall(b"H")
            time.sleep(0.1)

    listener, url = serving(drip)
    target = Target("t", "webhook", {"allow_private": True, "timeout": 1})
    started = time.monotonic()
    with listener, pytest.raises(ExchangeFailed) as fault:
        client("127.0.0.1")[0].exchange(target, "GET", url, {})
    assert time.monotonic() - started < 3
    assert fault.value.sent


def test_an_answer_is_read_up_to_20_kb_only():
    listener, url = serving(lambda c: c.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 90000\r\n\r\n" + b"x" * 90000))
    with listener:
        got = client("127.0.0.1")[0].exchange(Target("t", "webhook", {"allow_private": True}), "GET", url, {})
    assert (len(got.body), got.cut, got.status) == (20_000, True, 200)


def test_a_connection_that_is_refused_says_that_nothing_was_sent():
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    listener.close()
    with pytest.raises(ExchangeFailed) as fault:
        client("127.0.0.1")[0].exchange(Target("t", "webhook", {"allow_private": True}), "GET", f"http://x.example:{port}/", {})
    assert not fault.value.sent
