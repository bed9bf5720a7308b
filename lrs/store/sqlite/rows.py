"""The statements table: its columns, and a row as a record."""
from __future__ import annotations

import sqlite3
import struct
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

from lrs.statements.record import Record

SCRIPTS = (
    """CREATE TABLE statements (seq INTEGER PRIMARY KEY, id BLOB NOT NULL, text BLOB NOT NULL, reading BLOB NOT NULL,
         terms BLOB NOT NULL, credential_id TEXT NOT NULL, provider TEXT NOT NULL, target BLOB, voids BLOB,
         may_void_any INTEGER NOT NULL, voided INTEGER NOT NULL, void_effective INTEGER NOT NULL);
       CREATE UNIQUE INDEX statements_by_id ON statements (id);
       CREATE INDEX statements_by_target ON statements (target, seq) WHERE target IS NOT NULL;
       CREATE TABLE term_key (one INTEGER PRIMARY KEY CHECK (one = 1), key BLOB NOT NULL);
       INSERT INTO term_key VALUES (1, randomblob(16))""",
)
COLUMNS = "id, seq, text, reading, credential_id, provider, target, voids, voided, void_effective"


def key(statement_id: str) -> bytes:
    """The 16 bytes of a UUID: half the size of its text in two indexes."""
    return bytes.fromhex(statement_id.replace("-", ""))


def uuid_text(value: bytes) -> str:
    """The lower-case text of a UUID's 16 bytes."""
    digits = value.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def record(row: tuple[Any, ...]) -> Record:
    """The record of a row of COLUMNS."""
    name, seq, text, reading, credential_id, provider, target, voids, voided, effective = row
    return Record(uuid_text(name), seq, text, reading, credential_id, provider, target and uuid_text(target),
                  voids and uuid_text(voids), bool(voided), bool(effective))


def packed(terms: tuple[int, ...]) -> bytes:
    """A statement's own terms, kept with it for the statements that will refer to it."""
    return struct.pack(f"<{len(terms)}q", *terms)


def unpacked(data: bytes) -> tuple[int, ...]:
    """The inverse of `packed`."""
    return struct.unpack(f"<{len(data) // 8}q", data)


AT_ONCE = 64
"""Rows that one call writes. A call lets go of Python's lock once a step: row by row, every other busy thread takes it
between two rows and keeps it for milliseconds."""


def insert(db: sqlite3.Connection, into: str, rows: Sequence[tuple[object, ...]]) -> None:
    """Write rows of one width; `into` is the statement up to its VALUES."""
    for at in range(0, len(rows), AT_ONCE):
        some = rows[at:at + AT_ONCE]
        db.execute(_inserting(into, len(some), len(some[0])), tuple(chain.from_iterable(some)))


@lru_cache(maxsize=4 * AT_ONCE)
def _inserting(into: str, rows: int, columns: int) -> str:
    row = f"({','.join('?' * columns)})"
    return f"{into} VALUES {','.join([row] * rows)}"


def highest(db: sqlite3.Connection) -> int:
    """The greatest seq that this connection sees, 0 if there is none."""
    return int(db.execute("SELECT max(seq) FROM statements").fetchone()[0] or 0)
