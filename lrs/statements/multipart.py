"""multipart/mixed, in and out: a statement or an array of them first, the data of attachments after it."""
from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from lrs.errors import Finding, Invalid

SECTION = "Communication 1.5.2"
HASH = "x-experience-api-hash"
ENCODING = "content-transfer-encoding"
_BOUNDARY = re.compile(r""";\s*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))""", re.IGNORECASE)
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*:[ \t]*(.*)")


@dataclass(frozen=True, slots=True)
class Part:
    """A part: its headers (names in lower case) and its bytes."""

    headers: Mapping[str, str]
    content: bytes

    @property
    def media_type(self) -> str:
        """The type without its parameters, in lower case."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


def parts(body: bytes, content_type: str) -> list[Part]:
    """The parts of a body (RFC 2046 §5.1). Raises `Invalid` where the boundary is missing, never begins or never ends, or
    a part has no headers."""
    found = _BOUNDARY.search(content_type)
    if found is None:
        raise refused("boundary", "the Content-Type names no boundary")
    mark = b"--" + (found[1] or found[2]).encode("utf-8", "surrogateescape")
    if not body.startswith(mark):
        begin = body.find(b"\n" + mark)
        if begin < 0:
            raise refused("boundary", f"no line of the body is the boundary {mark.decode('utf-8', 'replace')}")
        body = body[begin + 1:]
    pieces = body[len(mark):].split(b"\n" + mark)
    if not any(piece.startswith(b"--") for piece in pieces[1:]):
        raise refused("end", "the body ends before its last boundary: it was cut off, or the boundary is another one")
    whole = []
    for index, piece in enumerate(pieces):
        if piece.startswith(b"--"):
            break
        whole.append(_part(piece, index))
    return whole


def check_first(found: list[Part]) -> Part:
    """The first part, which holds the statements. Raises `Invalid` if it is not application/json."""
    if not found:
        raise refused("first", "there is no part")
    if found[0].media_type != "application/json":
        raise refused("first", f"the first part must be application/json, it is \"{found[0].media_type[:60]}\"")
    return found[0]


def opening(boundary: str, content_type: str, sha2: str = "") -> bytes:
    """What stands before the bytes of a part that goes out."""
    lines = [f"--{boundary}", f"Content-Type: {content_type}"]
    if sha2:
        lines += ["Content-Transfer-Encoding: binary", f"X-Experience-API-Hash: {sha2}"]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "replace")


def refused(rule: str, why: str) -> Invalid:
    """A refusal of the request's multipart form."""
    return Invalid([Finding("", why, f"multipart.{rule}", SECTION)])


def _part(piece: bytes, index: int) -> Part:
    # the line break before a boundary belongs to the boundary; only CR is left of it here
    piece = piece.removesuffix(b"\r")
    _, newline, rest = piece.partition(b"\n")
    ends = [(at, len(end)) for end in (b"\r\n\r\n", b"\n\n") if (at := rest.find(end)) >= 0]
    if rest.startswith((b"\r\n", b"\n")):
        head, content = b"", rest.partition(b"\n")[2]
    elif newline and ends:
        at, length = min(ends)
        head, content = rest[:at], rest[at + length:]
    else:
        raise refused("headers", f"part {index} has no line that ends its headers")
    headers: dict[str, str] = {}
    for line in head.replace(b"\r\n", b"\n").split(b"\n"):
        field = _FIELD.fullmatch(line)
        if field is None and line:
            raise refused("headers", f"part {index}: \"{line[:60].decode('utf-8', 'replace')}\" is no header")
        if field is not None:
            headers[field[1].decode("ascii").lower()] = field[2].decode("utf-8", "replace").strip()
    return Part(headers, content)
