"""The data that comes with statements: every part belongs to an attachment, every attachment without a URL has its part."""
from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from lrs.statements.multipart import ENCODING, HASH, Part, refused

ALGORITHMS = {56: "sha224", 64: "sha256", 96: "sha384", 128: "sha512"}
"""Hex digits of a SHA-2 hash → its algorithm (xAPI 1.0.3 Data 2.4.11 names no length)."""


def by_hash(parts: Sequence[Part]) -> dict[str, bytes]:
    """The data of attachments by its hash. Raises `Invalid` for a part without its headers or whose hash is not that of
    its bytes (xAPI 1.0.3 Communication 1.5.2)."""
    found: dict[str, bytes] = {}
    for index, part in enumerate(parts, 1):
        sha2 = part.headers.get(HASH, "").lower()
        if not sha2:
            raise refused("hash", f"part {index} has no X-Experience-API-Hash")
        if part.headers.get(ENCODING, "").lower() != "binary":
            raise refused("encoding", f"part {index} must say Content-Transfer-Encoding: binary")
        algorithm = ALGORITHMS.get(len(sha2))
        if algorithm is None or hashlib.new(algorithm, part.content).hexdigest() != sha2:
            raise refused("hash", f"part {index}: its bytes have another hash than X-Experience-API-Hash says ({sha2[:20]}…)")
        found[sha2] = part.content
    return found


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
