"""The log of statements in a SQLite file."""
from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from lrs.errors import StoreUnavailable
from lrs.statements.record import Added, Page, Prepared, Query, Record
from lrs.store.protocols.statements import Same
from lrs.store.sqlite import clock, postings, references, requests, rows, waiting
from lrs.store.sqlite.clock import Clock, Ticks
from lrs.store.sqlite.commit import GroupCommit
from lrs.store.sqlite.database import Database
from lrs.store.sqlite.examined import StatementsExamined

FEW = 1_000
"""Statements that are counted by walking over them."""
SCRIPTS = tuple(";".join(scripts) for scripts in zip(rows.SCRIPTS, postings.SCRIPTS, references.SCRIPTS, clock.SCRIPTS, strict=True))


class SqliteStatements(StatementsExamined):
    """`lrs.store.protocols.statements.Statements` on SQLite, and what the worker does for it between requests."""

    def __init__(self, database: Database, ticks: Ticks | None = None) -> None:
        self._database = database
        self._clock = Clock(ticks)
        self._commits = GroupCommit(database, self._clock)
        self._merge = postings.Merge(database)
        self._term_key: bytes | None = None

    def migrate(self) -> None:
        """Create the tables and the key of the terms where they are missing."""
        self._database.migrate("statements", SCRIPTS)
        self._database.migrate("statements_request", requests.SCRIPTS)
        self._database.migrate("terms_waiting", waiting.SCRIPTS)

    @property
    def term_key(self) -> bytes:
        """The 16-byte key of the term hashes."""
        if self._term_key is None:
            with self._database.read() as db:
                self._term_key = db.execute("SELECT key FROM term_key").fetchone()[0]
        return self._term_key

    def add(self, batch: Sequence[Prepared], same: Same) -> list[Added]:
        """Store all or none, durable on return, in order. Raises `Conflict`, `Forbidden`, `StoreUnavailable`."""
        if not batch:
            return []
        return self._commits.run(batch, same)

    def get(self, statement_id: str, *, voided: bool = False) -> Record | None:
        """The statement with this id that is (not) voided; None if there is none."""
        with self._database.read() as db:
            row = db.execute(f"SELECT {rows.COLUMNS} FROM statements WHERE id = ? AND voided = ?",
                             (rows.key(statement_id), voided)).fetchone()
        return None if row is None else rows.record(row)

    def requests(self, statement_ids: Sequence[str]) -> dict[str, str]:
        """The id of the request that brought each of these statements, without those of which it is not known."""
        with self._database.read() as db:
            return requests.of(db, statement_ids)

    def page(self, query: Query) -> Page:
        """Not-voided records that match, newest first or ascending; up to consistent-through only.

        After 100 000 looks into the index the page ends early, perhaps empty, with a `more`.
        """
        with self._snapshot() as (db, through):
            return _page(db, query, through)

    def follow(self, after: int, n: int) -> list[Record]:
        """At most n records (voided ones included) with seq > after, oldest first, up to consistent-through."""
        with self._snapshot() as (db, through):
            found = db.execute(f"SELECT {rows.COLUMNS} FROM statements WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
                               (after, through, n)).fetchall()
        return [rows.record(row) for row in found]

    def bearing(self, terms: Sequence[int], after: int, until: int, n: int) -> list[Record]:
        """At most n records (voided ones included) with after < seq ≤ until that have one of these terms of their own,
        oldest first. Costs a look into the index a term, found or not."""
        with self._database.read() as db:
            seqs = postings.any_of(db, terms, after, until, n)
            found = db.execute(f"SELECT {rows.COLUMNS} FROM statements WHERE seq IN ({', '.join('?' * len(seqs))}) ORDER BY seq", seqs)
            return [rows.record(row) for row in found]

    def consistent_through(self) -> int:
        """µs: every record with seq ≤ it is visible now and none can appear later."""
        with self._snapshot() as (_, through):
            return through

    @contextmanager
    def _snapshot(self) -> Iterator[tuple[sqlite3.Connection, int]]:
        """A snapshot and what it is consistent through.

        The order decides: first the clock, then a look whether anybody writes, then the snapshot. Nobody writing, all
        that was drawn before the clock was read has been committed, and the snapshot sees it. Somebody writing may
        have drawn a seq and not committed it: then only what is seen is certain.
        """
        # while somebody writes the clock says nothing, and to ask it may have to wait for him
        idle = not self._database.reading() and self._database.idle()
        now = self._now() if idle else 0
        idle = idle and self._database.idle()
        with self._database.read() as db:
            seen = rows.highest(db)
            yield db, max(seen, now - 1) if idle else seen

    def _now(self) -> int:
        with self._database.read() as db:
            now = self._clock.peek(db)
            ceiling = self._clock.ceiling(db)
        if now is not None:
            return now
        try:
            with self._database.write() as db:
                return self._clock.advance(db)
        except StoreUnavailable:
            # a full or read-only disk still answers reads: it just promises nothing new
            return ceiling

    def last_seq(self) -> int:
        """The seq of the newest statement, 0 if there is none."""
        with self._database.read() as db:
            return int(db.execute("SELECT coalesce(max(seq), 0) FROM statements").fetchone()[0])

    def count_after(self, seq: int) -> int:
        """How many statements have a seq above this one."""
        with self._database.read() as db:
            few = db.execute("SELECT count(*) FROM (SELECT 1 FROM statements WHERE seq > ? LIMIT ?)", (seq, FEW)).fetchone()[0]
            if few == FEW:
                # a walk over very many rows reads all their text, where the index of ids has only ids and seqs
                few = db.execute("SELECT count(*) FROM statements INDEXED BY statements_by_id WHERE seq > ?", (seq,)).fetchone()[0]
            return int(few)

    def count(self) -> int:
        """How many statements are stored, voided ones included."""
        with self._database.read() as db:
            return int(db.execute("SELECT count(*) FROM statements").fetchone()[0])

    def data_version(self) -> int:
        """A number that changes when another connection has committed; costs microseconds."""
        return self._database.data_version()

    def index_postings(self) -> int:
        """Write a slice of the index of new statements; of how many, 0 when none wait."""
        return self._merge.index()

    def merge_postings(self, max_rows: int = 5_000) -> int:
        """Write a slice of the index of new statements, and move at most this many recent rows of it into the large index; returns
        how many, 0 when all are there."""
        return self._merge.run(max_rows)

    def do_shadow_todo(self, pairs: int = 500) -> bool:
        """Write a slice of the index rows of references that a request left over; False when nothing is left."""
        with self._database.write() as db:
            return references.catch_up(db, pairs)

    def checkpoint(self) -> int:
        """Move the write-ahead log into the file; call about once a second. Returns the pages still waiting."""
        return self._database.checkpoint()


