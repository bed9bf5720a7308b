"""Own terms of the newest statements, one row a statement, until a slice of them is written into the index together.

Each term falls on a place of its own in the tree of terms: written with its statement, it is a page of the commit. A thousand
statements at once share these pages, and a page of statements that is asked for meanwhile looks at those that wait one by one.
"""
from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from lrs.store.sqlite import rows as tables

SCRIPTS = ("CREATE TABLE terms_waiting (seq INTEGER PRIMARY KEY, terms BLOB NOT NULL)",)
MOST = 4_000
"""Statements that wait, by the count of one process: to look at them costs a reader a quarter of a microsecond each."""
SLICE = 1_000
"""Statements that are written into the index together: some 25 ms in which nobody else writes."""


def put(db: sqlite3.Connection, rows: Sequence[tuple[object, object]]) -> None:
    """Let new statements (seq, packed terms) wait, in the caller's transaction."""
    tables.insert(db, "INSERT INTO terms_waiting", rows)


def bearing(db: sqlite3.Connection, term: int) -> list[int]:
    """The seqs of those that wait and have this term, ascending."""
    # eight bytes that lie across two terms pass for one as rarely as two hashes are equal
    return [seq for (seq,) in db.execute("SELECT seq FROM terms_waiting WHERE instr(terms, ?) ORDER BY seq", (tables.packed((term,)),))]


def count(db: sqlite3.Connection) -> int:
    """How many wait."""
    return int(db.execute("SELECT count(*) FROM terms_waiting").fetchone()[0])


def any_(db: sqlite3.Connection) -> bool:
    """Whether one waits."""
    return db.execute("SELECT 1 FROM terms_waiting LIMIT 1").fetchone() is not None


def taken(db: sqlite3.Connection, most: int) -> tuple[int, list[tuple[int, int, int]]]:
    """Take the oldest out, at most so many, in the caller's transaction: how many they are, and their rows of the index in its
    order."""
    some = db.execute("SELECT seq, terms FROM terms_waiting ORDER BY seq LIMIT ?", (most,)).fetchall()
    if some:
        db.execute("DELETE FROM terms_waiting WHERE seq <= ?", (some[-1][0],))
    return len(some), sorted((term, seq, 0) for seq, terms in some for term in tables.unpacked(terms))
