"""Definitions of activities, in statements.db."""
from __future__ import annotations

from collections.abc import Mapping, Sequence

from lrs.statements.definitions import Known
from lrs.store.sqlite.database import Database

SCRIPTS = (
    """CREATE TABLE definitions (activity TEXT PRIMARY KEY, official BLOB NOT NULL, others BLOB NOT NULL);
       CREATE TABLE definitions_cursor (one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL);
       INSERT INTO definitions_cursor VALUES (1, 0)""",
)
AMONG = 500
"""Activities looked up at once."""


class SqliteDefinitions:
    """`lrs.store.protocols.definitions.Definitions` on SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def migrate(self) -> None:
        """Create the tables where they are missing."""
        self._database.migrate("definitions", SCRIPTS)

    def of(self, activities: Sequence[str]) -> tuple[int, dict[str, Known]]:
        """The cursor, and what is known of these activities."""
        found: dict[str, Known] = {}
        with self._database.read() as db:
            cursor = int(db.execute("SELECT seq FROM definitions_cursor").fetchone()[0])
            for start in range(0, len(activities), AMONG):
                some = activities[start:start + AMONG]
                rows = db.execute(f"SELECT activity, official, others FROM definitions WHERE activity IN ({','.join('?' * len(some))})",
                                  some)
                found |= {name: Known(bytes(official), bytes(others)) for name, official, others in rows}
        return cursor, found

    def learn(self, known: Mapping[str, Known], after: int, through: int) -> bool:
        """Put these in place and the cursor forward, in one write."""
        with self._database.write() as db:
            if db.execute("UPDATE definitions_cursor SET seq = ? WHERE seq = ?", (through, after)).rowcount != 1:
                return False
            db.executemany("INSERT OR REPLACE INTO definitions VALUES (?, ?, ?)",
                           [(name, one.official, one.others) for name, one in known.items()])
            return True
