"""The index of terms: they wait, are written small and recent, merged in sorted runs, and walked several at a time."""
from __future__ import annotations

import sqlite3
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from lrs.store.sqlite import rows as tables
from lrs.store.sqlite import waiting
from lrs.store.sqlite.database import Database

SCRIPTS = (
    """CREATE TABLE terms_recent (term INTEGER NOT NULL, seq INTEGER NOT NULL, via INTEGER NOT NULL,
         PRIMARY KEY (term, seq, via)) WITHOUT ROWID;
       CREATE TABLE terms_main (term INTEGER NOT NULL, seq INTEGER NOT NULL, via INTEGER NOT NULL,
         PRIMARY KEY (term, seq, via)) WITHOUT ROWID""",
)
Position = tuple[int, int]
"""(seq, via): `via` 0 is the statement itself, else the seq of the one it refers to whose term this is."""
LEAST, GREATEST = -(1 << 63), (1 << 63) - 1
PROBES = 100_000
CHUNK = 256


def insert(db: sqlite3.Connection, rows: Sequence[tuple[int, int, int]]) -> None:
    """Add rows (term, seq, via) in the caller's transaction; a row that stands already stays one."""
    tables.insert(db, "INSERT OR IGNORE INTO terms_recent", rows)


def any_of(db: sqlite3.Connection, terms: Sequence[int], after: int, until: int, n: int) -> list[int]:
    """The first n seqs in after < seq ≤ until at which one of the terms stands by itself (via 0), ascending."""
    sql = " UNION ".join(f"SELECT * FROM (SELECT seq FROM {tree} WHERE term = ?1 AND seq > ?2 AND seq <= ?3 AND via = 0 "
                         "ORDER BY seq LIMIT ?4)" for tree in ("terms_recent", "terms_main"))
    found: set[int] = set()
    for term in terms:
        found.update(seq for (seq,) in db.execute(sql, (term, after, until, n)))
        found.update([seq for seq in waiting.bearing(db, term) if after < seq <= until][:n])
        if len(found) > 8 * n:
            until = sorted(found)[n - 1]
            found = {seq for seq in found if seq <= until}
    return sorted(found)[:n]


def index(db: sqlite3.Connection) -> int:
    """Write the rows of a slice of the statements that wait, the oldest, in the caller's transaction; how many they were."""
    statements, found = waiting.taken(db, waiting.SLICE)
    insert(db, found)
    return statements


class Bound:
    """Keeps those that wait few where no worker does: whoever adds writes a slice of them now and then."""

    def __init__(self) -> None:
        self._room = 0

    def added(self, db: sqlite3.Connection, statements: int) -> None:
        """So many more wait, in the caller's transaction."""
        self._room -= statements
        if self._room < 0:
            self._room = waiting.MOST - waiting.count(db)
            while self._room < 0:
                self._room += index(db)


