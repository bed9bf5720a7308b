"""What the web process promises of every request, whatever the application."""
from __future__ import annotations

import asyncio
import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from lrs.config import Limits, Settings
from lrs.serve import adapter
from lrs.serve.forwarded import Forwarded
from lrs.serve.web import serve


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
    """Answers with what it saw; some paths misbehave."""
    path = environ["PATH_INFO"]
    if path == "/slow":
        time.sleep(0.7)
    if path == "/fault":
        raise RuntimeError("on purpose")
    if path == "/refused":
        start_response("400 Bad Request", [])
        return [b"no"]
    if path == "/long":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return (b"x" * 65_536 for _ in range(80))
    if path == "/head":
        start_response("200 OK", [("Content-Length", "5")])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [b"hello"]
    seen = {name: value for name, value in environ.items() if isinstance(value, str)}
    seen["body"] = environ["wsgi.input"].read().decode("latin-1")
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(seen).encode()]


class Running:
    """The web server in a thread of its own."""

    def __init__(self, settings: Settings) -> None:
        self.listening = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self.listening.getsockname()[1]
        self.answered: bool | None = None
        self._up = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(settings)))
        self._thread.start()
        assert self._up.wait(10)

    async def _serve(self, settings: Settings) -> None:
        self._loop, self._until = asyncio.get_running_loop(), asyncio.Event()
        self.answered = await serve(Forwarded(application, settings.trusted_proxies), self.listening, settings, self._until, self._up.set)

    def tell_to_stop(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._until.set)

    def join(self) -> None:
        self._thread.join(30)
        assert not self._thread.is_alive()

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, http.client.HTTPMessage, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request(method, path, body=body, headers={name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        found = answer.status, answer.headers, answer.read()
        connection.close()
        return found

    def half_sent(self, head: bytes) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        connection.sendall(head)
        return connection


@pytest.fixture
def web() -> Iterator[Running]:
    settings = replace(Settings(), body_seconds=2, request_threads=4, trusted_proxies=("10.0.0.0/8",), limits=Limits(body_max=100_000))
    running = Running(settings)
    yield running
    running.tell_to_stop()
    running.join()


HALF = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf"


def test_the_application_sees_path_query_headers_and_body_as_wsgi_says(web: Running) -> None:
    status, _, body = web.ask("POST", "/a%20b/%C3%A9?q=%41+b", b"\x00\xff", X_Some="one", Content_Type="text/x")
    seen = json.loads(body)
    assert status == 200
    assert seen["PATH_INFO"].encode("latin-1").decode() == "/a b/é"
    assert (seen["QUERY_STRING"], seen["HTTP_X_SOME"], seen["CONTENT_TYPE"]) == ("q=%41+b", "one", "text/x")
    assert (seen["CONTENT_LENGTH"], seen["body"], seen["REMOTE_ADDR"]) == ("2", "\x00\xff", "127.0.0.1")


def test_a_header_with_an_underscore_cannot_pass_for_another(web: Running) -> None:
    head = b"GET / HTTP/1.1\r\nHost: x\r\nX_Forwarded_For: 1.2.3.4\r\nX_Request_ID: 5.6.7.8\r\nX-Plain: 9\r\nConnection: close\r\n\r\n"
    connection = web.half_sent(head)
    answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert b'"HTTP_X_PLAIN": "9"' in answer
    assert b"1.2.3.4" not in answer
    assert b"5.6.7.8" not in answer


def test_fifty_half_sent_bodies_hold_no_thread(web: Running) -> None:
    slow = [web.half_sent(HALF) for _ in range(50)]
    start = time.monotonic()
    assert all(web.ask("GET", "/")[0] == 200 for _ in range(20))
    assert time.monotonic() - start < 1.9, "the others waited for the slow ones"
    slow[0].sendall(b" done!")
    assert slow[0].recv(12) == b"HTTP/1.1 200"
    for one in slow:
        one.close()


CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("sent", [
    HALF, CHUNKED, CHUNKED + b"4\r\nhalf\r\n", CHUNKED + b"a\r\nhalf", CHUNKED + b"4\r\nhalf\r\nzz\r\n", CHUNKED + b"zz\r\n"],
    ids=["a length", "no chunk", "no last chunk", "half a chunk", "no chunk after it", "no chunk at all"])
def test_a_body_that_breaks_off_reaches_no_application(web: Running, sent: bytes) -> None:
    connection = web.half_sent(sent)
    connection.shutdown(socket.SHUT_WR)
    answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"the body broke off" in answer


@pytest.mark.parametrize("sent", [
    HALF + b" done!", CHUNKED + b"0\r\n\r\n", CHUNKED + b"4\r\nhalf\r\n6\r\n done!\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 00\r\n\r\n", b"GET / HTTP/1.0\r\n\r\n"])
def test_a_body_that_is_whole_does(web: Running, sent: bytes) -> None:
    assert web.half_sent(sent).recv(65_536).startswith((b"HTTP/1.1 200", b"HTTP/1.0 200"))


def test_a_body_that_takes_too_long_is_answered_408_by_the_name_of_the_setting(web: Running) -> None:
    connection = web.half_sent(HALF)
    answer = connection.recv(65_536)
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"body_seconds" in answer or b"body_seconds" in connection.recv(65_536)


@pytest.mark.parametrize("chunked", [False, True], ids=["with a length", "chunked"])
def test_the_sender_of_20_mb_reads_the_413_that_names_the_limit(web: Running, chunked: bool) -> None:
    body = iter([b"x" * 1_000_000] * 20) if chunked else b"x" * 20_000_000
    status, headers, text = web.ask("POST", "/", body)
    answer = json.loads(text)
    assert (status, answer["status"], answer["code"]) == (413, 413, "too_large")
    assert "body_max of 100000 bytes" in answer["message"]
    assert headers["X-Request-ID"] == answer["request_id"]


def test_a_body_that_the_disk_does_not_take_is_a_503_also_when_only_its_end_does_not(
    web: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        """A file whose disk is full once what was written is to go there."""

        def writelines(self, chunks: list[bytes]) -> None: ...
        def write(self, chunk: bytes) -> None: ...

        def flush(self) -> None:
            raise OSError(28, "No space left on device")

        close = flush

    monkeypatch.setattr(adapter, "IN_MEMORY", 10_000)
    monkeypatch.setattr(adapter, "tempfile", SimpleNamespace(TemporaryFile=lambda dir: Full()))
    status, _, body = web.ask("POST", "/x", b"x" * 50_000)
    assert (status, json.loads(body)["code"]) == (503, "store_unavailable")


def test_a_body_of_exactly_the_limit_is_taken(web: Running) -> None:
    assert web.ask("POST", "/", b"x" * 100_000)[0] == 200
    assert web.ask("POST", "/", b"x" * 100_001)[0] == 413


def test_a_fault_of_the_application_is_a_500_that_tells_nothing(web: Running) -> None:
    status, _, body = web.ask("GET", "/fault")
    assert status == 500
    assert b"on purpose" not in body


def test_a_long_answer_is_streamed_whole_and_head_keeps_its_length(web: Running) -> None:
    assert len(web.ask("GET", "/long")[2]) == 80 * 65_536
    status, headers, body = web.ask("HEAD", "/head")
    assert (status, headers["Content-Length"], body) == (200, "5", b"")


def test_a_stop_answers_what_is_in_flight_and_turns_away_what_comes_after(web: Running) -> None:
    answers: list[int] = []
    flying = [threading.Thread(target=lambda: answers.append(web.ask("GET", "/slow")[0])) for _ in range(8)]
    for one in flying:
        one.start()
    half = web.half_sent(HALF)
    time.sleep(0.3)
    web.tell_to_stop()
    time.sleep(0.1)
    status, headers, _ = web.ask("GET", "/")
    assert (status, headers["Retry-After"]) == (503, "2")
    half.sendall(b" done!")
    assert half.recv(12) == b"HTTP/1.1 200"
    for one in flying:
        one.join()
    web.join()
    assert answers == [200] * 8
    assert web.answered is True


@pytest.mark.parametrize(
    ("peer", "said", "client", "scheme"),
    [
        ("127.0.0.1", "1.2.3.4", "127.0.0.1", "http"),
        ("10.0.0.9", "1.2.3.4", "1.2.3.4", "https"),
        ("10.0.0.9", "6.6.6.6, 1.2.3.4, 10.0.0.7", "1.2.3.4", "https"),
    ],
)
def test_only_a_trusted_proxy_is_believed_about_the_client(peer: str, said: str, client: str, scheme: str) -> None:
    seen: dict[str, Any] = {}
    guard = Forwarded(lambda environ, _: seen.update(environ) or [], ["10.0.0.0/8"])
    guard({"REMOTE_ADDR": peer, "wsgi.url_scheme": "http", "HTTP_X_FORWARDED_FOR": said, "HTTP_X_FORWARDED_PROTO": "https"}, None)
    assert (seen["REMOTE_ADDR"], seen["wsgi.url_scheme"]) == (client, scheme)
    assert "HTTP_X_FORWARDED_FOR" not in seen
