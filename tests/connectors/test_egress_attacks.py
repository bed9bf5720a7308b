"""Attacks on the guarded client, each against servers that really listen and tell who came."""
from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import threading
import time

import httpcore
import pytest

from workers.connectors import egress
from workers.connectors.base import Retry, Target
from workers.connectors.egress import EgressRefused
from workers.connectors.http import ExchangeFailed, GuardedClient, outcome_of

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
PUBLIC_ONE = "127.0.0.2"
"""Plays an address of the internet in the tests in which a connection is to come about."""


class Listener:
    """A server on one address; `came` counts connections, `requests` holds what they said."""

    def __init__(self, address="127.0.0.1", port=0, answer=OK, context=None):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._socket = socket.create_server((address, port), family=family)
        self.port, self.came, self.requests, self.names = self._socket.getsockname()[1], 0, [], []
        self._answer, self._context = answer, context
        if context is not None:
            context.sni_callback = lambda _socket, name, _context: self.names.append(name)
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                self.came += 1
                threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection):
        with contextlib.suppress(OSError), connection:
            if self._context is not None:
                connection = self._context.wrap_socket(connection, server_side=True)
            said = connection.recv(65536)
            while said and b"content-length: 2" in said.lower() and not said.endswith(b"{}"):
                said += connection.recv(65536)
            self.requests.append(said)
            if callable(self._answer):
                self._answer(connection)
            else:
                connection.sendall(self._answer)

    def close(self):
        self._socket.close()


@pytest.fixture
def listen():
    made = []

    def start(*args, **options):
        made.append(Listener(*args, **options))
        return made[-1]

    yield start
    for one in made:
        one.close()


def send(url, client=None, **settings):
    return (client or GuardedClient()).exchange(Target("t", "webhook", {"timeout": 3, **settings}), "POST", url, {}, b"{}")


def resolving(*answers):
    """A resolver that gives these lists of addresses, one after the other; it keeps what it was asked."""
    asked, left = [], list(answers)

    def resolve(host, port):
        asked.append(host)
        return left.pop(0) if len(left) > 1 else left[0]

    return resolve, asked


@pytest.fixture
def one_is_public(monkeypatch):
    real = egress.public
    monkeypatch.setattr(egress, "public", lambda address: address == PUBLIC_ONE or real(address))


LOOPBACK = [
    "127.0.0.1", "127.1", "127.0.1", "127.255.255.254", "0", "0.0.0.0", "localhost", "LOCALHOST", "localhost.",
    "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "017700000001", "0x7f.0.0x0.01", "127.0.0.1.",
    "[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[::ffff:0:127.0.0.1]",
    "[64:ff9b::127.0.0.1]", "[64:ff9b:1::127.0.0.1]", "[2002:7f00:1::]", "[2001:0:7f00:1::]", "[2001:0:4136:e378:8000:63bf:80ff:fffe]",
    "good.example@127.0.0.1", "good.example:443@127.0.0.1", "127.0.0.1%2f.good.example@127.0.0.1", "good.example%40127.0.0.1",
    "１２７.０.０.１", "①②⑦.⓪.⓪.①", "127。0。0。1", "ⓛocalhost", "loc\u00adalhost", "127.0.0.1%00.good.example",
]


@pytest.mark.parametrize("form", LOOPBACK)
def test_no_spelling_of_this_machine_is_connected_to(listen, form):
    four, six = listen("127.0.0.1"), listen("::1")
    for port in (four.port, six.port):
        with pytest.raises((EgressRefused, ExchangeFailed)) as refused:
            send(f"https://{form}:{port}/")
        assert not getattr(refused.value, "sent", False)
    time.sleep(0.01)
    assert (four.came, six.came) == (0, 0)


@pytest.mark.parametrize("address", [
    "10.0.0.1", "10.255.255.254", "172.16.0.1", "172.31.255.1", "192.168.0.1", "100.64.0.1", "100.127.255.254", "169.254.169.254",
    "192.0.0.8", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
    "fe80::1", "fe80::1%1", "febf::1", "fec0::1", "fc00::1", "fd12::1", "fd00:ec2::254", "ff02::1", "100::1", "2001:db8::1", "2001:2::1",
    "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:8.8.8.8", "::10.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::8.8.8.8", "2002:a00:1::", "2002:a9fe:a9fe::", "2001:0:a00:1::", "2001:0:808:808:0:0:f5ff:fffe",
])
def test_a_name_that_leads_inside_is_refused_before_anything_is_connected(monkeypatch, address):
    monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", lambda *_, **__: pytest.fail(f"{address} was connected to"))
    resolve, asked = resolving([address])
    with pytest.raises(EgressRefused, match="not a public address"):
        send("https://good.example/", GuardedClient(resolve=resolve))
    assert asked == ["good.example"]