class Merge:
    """Moves postings on: of those that wait into the small tree, and from there to the large one.

    Runs of neighbouring terms, round and round: so a page of the large tree is written once for many rows.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._at = (LEAST, LEAST, LEAST)

    def index(self) -> int:
        """Write a slice of those that wait into the small tree; of how many statements it was."""
        with self._database.read() as db:
            if not waiting.any_(db):
                return 0
        with self._database.write() as db:
            return index(db)

    def run(self, max_rows: int) -> int:
        """Move at most this many rows in one transaction; returns how many, 0 when nothing is left."""
        with self._database.write() as db:
            index(db)
            rows = self._run(db, max_rows)
            if len(rows) < max_rows and self._at != (LEAST, LEAST, LEAST):
                self._at = (LEAST, LEAST, LEAST)
                rows = rows or self._run(db, max_rows)
            if rows:
                tables.insert(db, "INSERT OR IGNORE INTO terms_main", rows)
                db.execute("DELETE FROM terms_recent WHERE (term, seq, via) >= (?,?,?) AND (term, seq, via) <= (?,?,?)",
                           (*rows[0], *rows[-1]))
        if rows:
            self._at = rows[-1] if len(rows) == max_rows else (LEAST, LEAST, LEAST)
        return len(rows)

    def _run(self, db: sqlite3.Connection, max_rows: int) -> list[tuple[int, int, int]]:
        return db.execute("SELECT term, seq, via FROM terms_recent WHERE (term, seq, via) > (?,?,?) "
                          "ORDER BY term, seq, via LIMIT ?", (*self._at, max_rows)).fetchall()


@dataclass(slots=True)
class Budget:
    """How many index probes a page may still make, or pairs a request may still write."""

    left: int


class _Postings:
    """One term's rows of both trees in order; remembers what it read ahead, and reads more ahead the more is used."""

    def __init__(self, db: sqlite3.Connection, term: int, ascending: bool, budget: Budget) -> None:
        way, order = (">=", "ASC") if ascending else ("<=", "DESC")
        self._sql = " UNION ".join(
            f"SELECT * FROM (SELECT seq, via FROM {tree} WHERE term = ?1 AND (seq, via) {way} (?2, ?3) "
            f"ORDER BY seq {order}, via {order} LIMIT ?4)" for tree in ("terms_recent", "terms_main")
        ) + f" ORDER BY seq {order}, via {order} LIMIT ?4"
        self._db, self._term, self._budget = db, term, budget
        self._sign = 1 if ascending else -1
        self._rows: list[Position] = []  # positions times sign, so that they always ascend
        self._used, self._size, self._end = 0, 1, False
        self._waiting = [(seq * self._sign, 0) for seq in waiting.bearing(db, term)][::self._sign]

    def seek(self, at: Position) -> Position | None:
        """The first position at or after this one in walking order; costs one probe."""
        self._budget.left -= 1
        wanted = (at[0] * self._sign, at[1] * self._sign)
        self._used = bisect_left(self._rows, wanted, self._used)
        if self._used == len(self._rows):
            if self._rows and self._end:
                return None
            self._read(at)
            if not self._rows:
                return None
        seq, via = self._rows[self._used]
        return seq * self._sign, via * self._sign

    def _read(self, at: Position) -> None:
        self._size = min(CHUNK, self._size * 2)
        rows = self._db.execute(self._sql, (self._term, *at, self._size)).fetchall()
        self._rows = [(seq * self._sign, via * self._sign) for seq, via in rows]
        if self._waiting:
            first = bisect_left(self._waiting, (at[0] * self._sign, at[1] * self._sign))
            self._rows = sorted(self._rows + self._waiting[first:first + self._size])[:self._size]
        self._used, self._end = 0, len(self._rows) < self._size

    def weight(self, most: int = 1000) -> int:
        """How many rows the term has, counted up to `most`."""
        return len(self._waiting) + sum(self._db.execute(f"SELECT count(*) FROM (SELECT 1 FROM {tree} WHERE term = ? LIMIT {most})",
                                    (self._term,)).fetchone()[0] for tree in ("terms_recent", "terms_main"))


class Walk:
    """The seqs at which all of some terms stand together at one (seq, via), in order. Needs a read snapshot."""

    def __init__(self, db: sqlite3.Connection, terms: Sequence[int], ascending: bool, budget: Budget) -> None:
        self._budget, self._ascending = budget, ascending
        ranges = [_Postings(db, term, ascending, budget) for term in terms]
        self._ranges = sorted(ranges, key=_Postings.weight) if len(ranges) > 1 else ranges
        self.reached: int | None = None
        """The seq up to which everything was looked at when the budget ran out."""

    def seek(self, seq: int) -> int | None:
        """The first matching seq at or after this one; None at the end, or when the budget ran out (`reached` set)."""
        at = (seq, LEAST + 1 if self._ascending else GREATEST)
        agreed = 0
        while agreed < len(self._ranges):
            for postings in self._ranges:
                found = postings.seek(at)
                if found is None:
                    return None
                agreed = agreed + 1 if found == at else 1
                at = found
                if agreed >= len(self._ranges):
                    break
            if self._budget.left <= 0 and agreed < len(self._ranges):
                self.reached = at[0] - 1 if self._ascending else at[0] + 1
                return None
        return at[0]
