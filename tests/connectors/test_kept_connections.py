"""Connections are kept for a moment between requests to one place, and the guard holds on them as on new ones."""
from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from workers.connectors import http
from workers.connectors.base import Target
from workers.connectors.egress import EgressRefused
from workers.connectors.http import ExchangeFailed, GuardedClient


class Server:
    """Counts connections; sleeps `wait` seconds before it answers."""

    def __init__(self):
        self.connections, self.cookies, self.wait, self.size = 0, [], 0.0, 2
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version, disable_nagle_algorithm = "HTTP/1.1", True

            def setup(self):
                super().setup()
                outer.connections += 1

            def do_POST(self):
                self.rfile.read(int(self.headers["content-length"]))
                outer.cookies.append(self.headers.get("cookie"))
                time.sleep(outer.wait)
                self.send_response(200)
                self.send_header("set-cookie", "session=1")
                self.send_header("content-length", str(outer.size))
                self.end_headers()
                self.wfile.write(b"x" * outer.size)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://receiver.example:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def server():
    it = Server()
    yield it
    it.server.shutdown()
    it.server.server_close()


def client(monotonic=time.monotonic):
    asked = []
    return GuardedClient(resolve=lambda host, port: asked.append(host) or ["127.0.0.1"], monotonic=monotonic), asked


def post(guarded, url, name="t", **settings):
    return guarded.exchange(Target(name, "webhook", {"allow_private": True, "timeout": 3, **settings}), "POST", url, {}, b"{}")


def test_requests_to_one_place_share_a_connection_and_no_cookie(server):
    guarded, asked = client()
    for _ in range(5):
        assert post(guarded, server.url).status == 200
    assert (server.connections, len(asked), server.cookies) == (1, 1, [None] * 5)


def test_a_connection_is_not_lent_to_another_target_or_under_other_rules(server):
    guarded, _ = client()
    post(guarded, server.url)
    post(guarded, server.url, "another")
    assert server.connections == 2
    with pytest.raises(EgressRefused):
        post(guarded, server.url.replace("http:", "https:"), allow_private=False)


def test_a_kept_connection_rests_and_lives_for_a_moment_only(server):
    ahead = [0.0]
    guarded, asked = client(lambda: time.monotonic() + ahead[0])
    post(guarded, server.url)
    ahead[0] += http.IDLE_SECONDS + 0.1
    post(guarded, server.url)
    assert len(asked) == 2
    for _ in range(60):
        ahead[0] += 1.0
        post(guarded, server.url)
    assert len(asked) == 3
    ahead[0] += 10
    guarded.close_idle()
    assert not any(guarded._kept.values())


def test_every_request_on_a_kept_connection_has_its_own_deadline(server):
    guarded, _ = client()
    for _ in range(3):
        server.wait = 0.5
        assert post(guarded, server.url, timeout=1).status == 200
    server.wait = 2.5
    began = time.monotonic()
    with pytest.raises(ExchangeFailed) as fault:
        post(guarded, server.url, timeout=1)
    assert fault.value.sent
    assert time.monotonic() - began < 2
    server.wait = 0.0
    assert post(guarded, server.url, timeout=1).status == 200


def test_a_connection_with_an_answer_left_on_the_wire_is_not_used_again(server):
    guarded, _ = client()
    server.size = 50_000
    assert post(guarded, server.url).cut
    server.size = 2
    assert post(guarded, server.url).body == b"xx"
    assert server.connections == 2


def test_threads_never_share_a_connection_at_the_same_time(server):
    guarded, _ = client()
    server.wait = 0.05
    bodies = []
    threads = [threading.Thread(target=lambda: bodies.extend(post(guarded, server.url).body for _ in range(5))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert bodies == [b"xx"] * 30
    assert server.connections <= 6 + 2
