"""Which request brought a statement: one row a request, written with its statements, for as long as refusals are kept."""
from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from lrs.store.protocols.rejections import KEPT_US
from lrs.store.sqlite import rows

SCRIPTS = ("CREATE TABLE requests (last INTEGER PRIMARY KEY, first INTEGER NOT NULL, id TEXT NOT NULL)",)
FORGOTTEN = 4
"""Old rows that a new one takes away: more than come, so that the table shrinks to what is to be kept."""


def note(db: sqlite3.Connection, first: int, last: int, request: str) -> None:
    """The request stored the statements with first ≤ seq ≤ last, and no other did."""
    db.execute("INSERT INTO requests VALUES (?, ?, ?)", (last, first, request))
    db.execute("DELETE FROM requests WHERE last IN (SELECT last FROM requests WHERE last < ? ORDER BY last LIMIT ?)",
               (last - KEPT_US, FORGOTTEN))


def of(db: sqlite3.Connection, statement_ids: Sequence[str]) -> dict[str, str]:
    """The request of each of these statements where it is known."""
    found: dict[str, str] = {}
    for one in statement_ids:
        row = db.execute("""SELECT r.id FROM statements s JOIN requests r ON r.last = (SELECT min(last) FROM requests WHERE last >= s.seq)
                            WHERE s.id = ? AND r.first <= s.seq""", (rows.key(one),)).fetchone()
        if row is not None:
            found[one] = str(row[0])
    return found