@pytest.mark.parametrize("url", [
    "http://good.example/", "HTTP://good.example/", "ftp://good.example/", "file:///etc/passwd", "gopher://127.0.0.1:70/x", "//127.0.0.1/",
    "", "https:", "https://", "https:///path", "https://good.example:99999/", "https://good.example/\r\nHost: evil", "https://[::1", "\x00",
    "javascript:alert(1)", "unix:///run/docker.sock", "https://\u2100.example/", "https://" + "a" * 300 + ".example/",
])
def test_what_is_no_https_url_of_a_host_is_refused(monkeypatch, url):
    monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", lambda *_, **__: pytest.fail("something was connected to"))
    with pytest.raises((EgressRefused, ExchangeFailed)):
        send(url)


def test_of_two_addresses_the_private_one_is_never_connected_to(listen, one_is_public):
    public = listen(PUBLIC_ONE)
    inside = listen("127.0.0.1", public.port)
    for order in (["127.0.0.1", PUBLIC_ONE], [PUBLIC_ONE, "127.0.0.1"]):
        resolve, _ = resolving(order)
        with pytest.raises(ExchangeFailed):  # it speaks no TLS: that it was reached is what counts
            send(f"https://good.example:{public.port}/", GuardedClient(resolve=resolve))
    assert (public.came, inside.came) == (2, 0)
    public.close()
    resolve, _ = resolving([PUBLIC_ONE, "127.0.0.1"])
    with pytest.raises(ExchangeFailed):
        send(f"https://good.example:{public.port}/", GuardedClient(resolve=resolve))
    assert inside.came == 0


def test_a_name_that_changes_between_check_and_connect_is_looked_up_once(listen, one_is_public):
    public = listen(PUBLIC_ONE)
    inside = listen("127.0.0.1", public.port)
    resolve, asked = resolving([PUBLIC_ONE], ["127.0.0.1"])
    with pytest.raises(ExchangeFailed):
        send(f"https://rebind.example:{public.port}/", GuardedClient(resolve=resolve))
    assert (asked, public.came, inside.came) == (["rebind.example"], 1, 0)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_is_a_failure(listen, status):
    inside = listen()
    receiver = listen(answer=b"HTTP/1.1 %d Go\r\nlocation: http://127.0.0.1:%d/\r\ncontent-length: 0\r\n\r\n" % (status, inside.port))
    exchange = send(f"http://127.0.0.1:{receiver.port}/", allow_private=True)
    assert (exchange.status, receiver.came, inside.came) == (status, 1, 0)
    outcome = outcome_of(exchange, 0)
    assert isinstance(outcome, Retry)
    assert "redirects are not followed" in outcome.why