def _page(db: sqlite3.Connection, query: Query, through: int) -> Page:
    low = 0 if query.since is None else query.since + 1
    high = through if query.until is None else min(query.until, through)
    if query.after is not None:
        low, high = (max(low, query.after + 1), high) if query.ascending else (low, min(high, query.after - 1))
    step, at = (1, low) if query.ascending else (-1, high)
    budget = postings.Budget(postings.PROBES)
    walk = postings.Walk(db, query.terms, query.ascending, budget) if query.terms else _Log(db, query.ascending, budget)
    records: list[Record] = []
    while low <= at <= high:
        seq = walk.seek(at)
        if seq is None or not low <= seq <= high:
            return Page(records, walk.reached, through)
        record = rows.record(db.execute(f"SELECT {rows.COLUMNS} FROM statements WHERE seq = ?", (seq,)).fetchone())
        if not record.voided and query.credential_id in (None, record.credential_id):
            if len(records) == query.limit:
                return Page(records, records[-1].seq, through)
            records.append(record)
        if budget.left <= 0:
            return Page(records, seq, through)
        at = seq + step
    return Page(records, None, through)


class _Log:
    """All statements in order: what a page without filters walks."""

    reached: int | None = None

    def __init__(self, db: sqlite3.Connection, ascending: bool, budget: postings.Budget) -> None:
        way, order = (">=", "ASC") if ascending else ("<=", "DESC")
        self._sql = f"SELECT seq FROM statements WHERE seq {way} ? ORDER BY seq {order} LIMIT 1"
        self._db, self._budget = db, budget

    def seek(self, seq: int) -> int | None:
        """The first seq at or after this one in walking order."""
        self._budget.left -= 1
        row = self._db.execute(self._sql, (seq,)).fetchone()
        return None if row is None else int(row[0])
