"""The HTTP side that all twins share: requests in, the vendor's answers out, faults in between."""
from __future__ import annotations

import argparse
import json
import socket
import sqlite3
import struct
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from lrs.sandbox.faults import BadFault, Fault, Faults, checked, fault

FAULTS = "/sandbox/faults"


@dataclass(frozen=True, slots=True)
class Request:
    """What a client sent; header names are in lower case. `refuse_row` says which row of a batch must be refused: a
    text that it holds, '' the first one, None none."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    refuse_row: str | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What a vendor answers: a value as JSON, or text of another type."""

    status: int
    value: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    text: str | None = None
    content_type: str = "application/json"


class Twin(Protocol):
    """A vendor's twin: it answers requests, and knows in which shape that vendor refuses."""

    def answer(self, request: Request) -> Reply:
        """The answer to a request on a good day. Paths under /sandbox tell what the twin holds."""
        ...

    def refusal(self, status: int) -> Reply:
        """A refusal with this status in the vendor's shape."""
        ...


PAGE = "<!doctype html><title>Service unavailable</title><h1>Please sign in to continue</h1>"

INSTEAD: Mapping[str, Callable[[Twin, Fault], Reply]] = {
    "status": lambda twin, one: twin.refusal(one.number(500)),
    "throttle": lambda twin, one: _with(twin.refusal(429), {"Retry-After": one.arg} if one.arg else {}),
    "expired": lambda twin, one: twin.refusal(401),
    "html": lambda twin, one: Reply(200, text=PAGE, content_type="text/html; charset=utf-8"),
    "redirect": lambda twin, one: Reply(302, {}, {"Location": one.arg or "http://127.0.0.1:1/"}),
}
"""What these faults answer; the request itself is then not acted on."""


def _with(reply: Reply, headers: Mapping[str, str]) -> Reply:
    return replace(reply, headers={**reply.headers, **headers})


def handler(twin: Twin, faults: Faults) -> type[BaseHTTPRequestHandler]:
    """The handler of one twin's server."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _do(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            url = urlsplit(self.path)
            request = Request(self.command, url.path, url.query, {k.lower(): v for k, v in self.headers.items()}, body)
            if url.path == FAULTS:
                self._send(_faults(faults, request))
                return
            looks = url.path.startswith(("/sandbox", "/health")) or (url.path == "/" and self.command == "GET")
            one = None if looks else faults.hit(url.path, unquote(self.path) + body.decode("utf-8", "replace"))
            if one is None:
                self._send(twin.answer(request))
            elif one.kind == "reset":
                self._reset()
            elif one.kind in INSTEAD:
                self._send(INSTEAD[one.kind](twin, one))
            elif one.kind == "latency":
                time.sleep(one.number(1000) / 1000)
                self._send(twin.answer(request))
            elif one.kind == "row":
                self._send(twin.answer(replace(request, refuse_row=one.arg)))
            else:
                reply = twin.answer(request)
                if one.kind == "reset-after":
                    self._reset()
                else:
                    self._send_badly(reply, one)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _do

        def _head(self, reply: Reply) -> bytes:
            text = (json.dumps(reply.value) if reply.text is None else reply.text).encode()
            self.send_response(reply.status)
            for name, value in {"Content-Type": reply.content_type, **reply.headers, "Content-Length": str(len(text))}.items():
                self.send_header(name, value)
            self.end_headers()
            return text

        def _send(self, reply: Reply) -> None:
            self.wfile.write(self._head(reply))

        def _send_badly(self, reply: Reply, one: Fault) -> None:
            text = self._head(reply)
            self.close_connection = True
            if one.kind == "half":
                self.wfile.write(text[:len(text) // 2])
                return
            for byte in text:
                with suppress(OSError):
                    self.wfile.write(bytes([byte]))
                    self.wfile.flush()
                    time.sleep(one.number(100) / 1000)
                    continue
                return

        def _reset(self) -> None:
            # lingering for no time makes the kernel send RST instead of FIN
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()

        def handle(self) -> None:
            with suppress(ConnectionError, ValueError):
                super().handle()

        def finish(self) -> None:
            with suppress(OSError, ValueError):
                super().finish()

        def log_message(self, *_: Any) -> None:
            """Quiet: what it holds can be read back under /sandbox."""

    return Handler


def _faults(faults: Faults, request: Request) -> Reply:
    """GET lists the faults that are on, POST adds one (or a list), DELETE switches all off."""
    if request.method == "DELETE":
        faults.clear()
    elif request.method == "POST":
        try:
            given = json.loads(request.body)
            added = [fault(one) if isinstance(one, str) else checked(one) for one in (given if isinstance(given, list) else [given])]
        except (ValueError, BadFault) as wrong:
            return Reply(400, {"error": str(wrong)})
        for one in added:
            faults.add(one)
    return Reply(200, faults.all())


class Server(ThreadingHTTPServer):
    """A server whose queue holds a burst, and that says nothing of clients that went away."""

    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Report what is wrong with the twin, not that a client closed."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def serve(twin: Twin, port: int, faults: Faults) -> None:
    """Answer on 127.0.0.1 until killed; prints where. A port that cannot be had ends the program with a sentence."""
    try:
        server = Server(("127.0.0.1", port), handler(twin, faults))
    except (OSError, OverflowError) as fault_:
        sys.exit(f"cannot listen on port {port}: {getattr(fault_, 'strerror', None) or fault_}; choose another with --port")
    print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
    with suppress(KeyboardInterrupt):
        server.serve_forever()


def main(make: Callable[[str, str], Twin], description: str | None, key: str) -> None:
    """Run a twin from the command line; `make(data, key)` builds it, `key` says what its key is."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--data", default=":memory:")
    parser.add_argument("--key", default="", help=key)
    parser.add_argument("--fault", action="append", default=[], help="KIND[:ARG][@SHARE|xTIMES][ /path][ ~TEXT]; may be repeated.")
    parser.add_argument("--seed", type=int, default=0, help="Which requests a share hits follows from it.")
    given = parser.parse_args()
    try:
        faults = Faults([fault(one) for one in given.fault], given.seed)
    except BadFault as wrong:
        parser.error(str(wrong))
    try:
        twin = make(given.data, given.key)
    except sqlite3.Error as wrong:
        parser.error(f"cannot keep anything in {given.data}: {wrong}")
    serve(twin, given.port, faults)
