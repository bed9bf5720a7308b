"""work.db as one object: cursors, achievements, feed, deliveries and targets; consumers advance in one write."""
from __future__ import annotations

import sqlite3

from lrs.store.protocols.work import Advanced, Cursor, Output, Published
from lrs.store.sqlite import achievements, deliveries, feed, targets
from lrs.store.sqlite.achievements import SqliteAchievements
from lrs.store.sqlite.database import Database
from lrs.store.sqlite.deliveries import SqliteDeliveries
from lrs.store.sqlite.feed import SqliteFeed
from lrs.store.sqlite.targets import SqliteTargets

SCRIPTS = (
    "CREATE TABLE cursors (consumer TEXT PRIMARY KEY, seq INTEGER NOT NULL, change INTEGER NOT NULL) WITHOUT ROWID;",
)


class SqliteWork(SqliteAchievements, SqliteFeed, SqliteDeliveries, SqliteTargets):
    """All protocols of the worker's file on SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def migrate(self) -> None:
        """Create the tables where they are missing."""
        for name, scripts in (
            ("work", SCRIPTS),
            ("feed", feed.SCRIPTS),
            ("targets", targets.SCRIPTS),
            ("achievements", achievements.SCRIPTS),
            ("deliveries", deliveries.SCRIPTS),
        ):
            self._database.migrate(name, scripts)

    def cursor(self, consumer: str) -> Cursor:
        """Where this consumer stands; zeros if it never ran."""
        with self._database.read() as db:
            return _cursor(db, consumer)

    def advance(self, consumer: str, expected: Cursor, new: Cursor, output: Output, now_us: int) -> Advanced:
        """Write output and cursor in one transaction, if the cursor still is `expected`."""
        with self._database.write() as db:
            if _cursor(db, consumer) != expected:
                return Advanced(False)
            for subject in output.forgotten:
                achievements.forget(db, subject)
            for write in output.states:
                achievements.write_state(db, write)
            for publication in output.held:
                achievements.hold(db, publication)
            cancelled = deliveries.cancel_parked(db, output.cancelled, now_us)
            published, made = 0, 0
            receivers = _receivers(db)
            for each in output.publications:
                if not feed.publish(db, each.publication):
                    continue
                published += 1
                for name in _owed(receivers, each):
                    created, ended = deliveries.create(db, each.publication, name, now_us)
                    made, cancelled = made + created, cancelled + ended
            deliveries.release_parked(db, "subject", output.released_subjects, now_us)
            deliveries.release_parked(db, "course", output.released_courses, now_us)
            db.execute("INSERT OR REPLACE INTO cursors VALUES (?, ?, ?)", (consumer, new.seq, new.change))
        return Advanced(True, published, made, cancelled)

    def data_version(self) -> int:
        """A number that changes when another connection has committed to this file."""
        return self._database.data_version()


def _cursor(db: sqlite3.Connection, consumer: str) -> Cursor:
    row = db.execute("SELECT seq, change FROM cursors WHERE consumer = ?", (consumer,)).fetchone()
    return Cursor(*row) if row else Cursor()


def _receivers(db: sqlite3.Connection) -> dict[str, str]:
    """The provider each receiver sends statements as ('' for none), by name."""
    rows = db.execute("SELECT name, coalesce(json_extract(settings, '$.source'), '') FROM targets WHERE state != 'disabled' ORDER BY name")
    return dict(rows.fetchall())


def _owed(receivers: dict[str, str], published: Published) -> list[str]:
    return [name for name, source in receivers.items() if not source or set(published.sources) != {source}]
