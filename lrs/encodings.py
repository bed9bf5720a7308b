"""Content codings of HTTP: a body is inflated only as far as the limit allows, an answer is packed when that is asked for."""
from __future__ import annotations

import zlib

from lrs.errors import Finding, Invalid, TooLarge

CODINGS = {"gzip": 31, "x-gzip": 31, "deflate": 15}
"""Coding → window bits for zlib (RFC 9110 §8.4.1; `deflate` is the zlib format)."""
WORTH = 1024
"""Bytes below which packing an answer saves nothing."""


def inflated(body: bytes, coding: str, limit: int) -> bytes:
    """The body without its content coding. Raises `TooLarge` as soon as it grows beyond `limit` bytes (a few kilobytes
    can hold gigabytes), `Invalid` for a coding that is not known or a body that does not fit it."""
    for name in reversed([one.strip().lower() for one in coding.split(",")]):
        if name in ("", "identity"):
            continue
        if name not in CODINGS:
            raise Invalid([Finding("", f"Content-Encoding {name[:20]} is not known here; send gzip, deflate or none", "http.coding", "")])
        body = _inflated(body, name, limit)
    return body


def _inflated(body: bytes, name: str, limit: int) -> bytes:
    for bits in (CODINGS[name], -15) if name == "deflate" else (CODINGS[name],):
        machine = zlib.decompressobj(bits)
        try:
            found = machine.decompress(body, limit + 1)
        except zlib.error:
            continue  # some clients send deflate without the zlib frame
        if len(found) > limit:
            raise TooLarge(f"the body is larger than the limit body_max of {limit} bytes when it is unpacked", "body_max", limit)
        if not machine.eof or machine.unused_data:
            break
        return found
    raise Invalid([Finding("", f"the body is not whole, or is not {name}", "http.coding", "")])


def asks_for_gzip(accept_encoding: str) -> bool:
    """Whether an Accept-Encoding header takes gzip (RFC 9110 §12.5.3)."""
    for entry in accept_encoding.lower().split(","):
        name, _, parameters = entry.strip().partition(";")
        if name.strip() in ("gzip", "*"):
            return parameters.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def packed(content: bytes) -> bytes:
    """The content in gzip, fast rather than small."""
    machine = zlib.compressobj(1, zlib.DEFLATED, 31)
    return machine.compress(content) + machine.flush()
