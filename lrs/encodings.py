"""Content codings of HTTP: a body is inflated only as far as the limit allows, an answer is packed when that is asked for."""
from __future__ import annotations

import zlib
from collections.abc import Callable

import brotli

from lrs.errors import Finding, Invalid, TooLarge

WORTH = 1024
"""Bytes below which packing an answer saves nothing."""


def inflated(body: bytes, coding: str, limit: int) -> bytes:
    """The body without its content coding. Raises `TooLarge` as soon as it grows beyond `limit` bytes (a few kilobytes
    can hold gigabytes), `Invalid` for a coding that is not known or a body that does not fit it."""
    for name in reversed([one.strip().lower() for one in coding.split(",")]):
        if name in ("", "identity"):
            continue
        if name not in CODINGS:
            why = f"Content-Encoding {name[:20]} is not known here; send gzip, deflate, br or none"
            raise Invalid([Finding("", why, "http.coding", "")])
        found = CODINGS[name](body, limit)
        if found is None:
            raise Invalid([Finding("", f"the body is not whole, or is not {name}", "http.coding", "")])
        if len(found) > limit:
            raise TooLarge(f"the body is larger than the limit body_max of {limit} bytes when it is unpacked", "body_max", limit)
        body = found
    return body


def _zlib(*windows: int) -> Callable[[bytes, int], bytes | None]:
    """Unpacks what zlib reads in one of these forms (window bits)."""
    def unpack(body: bytes, limit: int) -> bytes | None:
        for bits in windows:
            machine = zlib.decompressobj(bits)
            try:
                found = machine.decompress(body, limit + 1)
            except zlib.error:
                continue
            return found if len(found) > limit or (machine.eof and not machine.unused_data) else None
        return None
    return unpack


def _brotli(body: bytes, limit: int) -> bytes | None:
    machine, found = brotli.Decompressor(), bytearray()
    try:
        found += machine.process(body, output_buffer_limit=limit + 1)
        while not machine.is_finished() and len(found) <= limit:
            if machine.can_accept_more_data():
                return None
            found += machine.process(b"", output_buffer_limit=limit + 1 - len(found))
    except brotli.error:
        return None
    return bytes(found)


CODINGS: dict[str, Callable[[bytes, int], bytes | None]] = {
    "gzip": _zlib(31), "x-gzip": _zlib(31), "br": _brotli,
    "deflate": _zlib(15, -15),  # some clients send it without the frame of zlib
}
"""Coding (RFC 9110 §8.4.1, RFC 7932) → what unpacks it: a little more than `limit` bytes at most; None for what does not fit."""


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
