"""Which request brought a statement: its id stands in the row of the first statement that it stored, and in no other.

A table of its own would be one more page in each commit, a tenth of what a single statement costs; in every row it would be
500 times the bytes for a batch.
"""
from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from lrs.store.sqlite import rows

SCRIPTS = ("DROP TABLE IF EXISTS requests; ALTER TABLE statements ADD COLUMN request TEXT",)
"""'' in the first row of a request that has no id; NULL in the rows after the first, and in those of before this column."""
LOOKED_AT = 5_000
"""Rows before the statement that are looked at for the first one of its request."""


def of(db: sqlite3.Connection, statement_ids: Sequence[str]) -> dict[str, str]:
    """The request of each of these statements where it is known. The rows between two first ones are of one request:
    their seqs were drawn in one go."""
    found: dict[str, str] = {}
    for one in statement_ids:
        row = db.execute("""SELECT request FROM (SELECT request FROM statements WHERE seq <= (SELECT seq FROM statements WHERE id = ?)
                              ORDER BY seq DESC LIMIT ?) WHERE request IS NOT NULL LIMIT 1""", (rows.key(one), LOOKED_AT)).fetchone()
        if row is not None and row[0]:
            found[one] = str(row[0])
    return found
