"""Live sessions, in work.db."""
from __future__ import annotations

import builtins
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from typing import Any

import orjson

from lrs.store.protocols.sessions import SessionRow
from lrs.store.sqlite.database import Database

CONSUMER = "sessions"
SCRIPTS = (
    """CREATE TABLE sessions (connection TEXT NOT NULL, instance TEXT NOT NULL, revision INTEGER NOT NULL, last INTEGER, due INTEGER,
         poll_due INTEGER, body BLOB NOT NULL, PRIMARY KEY (connection, instance)) WITHOUT ROWID;
       CREATE INDEX sessions_due ON sessions (due) WHERE due IS NOT NULL;
       CREATE INDEX sessions_poll_due ON sessions (poll_due) WHERE poll_due IS NOT NULL;
       CREATE TABLE session_cursor (one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL);
       CREATE TABLE session_searches (connection TEXT PRIMARY KEY, due INTEGER NOT NULL, why TEXT NOT NULL) WITHOUT ROWID""",
)
ROW = "SELECT body, revision FROM sessions"


class SqliteSessions:
    """`lrs.store.protocols.sessions.Sessions` on SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def migrate(self) -> None:
        """Create the tables where they are missing."""
        self._database.migrate(CONSUMER, SCRIPTS)

    def cursor(self) -> int:
        """The seq of the last statement that the rows know of."""
        with self._database.read() as db:
            return _cursor(db)

    def advance(self, was: int, now: int, rows: Sequence[SessionRow]) -> bool:
        """Rows and cursor in one write; False if either has moved."""
        with self._database.write() as db:
            if _cursor(db) != was or not all(_unmoved(db, row) for row in rows):
                return False
            for row in rows:
                _write(db, row)
            db.execute("INSERT OR REPLACE INTO session_cursor VALUES (1, ?)", (now,))
            return True

    def rows(self, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], SessionRow]:
        """Those that there are."""
        with self._database.read() as db:
            found = {key: db.execute(f"{ROW} WHERE connection = ? AND instance = ?", key).fetchone() for key in set(keys)}
        return {key: _row(row) for key, row in found.items() if row}

    def put(self, row: SessionRow) -> bool:
        """Replace it; False if it was written since it was read."""
        with self._database.write() as db:
            if not _unmoved(db, row):
                return False
            _write(db, row)
            return True

    def due(self, now: int, n: int) -> builtins.list[SessionRow]:
        """Those to conclude by now."""
        return self._list("WHERE due <= ? ORDER BY due, connection, instance LIMIT ?", now, n)

    def poll_due(self, now: int, n: int) -> builtins.list[SessionRow]:
        """Those whose report is to be fetched by now."""
        return self._list("WHERE poll_due <= ? ORDER BY poll_due, connection, instance LIMIT ?", now, n)

    def list(self, connection: str = "", limit: int = 100) -> builtins.list[SessionRow]:
        """The latest first."""
        return self._list("WHERE ? IN ('', connection) ORDER BY last DESC, connection, instance LIMIT ?", connection, limit)

    def search_due(self, connection: str) -> int:
        """When the vendor is to be asked next which meetings there were."""
        with self._database.read() as db:
            return _search(db, connection)

    def searched(self, connection: str, was: int, due: int, why: str = "") -> bool:
        """Set that time; False if another worker did."""
        with self._database.write() as db:
            if _search(db, connection) != was:
                return False
            db.execute("INSERT OR REPLACE INTO session_searches VALUES (?, ?, ?)", (connection, due, why))
            return True

    def _list(self, rest: str, *values: Any) -> builtins.list[SessionRow]:
        with self._database.read() as db:
            return [_row(row) for row in db.execute(f"{ROW} {rest}", values)]


def _row(row: tuple[bytes, int]) -> SessionRow:
    return SessionRow(**{**orjson.loads(row[0]), "revision": row[1]})


def _unmoved(db: sqlite3.Connection, row: SessionRow) -> bool:
    found = db.execute("SELECT revision FROM sessions WHERE connection = ? AND instance = ?", (row.connection, row.instance)).fetchone()
    return (int(found[0]) if found else 0) == row.revision


def _write(db: sqlite3.Connection, row: SessionRow) -> None:
    new = replace(row, revision=row.revision + 1)
    db.execute("INSERT OR REPLACE INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?)",
               (row.connection, row.instance, new.revision, row.last, row.due, row.poll_due, orjson.dumps(asdict(new))))


def _cursor(db: sqlite3.Connection) -> int:
    row = db.execute("SELECT seq FROM session_cursor").fetchone()
    return int(row[0]) if row else 0


def _search(db: sqlite3.Connection, connection: str) -> int:
    row = db.execute("SELECT due FROM session_searches WHERE connection = ?", (connection,)).fetchone()
    return int(row[0]) if row else 0
