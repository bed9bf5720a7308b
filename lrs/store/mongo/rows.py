"""The statements collection: its documents and indexes, and a document as a record."""
from __future__ import annotations

import os
from collections.abc import Sequence

from bson import Binary, Int64
from bson.binary import UUID_SUBTYPE

from lrs.statements.record import Prepared, Record
from lrs.store.mongo.database import Document

STATEMENTS = "statements"
INDEXES: dict[str, dict[str, list[tuple[str, int]]]] = {
    STATEMENTS: {"by_seq": [("seq", 1)], "by_term": [("terms", 1), ("seq", 1)]},
    "term_key": {},
}
SPARSE = frozenset({"by_seq"})
"""A statement that is only awaited (see `references`) has no seq, and is in no order."""
FIELDS = dict.fromkeys(("seq", "text", "reading", "credential_id", "provider", "target", "voids", "voided", "void_effective"), 1)


def term_key() -> list[Document]:
    """The document that holds the key of the term hashes, as a new store has it."""
    return [{"_id": 1, "key": os.urandom(16)}]


def key(statement_id: str) -> Binary:
    """A UUID as 16 bytes of BSON's own type for it."""
    return Binary(bytes.fromhex(statement_id.replace("-", "")), UUID_SUBTYPE)


def uuid_text(value: bytes) -> str:
    """The lower-case text of a UUID's 16 bytes."""
    digits = value.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def packed(terms: Sequence[int]) -> list[Int64]:
    """Terms as the index has them: all of one number type, whatever their size."""
    return [Int64(term) for term in terms]


def document(new: Prepared, seq: int, text: bytes, *, voided: bool, void_effective: bool) -> Document:
    """The document of a statement that is about to be stored."""
    said: Document = {"_id": key(new.id), "seq": Int64(seq), "text": text, "reading": new.reading, "terms": packed(new.terms),
                      "credential_id": new.credential_id, "provider": new.provider, "voided": voided, "void_effective": void_effective}
    if new.request:
        said["request"] = new.request
    if new.target is not None:
        said["target"] = key(new.target)
    if new.voids is not None:
        said["voids"] = key(new.voids)
    return said


def record(found: Document) -> Record:
    """The record of a document with FIELDS."""
    target, voids = found.get("target"), found.get("voids")
    return Record(uuid_text(found["_id"]), int(found["seq"]), found["text"], found["reading"], found["credential_id"],
                  found["provider"], target and uuid_text(target), voids and uuid_text(voids), found["voided"], found["void_effective"])
