"""A receiver of webhooks on a bare socket, that behaves or misbehaves as a plan says, and remembers all that came."""
from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

RETRY_AFTER = 7


@dataclass(frozen=True, slots=True)
class Came:
    """A request as it came: `at` by the receiver's clock (s), `did` how it was answered, `body` the event (None where
    the connection was cut before it was read)."""

    at: float
    id: str
    did: str
    body: dict[str, Any] | None


Line = socket.socket
PLAIN = b"HTTP/1.1 204 No Content\r\n\r\n"


def _reset(line: Line) -> None:
    """Close so that the peer reads RST and not an end."""
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _reset_halfway(line: Line) -> None:
    line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + b"x" * 200)
    _reset(line)


def _silent(line: Line) -> None:
    line.settimeout(30)
    line.recv(1)


def _drip(line: Line) -> None:
    for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n" + b"z" * 4000:
        line.sendall(bytes([byte]))
        time.sleep(0.05)


def _endless(line: Line) -> None:
    line.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        line.sendall(b"2000\r\n" + b"e" * 0x2000 + b"\r\n")


def _says(text: str) -> Callable[[Line], None]:
    return lambda line: line.sendall(text.replace("\n", "\r\n").encode())


BEHAVIOURS: dict[str, Callable[[Line], None]] = {
    "good": lambda line: line.sendall(PLAIN),
    "reset": _reset,
    "reset half-way": _reset_halfway,
    "silence": _silent,
    "slow drip": _drip,
    "429": _says("HTTP/1.1 429 Too Many Requests\nContent-Length: 0\n\n"),
    "429 with Retry-After": _says(f"HTTP/1.1 429 Too Many Requests\nRetry-After: {RETRY_AFTER}\nContent-Length: 0\n\n"),
    "500": _says("HTTP/1.1 500 Internal Server Error\nContent-Length: 5\n\noops!"),
    "503 with Retry-After": _says(f"HTTP/1.1 503 Service Unavailable\nRetry-After: {RETRY_AFTER}\nContent-Length: 0\n\n"),
    "200 with garbage": _says("HTTP/1.1 200 OK\nContent-Type: application/json\nContent-Length: 11\n\n}{\x00not json"),
    "no HTTP at all": _says("220 smtp.example.com ESMTP\n"),
    "redirect": _says("HTTP/1.1 302 Found\nLocation: http://127.0.0.1:9/elsewhere\nContent-Length: 0\n\n"),
    "endless body": _endless,
}
"""What a receiver can do, by name; each gets the connection when the request was read ("reset" after the first byte)."""
MISBEHAVIOURS = tuple(name for name in BEHAVIOURS if name != "good")
CUTS = frozenset({"reset", "reset half-way", "silence", "slow drip", "no HTTP at all", "endless body"})
"""Those after which the connection is of no use."""
TAKEN = frozenset({"good", "200 with garbage", "endless body"})
"""Those that are a receipt: a 2xx was read, whatever came after it."""
Plan = Callable[[str, int], str]
"""(webhook-id, how often it came before) → what to do. The id is empty where nothing was read yet."""


class Receiver:
    """Listens on 127.0.0.1; `plan` decides each answer, which comes after `pause` seconds, `clock` gives seconds. `came`
    grows in order of arrival."""

    def __init__(self, plan: Plan = lambda name, times: "good", clock: Callable[[], float] = time.time, port: int = 0,
                 pause: float = 0.0) -> None:
        self._plan, self._clock, self._pause = plan, clock, pause
        self._listening = socket.create_server(("127.0.0.1", port), backlog=512)
        self.port = int(self._listening.getsockname()[1])
        self.came: list[Came] = []
        self._times: dict[str, int] = {}
        self._lock = threading.Lock()
        self._lines: set[Line] = set()
        threading.Thread(target=self._accept, daemon=True, name="receiver").start()

    def times(self) -> dict[str, int]:
        """How often each webhook-id came."""
        with self._lock:
            return dict(self._times)

    def close(self) -> None:
        """Stop listening and drop every connection."""
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for line in list(self._lines):
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                line, _ = self._listening.accept()
                threading.Thread(target=self._serve, args=(line,), daemon=True).start()

    def _serve(self, line: Line) -> None:
        self._lines.add(line)
        with contextlib.suppress(OSError, ValueError), contextlib.closing(line):
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for name, body in _requests(line):
                with self._lock:
                    times = self._times.get(name, 0)
                    self._times[name] = times + 1
                    does = self._plan(name, times)
                    self.came.append(Came(self._clock(), name, does, body))
                time.sleep(self._pause)
                BEHAVIOURS[does](line)
                if does in CUTS:
                    break
        self._lines.discard(line)


def _requests(line: Line) -> Iterator[tuple[str, dict[str, Any]]]:
    """(webhook-id, event) of each request on this connection."""
    got = b""
    while True:
        while b"\r\n\r\n" not in got:
            piece = line.recv(65536)
            if not piece:
                return
            got += piece
        head, _, got = got.partition(b"\r\n\r\n")
        said = {name.strip().lower(): value.strip() for name, _, value in (row.partition(":") for row in head.decode().split("\r\n")[1:])}
        length = int(said.get("content-length", "0"))
        while len(got) < length:
            piece = line.recv(65536)
            if not piece:
                return
            got += piece
        body, got = got[:length], got[length:]
        yield said["webhook-id"], json.loads(body)
