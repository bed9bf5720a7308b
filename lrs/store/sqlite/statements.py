"""The log of statements in statements.db: added in group commits, found by index terms, followed in order."""
from __future__ import annotations

import secrets
import sqlite3
import struct
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property

from lrs.errors import Conflict, Forbidden, StoreUnavailable
from lrs.statements.record import Added, Page, Prepared, Query, Record
from lrs.store.protocols.statements import Same
from lrs.store.sqlite import clock, postings
from lrs.store.sqlite.clock import Clock
from lrs.store.sqlite.database import Database

SCRIPTS = (
    """CREATE TABLE statements (seq INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, text BLOB NOT NULL, reading BLOB NOT NULL,
         credential TEXT NOT NULL, provider TEXT NOT NULL, target BLOB, voids BLOB, voided INTEGER NOT NULL DEFAULT 0,
         effective INTEGER NOT NULL DEFAULT 0, any_provider INTEGER NOT NULL DEFAULT 0, terms BLOB NOT NULL);
       CREATE INDEX statements_target ON statements (target, seq) WHERE target IS NOT NULL;
       CREATE TABLE term_key (one INTEGER PRIMARY KEY CHECK (one = 1), key BLOB NOT NULL)""",
)
COLUMNS = "seq, id, text, reading, credential, provider, target, voids, voided, effective"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
GROUP = 64
"""Requests at most in one commit."""


@dataclass(slots=True)
class _Waiting:
    batch: Sequence[Prepared]
    same: Same
    done: threading.Event = field(default_factory=threading.Event)
    added: list[Added] | None = None
    error: Exception | None = None


