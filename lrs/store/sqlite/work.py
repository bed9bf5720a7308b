"""work.db as one object: cursors, achievements and feed here; deliveries and targets beside it."""
from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Sequence

from lrs.store.protocols.work import Cursor, FeedRow, Output, Published, StateRow, fingerprint
from lrs.store.sqlite import clock, deliveries, targets
from lrs.store.sqlite.clock import Clock, Ticks
from lrs.store.sqlite.database import Database
from lrs.store.sqlite.deliveries import Deliveries
from lrs.store.sqlite.examined import WorkExamined
from lrs.store.sqlite.targets import Targets

log = logging.getLogger("store.work")
SCRIPTS = (
    """CREATE TABLE cursors (consumer TEXT PRIMARY KEY, seq INTEGER NOT NULL, change INTEGER NOT NULL) WITHOUT ROWID;
       CREATE TABLE states (subject TEXT NOT NULL, course TEXT NOT NULL, body BLOB NOT NULL, held INTEGER NOT NULL,
         PRIMARY KEY (subject, course)) WITHOUT ROWID;
       CREATE INDEX states_held ON states (held) WHERE held = 1;
       CREATE TABLE feed (n INTEGER PRIMARY KEY, event_id TEXT NOT NULL, revision INTEGER NOT NULL, event TEXT NOT NULL,
         body BLOB NOT NULL, UNIQUE (event_id, revision))""",
)


class SqliteWork(Deliveries, Targets, WorkExamined):
    """`lrs.store.protocols.work.Work` on SQLite."""

    def __init__(self, database: Database, ticks: Ticks | None = None) -> None:
        self._database = database
        self._leases = Clock(ticks, follows=False)

    def migrate(self) -> None:
        """Create the tables where they are missing."""
        self._database.migrate("work", SCRIPTS)
        self._database.migrate("deliveries", deliveries.SCRIPTS)
        self._database.migrate("targets", targets.SCRIPTS)
        self._database.migrate("clock", clock.SCRIPTS)

    def cursor(self, consumer: str) -> Cursor:
        """Where the consumer stands."""
        with self._database.read() as db:
            return _cursor(db, consumer)

    def advance(self, consumer: str, was: Cursor, now: Cursor, output: Output) -> bool:
        """Output and cursor in one write; False if the cursor is not `was` any more."""
        created = time.time_ns() // 1000
        with self._database.write() as db:
            if any(_cursor(db, name) != cursor for name, cursor in ((consumer, was), *output.fences)) or not _stands(db, output):
                return False
            for state in output.states:
                if state.body is None:
                    db.execute("DELETE FROM states WHERE subject = ? AND course = ?", (state.subject, state.course))
                else:
                    row = (state.subject, state.course, state.body, state.held)
                    db.execute("INSERT OR REPLACE INTO states VALUES (?, ?, ?, ?)", row)
            for event_id in output.cancelled:
                deliveries.cancel_unsent(db, event_id)
            refused = _publish(db, output.published)
            for index, target in output.owed:
                if index not in refused:
                    deliveries.owe(db, target, output.published[index], created)
            for kind, key in output.released:
                deliveries.release_parked(db, kind, key, created)
            db.execute("INSERT OR REPLACE INTO cursors VALUES (?, ?, ?)", (consumer, now.seq, now.change))
            return True

    def states(self, subjects: Sequence[str]) -> list[StateRow]:
        """Everything known of these subjects."""
        with self._database.read() as db:
            return [state for wanted in dict.fromkeys(subjects) for state in _states(db, wanted)]

    def last_published(self, event_id: str) -> Published | None:
        """What the feed last said of this achievement; None where it has no row of it."""
        with self._database.read() as db:
            row = db.execute("SELECT event, revision, body FROM feed WHERE event_id = ? ORDER BY revision DESC LIMIT 1",
                             (event_id,)).fetchone()
        return Published(row[0], event_id, row[1], bytes(row[2])) if row else None

    def holders(self, seq: int) -> list[str]:
        """The subjects for whom the statement with this seq is evidence; looks at every state (about 1 s a gigabyte)."""
        with self._database.read() as db:
            return [subject for (subject,) in db.execute("SELECT DISTINCT subject FROM states WHERE instr(body, ?) ORDER BY subject",
                                                         (b'{"seq":%d,' % seq,))]

    def subjects(self, prefix: str, limit: int) -> list[str]:
        """At most `limit` subjects of whom something is known and whose key begins so, in order."""
        with self._database.read() as db:
            return [subject for (subject,) in db.execute(
                "SELECT DISTINCT subject FROM states WHERE subject >= ? AND subject < ? ORDER BY subject LIMIT ?",
                (prefix, prefix + "\U0010ffff", limit))]

    def held(self, limit: int = 100) -> list[StateRow]:
        """States with an achievement that waits for a person."""
        with self._database.read() as db:
            return [StateRow(s, c, bytes(body), True) for s, c, body, _ in
                    db.execute("SELECT * FROM states WHERE held = 1 ORDER BY subject, course LIMIT ?", (limit,))]

    def count_held(self) -> int:
        """How many there are."""
        with self._database.read() as db:
            return int(db.execute("SELECT count(*) FROM states WHERE held = 1").fetchone()[0])

    def feed(self, after: int, limit: int) -> list[FeedRow]:
        """At most `limit` rows with n > after, oldest first."""
        with self._database.read() as db:
            return [FeedRow(n, bytes(body)) for n, body in
                    db.execute("SELECT n, body FROM feed WHERE n > ? ORDER BY n LIMIT ?", (after, limit))]

    def feed_length(self) -> int:
        """The number of the last row of the feed: rows are numbered without a gap."""
        with self._database.read() as db:
            return int(db.execute("SELECT coalesce(max(n), 0) FROM feed").fetchone()[0])

    def data_version(self) -> int:
        """Changes when another connection has committed to work.db."""
        return self._database.data_version()


def _cursor(db: sqlite3.Connection, consumer: str) -> Cursor:
    row = db.execute("SELECT seq, change FROM cursors WHERE consumer = ?", (consumer,)).fetchone()
    return Cursor(*row) if row else Cursor()


def _states(db: sqlite3.Connection, wanted: str) -> list[StateRow]:
    return [StateRow(subject, course, bytes(body), bool(held)) for subject, course, body, held in
            db.execute("SELECT * FROM states WHERE subject = ? ORDER BY course", (wanted,))]


def _stands(db: sqlite3.Connection, output: Output) -> bool:
    """Whether what was loaded and heard is so still."""
    revision = "SELECT coalesce(max(revision), 0) FROM feed WHERE event_id = ?"
    return (all(fingerprint(_states(db, subject)) == loaded for subject, loaded in output.loaded.items())
            and all(db.execute(revision, (event_id,)).fetchone()[0] == heard for event_id, heard in output.heard.items()))


def _publish(db: sqlite3.Connection, published: Sequence[Published]) -> set[int]:
    """Append to the feed, numbered without a gap; the indices of those whose revision stands there already."""
    (n,) = db.execute("SELECT coalesce(max(n), 0) FROM feed").fetchone()
    refused: set[int] = set()
    for index, one in enumerate(published):
        written = db.execute("INSERT OR IGNORE INTO feed VALUES (?, ?, ?, ?, ?)",
                             (n + 1, one.event_id, one.revision, one.event, one.body)).rowcount
        if written:
            n += 1
            continue
        # to raise would stop the worker at this statement for ever; what was published is never published otherwise
        refused.add(index)
        log.error("revision %d of achievement %s is in the feed already: the first stands, the second is not sent",
                  one.revision, one.event_id)
    return refused
