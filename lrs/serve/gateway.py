"""Between HTTP and WSGI: a request's environ, made once the body is here, and a WSGI answer, collected."""
from __future__ import annotations

import json
import sys
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any
from urllib.parse import quote

Wsgi = Callable[..., Iterable[bytes]]

#: An answer up to this many bytes goes out in one piece; a longer one is streamed.
WHOLE = 2**20


@dataclass(frozen=True, slots=True)
class Answer:
    """A WSGI answer: its first bytes, and an iterator of what follows (None if that is all). `code` says why it is a
    refusal of the web process."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    rest: Iterator[bytes] | None = None
    code: str = ""


def environ(scope: Any, body: IO[bytes], size: int) -> dict[str, Any]:
    """The WSGI environ (PEP 3333) of an RSGI request whose body has been read whole, `size` bytes of it.

    Repeated headers are joined; headers with `_` in their name are dropped, they could pass for another header.
    """
    server, _, port = scope.server.rpartition(":")
    path = scope.path
    made: dict[str, Any] = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path.encode("utf-8", "surrogateescape").decode("latin-1"),
        "QUERY_STRING": scope.query_string,
        "REQUEST_URI": quote(path, safe="/:@!$&'()*+,;=~%") + (f"?{scope.query_string}" if scope.query_string else ""),
        "SERVER_NAME": server or "localhost",
        "SERVER_PORT": port or "80",
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "REMOTE_ADDR": scope.client.rpartition(":")[0].strip("[]"),
        "CONTENT_LENGTH": str(size),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.input": body,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
    }
    for name, value in scope.headers.items():
        if "_" in name:
            continue
        key = name.upper().replace("-", "_")
        if key == "CONTENT_TYPE":
            made[key] = value
        elif key not in ("CONTENT_LENGTH", "TRANSFER_ENCODING"):
            key = f"HTTP_{key}"
            made[key] = f"{made[key]}{'; ' if key == 'HTTP_COOKIE' else ', '}{value}" if key in made else value
    return made


def call(app: Wsgi, made: dict[str, Any]) -> Answer:
    """Run the application on this environ and collect its answer; what is longer than `WHOLE` stays an iterator."""
    started: list[tuple[str, Sequence[tuple[str, str]]]] = []
    written: list[bytes] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], None]:
        started[:] = [(status, headers)]
        return written.append

    result = app(made, start_response)
    chunks = iter(result)
    size = 0
    for chunk in chunks:
        written.append(chunk)
        size += len(chunk)
        if size > WHOLE and not isinstance(result, list | tuple):
            return Answer(*_head(started), b"".join(written), _closing(chunks, result))
    _close(result)
    return Answer(*_head(started), b"".join(written))


def refusal(status: int, code: str, message: str, **headers: str) -> Answer:
    """An answer that the web process gives by itself, in the JSON shape of every other error (`lrs.http`)."""
    request_id = uuid.uuid4().hex
    body = {"status": status, "code": code, "message": message, "request_id": request_id, "help": "docs/settings.md"}
    lines = [("Content-Type", "application/json"), ("X-Request-ID", request_id)]
    lines += [(name.replace("_", "-"), value) for name, value in headers.items()]
    return Answer(status, lines, json.dumps(body).encode(), code=code)


def _head(started: list[tuple[str, Sequence[tuple[str, str]]]]) -> tuple[int, list[tuple[str, str]]]:
    status, headers = started[0]
    # The connection is the server's affair, and the framing follows from the body.
    return int(status[:3]), [(n, v) for n, v in headers if n.lower() not in ("connection", "transfer-encoding")]


def _closing(chunks: Iterator[bytes], result: Iterable[bytes]) -> Iterator[bytes]:
    try:
        yield from chunks
    finally:
        _close(result)


def _close(result: Iterable[bytes]) -> None:
    close = getattr(result, "close", None)
    if close is not None:
        close()