def test_proxies_and_netrc_of_the_environment_are_not_used(listen, monkeypatch, tmp_path):
    proxy, receiver = listen(), listen()
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv(name.lower(), f"http://127.0.0.1:{proxy.port}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login ada password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert send(f"http://127.0.0.1:{receiver.port}/", allow_private=True).status == 200
    assert (proxy.came, receiver.came) == (0, 1)
    assert b"authorization" not in receiver.requests[0].lower()


def openssl(folder, *words):
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """A folder with an authority (`ca.pem`) and server certificates by it: good, other (another host), old (expired),
    young (not yet valid); and `self`, signed by itself."""
    folder = tmp_path_factory.mktemp("certificates")
    openssl(folder, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=CA")
    (folder / "index.txt").touch()
    (folder / "ca.cnf").write_text(
        "[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\nnew_certs_dir=.\ncertificate=ca.pem\nprivate_key=ca.key\ndefault_md=sha256\n"
        "rand_serial=yes\npolicy=p\ncopy_extensions=copy\nunique_subject=no\n[p]\ncommonName=supplied\n")
    for name, host, start, end in (("good", "good.example", "20200101000000Z", "20990101000000Z"),
                                   ("other", "other.example", "20200101000000Z", "20990101000000Z"),
                                   ("old", "good.example", "20200101000000Z", "20210101000000Z"),
                                   ("young", "good.example", "20980101000000Z", "20990101000000Z")):
        openssl(folder, "req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={host}",
                "-addext", f"subjectAltName=DNS:{host}")
        openssl(folder, "ca", "-batch", "-config", "ca.cnf", "-in", f"{name}.csr", "-out", f"{name}.pem", "-notext",
                "-startdate", start, "-enddate", end)
    openssl(folder, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "self.key", "-out", "self.pem", "-days", "2",
            "-subj", "/CN=good.example", "-addext", "subjectAltName=DNS:good.example")
    return folder


def speaking(certificates, name):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / f"{name}.pem", certificates / f"{name}.key")
    return context


def test_a_certificate_is_checked_against_the_name_not_the_address(listen, one_is_public, certificates):
    receiver = listen(PUBLIC_ONE, context=speaking(certificates, "good"))
    resolve, _ = resolving([PUBLIC_ONE])
    exchange = send(f"https://good.example:{receiver.port}/", GuardedClient(resolve=resolve), ca_file=str(certificates / "ca.pem"))
    assert (exchange.status, receiver.names) == (200, ["good.example"])
    assert f"host: good.example:{receiver.port}".encode() in receiver.requests[0].lower()


def test_a_connection_kept_for_one_target_opens_nothing_for_another(listen, certificates):
    receiver = listen(context=speaking(certificates, "good"))
    resolve, _ = resolving(["127.0.0.1"])
    client, url, ca_file = GuardedClient(resolve=resolve), f"https://good.example:{receiver.port}/", str(certificates / "ca.pem")
    assert send(url, client, allow_private=True, ca_file=ca_file).status == 200
    with pytest.raises(EgressRefused):
        send(url, client, ca_file=ca_file)
    with pytest.raises(ExchangeFailed, match="verify failed"):
        send(url, client, allow_private=True)
    assert len(receiver.requests) == 1


@pytest.mark.parametrize(("name", "ca", "told"), [
    ("other", "ca.pem", "not valid for 'good.example'"), ("old", "ca.pem", "expired"), ("young", "ca.pem", "not yet valid"),
    ("self", "ca.pem", "self-signed"), ("good", "self.pem", "unable to get local issuer"), ("good", "", "verify failed"),
])
def test_a_certificate_that_proves_nothing_ends_the_exchange_before_a_byte_of_the_request(listen, certificates, name, ca, told):
    receiver = listen(context=speaking(certificates, name))
    resolve, _ = resolving(["127.0.0.1"])
    with pytest.raises(ExchangeFailed, match=told) as refused:
        send(f"https://good.example:{receiver.port}/", GuardedClient(resolve=resolve), allow_private=True,
             ca_file=str(certificates / ca) if ca else "")
    assert not refused.value.sent
    assert receiver.requests == []


def test_no_setting_of_a_target_turns_the_check_of_certificates_off(listen, certificates, monkeypatch):
    monkeypatch.setenv("PYTHONHTTPSVERIFY", "0")
    receiver = listen(context=speaking(certificates, "self"))
    with pytest.raises(ExchangeFailed):
        send(f"https://localhost:{receiver.port}/", allow_private=True, verify=False, insecure=True)
    assert receiver.requests == []


def forever(piece, pause=0.0):
    def answer(connection):
        while True:
            connection.sendall(piece)
            time.sleep(pause)
    return answer


HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(("first", "piece", "pause"), [
    (b"", b"H", 0.05), (HEAD, b"x-y: 1\r\n", 0.05), (b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.001), (HEAD, b"x", 0.05),
    (HEAD + b"content-length: 9999\r\n\r\n", b"x", 0.05), (HEAD + b"transfer-encoding: chunked\r\n\r\n", b"1\r\nx\r\n", 0.05),
], ids=["a drip before the status", "headers that never end", "a flood of 100 Continue", "one header that never ends",
        "a drip of a body", "a drip of chunks"])
def test_an_answer_that_never_ends_is_ended_by_the_deadline(listen, first, piece, pause):
    def answer(connection):
        connection.sendall(first)
        forever(piece, pause)(connection)

    receiver = listen(answer=answer)
    began = time.monotonic()
    with pytest.raises(ExchangeFailed) as cut:
        send(f"http://127.0.0.1:{receiver.port}/", allow_private=True, timeout=1)
    assert 0.5 < time.monotonic() - began < 4
    assert cut.value.sent


@pytest.mark.parametrize("head", [b"content-length: 99999999\r\n\r\n", b"\r\n", b"transfer-encoding: chunked\r\n\r\n",
                                  b"content-encoding: gzip\r\ncontent-length: 99999999\r\n\r\n"],
                         ids=["length", "until close", "chunked", "called gzip"])
def test_of_an_endless_answer_20_kb_are_read_and_nothing_is_unpacked(listen, head):
    chunk = b"4000\r\n" + b"x" * 0x4000 + b"\r\n" if b"chunked" in head else b"x" * 0x4000

    def answer(connection):
        connection.sendall(HEAD + head)
        forever(chunk)(connection)

    receiver = listen(answer=answer)
    exchange = send(f"http://127.0.0.1:{receiver.port}/", allow_private=True)
    assert (len(exchange.body), exchange.cut) == (20_000, True)


def test_headers_without_end_at_full_speed_are_refused_by_their_size(listen):
    def answer(connection):
        connection.sendall(HEAD)
        forever(b"x-y: " + b"1" * 1000 + b"\r\n")(connection)

    with pytest.raises(ExchangeFailed, match="ProtocolError"):
        send(f"http://127.0.0.1:{listen(answer=answer).port}/", allow_private=True, timeout=10)


def test_a_header_cannot_smuggle_a_second_request(listen):
    receiver = listen()
    with pytest.raises((EgressRefused, ExchangeFailed)):
        GuardedClient().exchange(Target("t", "webhook", {"allow_private": True, "timeout": 3}), "POST",
                                 f"http://127.0.0.1:{receiver.port}/", {"x-name": "a\r\n\r\nGET /admin HTTP/1.1"}, b"")
    assert not any(b"/admin" in request for request in receiver.requests)


def test_a_look_up_that_outlasts_the_deadline_ends_without_a_connection(listen):
    receiver = listen()

    def slow(host, port):
        time.sleep(1.2)
        return ["127.0.0.1"]

    with pytest.raises(ExchangeFailed) as late:
        send(f"http://slow.example:{receiver.port}/", GuardedClient(resolve=slow), allow_private=True, timeout=1)
    assert not late.value.sent
    assert receiver.came == 0
