"""Heartbeats, in work.db."""
from __future__ import annotations

import builtins
from collections.abc import Mapping

from lrs.store.protocols.heartbeats import KEPT_US, Heartbeat
from lrs.store.sqlite.database import Database

SCRIPTS = (
    """CREATE TABLE heartbeats (consumer TEXT NOT NULL, worker TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (consumer, worker))
         WITHOUT ROWID""",
)


class SqliteHeartbeats:
    """`lrs.store.protocols.heartbeats.Heartbeats` on SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def migrate(self) -> None:
        """Create the table where it is missing."""
        self._database.migrate("heartbeats", SCRIPTS)

    def beat(self, worker: str, seen: Mapping[str, int]) -> None:
        """Keep the latest time of each; forget workers that are long gone."""
        if not seen:
            return
        with self._database.write() as db:
            db.executemany("""INSERT INTO heartbeats VALUES (?, ?, ?)
                              ON CONFLICT (consumer, worker) DO UPDATE SET at = max(at, excluded.at)""",
                           [(consumer, worker, at) for consumer, at in seen.items()])
            db.execute("DELETE FROM heartbeats WHERE at < ?", (max(seen.values()) - KEPT_US,))

    def list(self) -> builtins.list[Heartbeat]:
        """All of them, by consumer, the latest first."""
        with self._database.read() as db:
            return [Heartbeat(*row) for row in
                    db.execute("SELECT worker, consumer, at FROM heartbeats ORDER BY consumer, at DESC, worker")]