class SqliteStatements:
    """`lrs.store.protocols.statements.Statements` on SQLite."""

    def __init__(self, database: Database, sources: clock.Sources = clock.SYSTEM) -> None:
        self._database = database
        self._clock = Clock(sources)
        self._queue: list[_Waiting] = []
        self._queue_lock = threading.Lock()
        self._leading = threading.Lock()

    def migrate(self) -> None:
        """Create the tables and the term key where they are missing."""
        self._database.migrate("clock", clock.SCRIPTS)
        self._database.migrate("statements", SCRIPTS)
        self._database.migrate("postings", postings.SCRIPTS)
        with self._database.write() as db:
            db.execute("INSERT OR IGNORE INTO term_key VALUES (1, ?)", (secrets.token_bytes(16),))

    @cached_property
    def term_key(self) -> bytes:
        """The key of the term hashes."""
        with self._database.read() as db:
            return bytes(db.execute("SELECT key FROM term_key").fetchone()[0])

    def add(self, batch: Sequence[Prepared], same: Same) -> list[Added]:
        """Store all or none, durable on return. Requests that wait while one commits are committed together by the
        first of them; the conflict of one never fails another."""
        if not batch:
            return []
        mine = _Waiting(batch, same)
        with self._queue_lock:
            self._queue.append(mine)
        with self._leading:
            if not mine.done.is_set():
                with self._queue_lock:
                    group, self._queue = self._queue[:GROUP], self._queue[GROUP:]
                self._commit(group)
        if not mine.done.is_set():  # a group larger than GROUP: a later leader took it, or nobody did yet
            with self._leading:
                if not mine.done.is_set():
                    with self._queue_lock:
                        self._queue.remove(mine)
                    self._commit([mine])
        if mine.error is not None:
            raise mine.error
        assert mine.added is not None
        return mine.added

    def _commit(self, group: list[_Waiting]) -> None:
        try:
            with self._database.write() as db:
                last = self._last(db)
                for waiting in group:
                    db.execute("SAVEPOINT request")
                    try:
                        waiting.added, last = self._add(db, waiting, last)
                    except (Conflict, Forbidden) as refused:
                        waiting.error = refused
                        db.execute("ROLLBACK TO request")
                    db.execute("RELEASE request")
                self._clock.keep_above(db, last)
        except Exception as error:
            failed = error if isinstance(error, StoreUnavailable) else StoreUnavailable(error)
            for waiting in group:
                waiting.error = failed
            if not isinstance(error, StoreUnavailable | sqlite3.Error):
                raise
        finally:
            for waiting in group:
                waiting.done.set()

    @staticmethod
    def _last(db: sqlite3.Connection) -> int:
        return int(db.execute("SELECT coalesce(max(seq), 0) FROM statements").fetchone()[0])

    def _add(self, db: sqlite3.Connection, waiting: _Waiting, last: int) -> tuple[list[Added], int]:
        added = []
        for index, one in enumerate(waiting.batch):
            key = uuid.UUID(one.id).bytes
            stored = db.execute("SELECT seq, text FROM statements WHERE id = ?", (key,)).fetchone()
            if stored:
                if not waiting.same(bytes(stored[1]), one.raw):
                    raise Conflict(index, one.id, bytes(stored[1]))
                added.append(Added(one.id, stored[0], repeated=True))
                continue
            last = max(self._clock.draw(db), last + 1)
            self._insert(db, one, key, last)
            added.append(Added(one.id, last))
        return added, last

    def _insert(self, db: sqlite3.Connection, one: Prepared, key: bytes, seq: int) -> None:
        text = printed(seq).join(one.parts)
        target = uuid.UUID(one.target).bytes if one.target else None
        voids = uuid.UUID(one.voids).bytes if one.voids else None
        voided = self._voided_before(db, one, key)
        effective = self._void(db, one, voids) if voids else False
        db.execute(
            f"INSERT INTO statements ({COLUMNS}, any_provider, terms) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
            (seq, key, text, one.reading, one.credential_id, one.provider, target, voids, voided, effective,
             one.may_void_any, struct.pack(f"<{len(one.terms)}q", *one.terms)))
        postings.write(db, seq, key, one.terms, target)

    @staticmethod
    def _voided_before(db: sqlite3.Connection, one: Prepared, key: bytes) -> int:
        """The seq of a void that arrived before this, its target, and may void it; 0 if there is none."""
        if one.voids:
            return 0
        for seq, provider, any_provider in db.execute(
                "SELECT seq, provider, any_provider FROM statements WHERE target = ? AND voids IS NOT NULL ORDER BY seq", (key,)):
            if any_provider or provider == one.provider:
                db.execute("UPDATE statements SET effective = 1 WHERE seq = ?", (seq,))
                return int(seq)
        return 0

    @staticmethod
    def _void(db: sqlite3.Connection, one: Prepared, voids: bytes) -> bool:
        """Mark the target voided; False where it is not here yet, or is a voiding statement (xAPI 1.0.3 Data 2.3.2).
        The target's `voided` becomes 1 more than nothing: it is set once. Raises `Forbidden`."""
        row = db.execute("SELECT seq, provider, voids FROM statements WHERE id = ?", (voids,)).fetchone()
        if row is None or row[2] is not None:
            return False
        if not one.may_void_any and row[1] != one.provider:
            raise Forbidden("this statement belongs to another provider; voiding it needs the scope statements/void or all")
        db.execute("UPDATE statements SET voided = 1 WHERE seq = ? AND voided = 0", (row[0],))
        return True

    def get(self, statement_id: str, *, voided: bool = False) -> Record | None:
        """The statement with this id that is (not) voided."""
        with self._database.read() as db:
            row = db.execute(f"SELECT {COLUMNS} FROM statements WHERE id = ? AND (voided > 0) = ?",
                             (uuid.UUID(statement_id).bytes, voided)).fetchone()
        return _record(row) if row else None

    def page(self, query: Query) -> Page:
        """Not-voided records that match, up to consistent-through only."""
        with self._seen() as (db, through):
            seqs, more = postings.walk(db, query, through)
            rows = [db.execute(f"SELECT {COLUMNS} FROM statements WHERE seq = ?", (seq,)).fetchone() for seq in seqs]
        return Page([_record(row) for row in rows], more, through)

    def follow(self, after: int, n: int) -> list[Record]:
        """At most n records with seq > after, oldest first, up to consistent-through."""
        with self._seen() as (db, through):
            rows = db.execute(f"SELECT {COLUMNS} FROM statements WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
                              (after, through, n)).fetchall()
        return [_record(row) for row in rows]

    def consistent_through(self) -> int:
        """µs: every record with seq ≤ it is visible now and none can appear later."""
        with self._seen() as (_, through):
            return through

    @contextmanager
    def _seen(self) -> Iterator[tuple[sqlite3.Connection, int]]:
        """A snapshot, and the time it is complete to.

        The clock is read, then the writer lock is tried, then the snapshot is opened: a seq is drawn milliseconds
        before its COMMIT lands. With a writer at work the highest seq seen is the answer: whatever comes is higher.
        """
        with self._database.read() as db:
            now = self._clock.peek(db)
        free = self._database.nobody_writes()
        with self._database.read() as db:
            last = self._last(db)
            yield db, max(now - 1, last) if free else last

    def count(self) -> int:
        """How many statements are stored."""
        with self._database.read() as db:
            return int(db.execute("SELECT count(*) FROM statements").fetchone()[0])

    def merge_postings(self, max_rows: int = 2000) -> int:
        """Move rows of the young index into the main one, in one short transaction; returns how many."""
        with self._database.write() as db:
            return postings.merge(db, max_rows)

    def do_shadow_todo(self, max_rows: int = 500) -> int:
        """Write reference rows that a request left over; returns how many referrers were done."""
        with self._database.write() as db:
            return postings.do_todo(db, max_rows)

    def data_version(self) -> int:
        """Changes when another connection has committed to statements.db."""
        return self._database.data_version()

    def checkpoint(self) -> None:
        """Move the WAL into the file, without waiting for readers."""
        self._database.checkpoint()


def printed(seq: int) -> bytes:
    """`stored` as it is printed: ISO 8601, UTC, six digits."""
    return (EPOCH + timedelta(microseconds=seq)).strftime("%Y-%m-%dT%H:%M:%S.%fZ").encode()


def _record(row: tuple) -> Record:  # type: ignore[type-arg]
    seq, key, text, reading, credential, provider, target, voids, voided, effective = row
    return Record(str(uuid.UUID(bytes=key)), seq, bytes(text), bytes(reading), credential, provider,
                  str(uuid.UUID(bytes=target)) if target else None, str(uuid.UUID(bytes=voids)) if voids else None,
                  bool(voided), bool(effective))

