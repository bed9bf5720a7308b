"""The load: one process with many kept-open connections that sends ready-made requests and times each answer."""
from __future__ import annotations

import base64
import contextlib
import selectors
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from statistics import quantiles
from urllib.parse import urlsplit

CORE_MAX = 0.8
"""Share of its core above which the client, and not the server, is what was measured."""


class ClientIsTheLimit(Exception):
    """The client used more than `CORE_MAX` of its core: the figure says nothing about the server."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An xAPI endpoint (`url` ends where `/statements` begins) and a Basic credential for it."""

    url: str
    key: str = ""
    secret: str = ""

    def request(self, method: str, path: str, body: bytes = b"") -> bytes:
        """The bytes of one request."""
        parts = urlsplit(self.url)
        basic = base64.b64encode(f"{self.key}:{self.secret}".encode()).decode()
        head = (f"{method} {parts.path}{path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Basic {basic}\r\n"
                f"X-Experience-API-Version: 1.0.3\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n")
        return head.encode() + body


@dataclass(slots=True)
class Load:
    """What a run gave: answers a second, milliseconds at percentiles, statuses, and the client's share of its core."""

    answers: int
    seconds: float
    milliseconds: list[float]
    statuses: dict[int, int]
    client_core: float

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.answers / self.seconds

    def percentile(self, p: int) -> float:
        """Milliseconds that p percent of the answers stayed within."""
        return quantiles(self.milliseconds, n=100)[p - 1] if len(self.milliseconds) > 1 else self.milliseconds[0]


@dataclass(slots=True)
class _Line:
    socket: socket.socket
    to_send: memoryview = field(default_factory=lambda: memoryview(b""))
    received: bytearray = field(default_factory=bytearray)
    started: float = 0.0


def run(endpoint: Endpoint, requests: Iterator[bytes], connections: int, *, most: int, seconds: float = 60.0,
        watch: Callable[[int, bytes], None] | None = None) -> Load:
    """Keep `connections` busy until `most` answers came or `seconds` are over. Raises `ClientIsTheLimit`; RuntimeError
    when an answer is neither 200 nor 204."""
    parts = urlsplit(endpoint.url)
    selector, lines = selectors.DefaultSelector(), []
    for _ in range(connections):
        line = _Line(socket.create_connection((parts.hostname or "127.0.0.1", parts.port or 80)))
        line.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        line.socket.setblocking(False)
        lines.append(line)
    times: list[float] = []
    statuses: dict[int, int] = {}
    started, used = time.perf_counter(), time.process_time()
    sent, open_lines = 0, 0
    for line in lines:
        if sent < most and (first := next(requests, None)) is not None:
            _begin(selector, line, first)
            sent, open_lines = sent + 1, open_lines + 1
    while open_lines:
        for key, events in selector.select(1.0):
            line = key.data
            if events & selectors.EVENT_WRITE:
                line.to_send = line.to_send[line.socket.send(line.to_send):]
                if not line.to_send:
                    selector.modify(line.socket, selectors.EVENT_READ, line)
            if events & selectors.EVENT_READ:
                answer = _read(line)
                if answer is None:
                    continue
                now = time.perf_counter()
                times.append((now - line.started) * 1000)
                statuses[answer[0]] = statuses.get(answer[0], 0) + 1
                if watch:
                    watch(*answer)
                again = next(requests, None) if sent < most and now - started < seconds else None
                selector.unregister(line.socket)
                if again is None:
                    open_lines -= 1
                else:
                    _begin(selector, line, again)
                    sent += 1
    took, core = time.perf_counter() - started, time.process_time() - used
    for line in lines:
        line.socket.close()
    wrong = {status: n for status, n in statuses.items() if status not in (200, 204)}
    if wrong:
        raise RuntimeError(f"answers were not all good: {wrong}")
    if core / took > CORE_MAX:
        raise ClientIsTheLimit(f"the client used {core / took:.0%} of its core: this figure is the client's")
    return Load(len(times), took, times, statuses, core / took)


def once(endpoint: Endpoint, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
    """One request on a connection of its own: (status, body)."""
    kept: list[tuple[int, bytes]] = []
    run(endpoint, iter([endpoint.request(method, path, body)]), 1, most=1, watch=lambda *answer: kept.append(answer))
    return kept[0]


def _begin(selector: selectors.BaseSelector, line: _Line, request: bytes) -> None:
    line.to_send, line.started = memoryview(request), time.perf_counter()
    line.received.clear()
    with contextlib.suppress(BlockingIOError):
        line.to_send = line.to_send[line.socket.send(line.to_send):]
    selector.register(line.socket, selectors.EVENT_WRITE if line.to_send else selectors.EVENT_READ, line)


def _read(line: _Line) -> tuple[int, bytes] | None:
    """(status, body) when the answer is whole, else None."""
    piece = line.socket.recv(1 << 20)
    if not piece:
        raise RuntimeError("the server closed a connection in the middle of an answer")
    line.received += piece
    end = line.received.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = bytes(line.received[:end]).lower()
    length = 0
    for row in head.split(b"\r\n")[1:]:
        if row.startswith(b"content-length:"):
            length = int(row[15:])
        elif row.startswith(b"transfer-encoding:"):
            return _chunked(line.received, end + 4, int(head[9:12]))
    if len(line.received) < end + 4 + length:
        return None
    return int(head[9:12]), bytes(line.received[end + 4:])


def _chunked(received: bytearray, at: int, status: int) -> tuple[int, bytes] | None:
    if not received.endswith(b"0\r\n\r\n"):
        return None
    body = bytearray()
    while True:
        end = received.index(b"\r\n", at)
        size = int(received[at:end], 16)
        if not size:
            return status, bytes(body)
        body += received[end + 2:end + 2 + size]
        at = end + 2 + size + 2
