"""The data that comes with statements: every part belongs to an attachment, every attachment without a URL has its part."""
from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lrs.errors import TooLarge
from lrs.statements.multipart import ENCODING, HASH, Parts, Stream, media_type, refused
from lrs.store.protocols.attachments import Attachments, Staged

ALGORITHMS = {56: "sha224", 64: "sha256", 96: "sha384", 128: "sha512"}
"""Hex digits of a SHA-2 hash → its algorithm (xAPI 1.0.3 Data 2.4.11 names no length)."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What a multipart request holds: the text of its statements, and the data of attachments by hash, staged."""

    text: bytes
    data: Mapping[str, Staged]


@contextlib.contextmanager
def sent(stream: Stream, content_type: str, store: Attachments, *, text_max: int, data_max: int) -> Iterator[Sent]:
    """Read a multipart body: the statements into memory (at most `text_max` bytes), the data of attachments piece by piece
    to files beside the store (at most `data_max` bytes each), hashed on the way. What was not kept is gone afterwards.

    Raises `Invalid` for a body that is no multipart/mixed with application/json first, a part without its headers, or one
    whose hash is not that of its bytes (xAPI 1.0.3 Communication 1.5.2); `TooLarge`; `StoreUnavailable`.
    """
    staged: dict[str, Staged] = {}
    try:
        text: bytes | None = None
        for index, (headers, content) in enumerate(Parts(stream, content_type)):
            if text is None:
                text = _statements(headers, content, text_max)
                continue
            sha2 = _named(index, headers)
            found = _staged(store, sha2, content, data_max)
            if not found.matches:
                found.discard()
                raise refused("hash", f"part {index}: its bytes have another hash than X-Experience-API-Hash says ({sha2[:20]}…)")
            if sha2 in staged:
                found.discard()
            else:
                staged[sha2] = found
        if text is None:
            raise refused("first", "there is no part")
        yield Sent(text, staged)
    finally:
        for one in staged.values():
            one.discard()


def check_used(data: Iterable[str], statements: Iterable[Mapping[str, Any]]) -> None:
    """Raises `Invalid` for data that no attachment of these statements names."""
    named = {str(one.get("sha2", "")).lower() for statement in statements for one in attachments_of(statement)}
    for sha2 in data:
        if sha2 not in named:
            raise refused("excess", f"no attachment of the statements has the sha2 {sha2[:20]}… of one of the parts")


def attachments_of(statement: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The attachments of a statement and of its SubStatement."""
    for part in (statement, statement.get("object")):
        listed = part.get("attachments") if isinstance(part, dict) else None
        if isinstance(listed, list):
            yield from (one for one in listed if isinstance(one, dict))


def _statements(headers: Mapping[str, str], content: Iterable[bytes], text_max: int) -> bytes:
    if media_type(headers) != "application/json":
        raise refused("first", f"the first part must be application/json, it is \"{media_type(headers)[:60]}\"")
    text = bytearray()
    for piece in content:
        text += piece
        if len(text) > text_max:
            raise TooLarge(f"the statements are larger than the limit body_max of {text_max} bytes", "body_max", text_max)
    return bytes(text)


def _named(index: int, headers: Mapping[str, str]) -> str:
    sha2 = headers.get(HASH, "").lower()
    if not sha2:
        raise refused("hash", f"part {index} has no X-Experience-API-Hash")
    if headers.get(ENCODING, "").lower() != "binary":
        raise refused("encoding", f"part {index} must say Content-Transfer-Encoding: binary")
    if len(sha2) not in ALGORITHMS:
        raise refused("hash", f"part {index}: X-Experience-API-Hash is no SHA-2 hash in hexadecimal digits ({sha2[:20]})")
    return sha2


def _staged(store: Attachments, sha2: str, content: Iterable[bytes], data_max: int) -> Staged:
    def limited() -> Iterator[bytes]:
        size = 0
        for piece in content:
            size += len(piece)
            if size > data_max:
                raise TooLarge(f"an attachment is larger than the limit attachment_max of {data_max} bytes", "attachment_max", data_max)
            yield piece

    return store.stage(limited(), sha2, hashlib.new(ALGORITHMS[len(sha2)]))
