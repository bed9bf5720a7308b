"""multipart/mixed, in and out: a statement or an array of them first, the data of attachments after it."""
from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Protocol

from lrs.errors import Finding, Invalid

SECTION = "Communication 1.5.2"
HASH = "x-experience-api-hash"
ENCODING = "content-transfer-encoding"
_BOUNDARY = re.compile(r""";\s*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))""", re.IGNORECASE)
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*:[ \t]*(.*)")


PIECE = 64 * 1024
HEADERS_MAX = 16 * 1024


class Stream(Protocol):
    """What a body is read from."""

    def read(self, size: int, /) -> bytes: ...


class Parts:
    """The parts of a body (RFC 2046 §5.1), read once from beginning to end and never held in memory whole.

    Raises `Invalid` where the boundary is missing, never begins or never ends, or a part has no headers.
    """

    def __init__(self, stream: Stream, content_type: str) -> None:
        found = _BOUNDARY.search(content_type)
        if found is None:
            raise refused("boundary", "the Content-Type names no boundary")
        self._name = found[1] or found[2]
        # a body may begin with its boundary; everywhere else a line break before it belongs to it
        self._mark = b"\n--" + self._name.encode("utf-8", "surrogateescape")
        self._stream, self._held, self._ended = stream, bytearray(b"\n"), False
        self._index = -1
        for _ in self._until_mark():
            pass
        if self._ended:
            raise refused("boundary", f"no line of the body is the boundary --{self._name}")

    def __iter__(self) -> Iterator[tuple[dict[str, str], Iterator[bytes]]]:
        """Headers (names in lower case) and bytes of each part; a part's bytes must be read before the next part."""
        while not self._is_last():
            self._index += 1
            headers = self._headers()
            content = self._until_mark()
            yield headers, content
            for _ in content:
                pass

    def _fill(self) -> bool:
        piece = self._stream.read(PIECE)
        self._held += piece
        return bool(piece)

    def _is_last(self) -> bool:
        while len(self._held) < 2 and self._fill():
            pass
        return self._held.startswith(b"--")

    def _until_mark(self) -> Iterator[bytes]:
        """The bytes up to the next boundary, which is taken away with the line break before it."""
        while True:
            at = self._held.find(self._mark)
            if at >= 0:
                last = bytes(self._held[:at]).removesuffix(b"\r")
                del self._held[:at + len(self._mark)]
                if last:
                    yield last
                return
            # the boundary, and the CR before it, may stand across two pieces
            keep = len(self._mark) + 1
            if len(self._held) > keep:
                yield bytes(self._held[:-keep])
                del self._held[:-keep]
            if not self._fill():
                if self._index >= 0:
                    raise refused("end", "the body ends before its last boundary: it was cut off, or the boundary is another one")
                self._ended = True
                return

    def _headers(self) -> dict[str, str]:
        while True:
            # what follows the boundary on its own line is no header; an empty line right after it ends them
            line_end = self._held.find(b"\n")
            begin = max(0, line_end - 1)
            ends = [(at, len(end)) for end in (b"\r\n\r\n", b"\n\n") if line_end >= 0 and (at := self._held.find(end, begin)) >= 0]
            if ends:
                at, length = min(ends)
                head = bytes(self._held[line_end + 1:max(at, line_end + 1)])
                del self._held[:at + length]
                return self._read(head)
            if len(self._held) > HEADERS_MAX or not self._fill():
                raise refused("headers", f"part {self._index} has no line that ends its headers")

    def _read(self, head: bytes) -> dict[str, str]:
        headers: dict[str, str] = {}
        for line in head.replace(b"\r\n", b"\n").split(b"\n"):
            field = _FIELD.fullmatch(line)
            if field is None and line:
                raise refused("headers", f"part {self._index}: \"{line[:60].decode('utf-8', 'replace')}\" is no header")
            if field is not None:
                headers[field[1].decode("ascii").lower()] = field[2].decode("utf-8", "replace").strip()
        return headers


def media_type(headers: Mapping[str, str]) -> str:
    """The type of a part without its parameters, in lower case."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def opening(boundary: str, content_type: str, sha2: str = "") -> bytes:
    """What stands before the bytes of a part that goes out."""
    lines = [f"--{boundary}", f"Content-Type: {content_type}"]
    if sha2:
        lines += ["Content-Transfer-Encoding: binary", f"X-Experience-API-Hash: {sha2}"]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "replace")


def refused(rule: str, why: str) -> Invalid:
    """A refusal of the request's multipart form."""
    return Invalid([Finding("", why, f"multipart.{rule}", SECTION)])
