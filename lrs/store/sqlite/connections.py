"""Connections, in statements.db."""
from __future__ import annotations

import builtins
import json
import time
from collections.abc import Mapping
from typing import Any

from lrs.store.protocols.connections import Connection
from lrs.store.sqlite.database import Database

SCRIPTS = (
    """CREATE TABLE connections (name TEXT PRIMARY KEY, source TEXT NOT NULL, credential TEXT NOT NULL, settings TEXT NOT NULL,
         state TEXT NOT NULL, created INTEGER NOT NULL) WITHOUT ROWID""",
)
ROW = "SELECT name, source, credential, settings, state, created FROM connections"


class SqliteConnections:
    """`lrs.store.protocols.connections.Connections` on SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def migrate(self) -> None:
        """Create the table where it is missing."""
        self._database.migrate("connections", SCRIPTS)

    def create(self, connection: Connection) -> bool:
        """Store it; False if its name is taken."""
        with self._database.write() as db:
            return db.execute("INSERT OR IGNORE INTO connections VALUES (?, ?, ?, ?, ?, ?)",
                              (connection.name, connection.source, connection.credential, json.dumps(dict(connection.settings)),
                               connection.state, time.time_ns() // 1000)).rowcount == 1

    def by_name(self, name: str) -> Connection | None:
        """The connection of this name."""
        with self._database.read() as db:
            row = db.execute(f"{ROW} WHERE name = ?", (name,)).fetchone()
        return _connection(row) if row else None

    def list(self) -> builtins.list[Connection]:
        """All of them, by name."""
        with self._database.read() as db:
            return [_connection(row) for row in db.execute(f"{ROW} ORDER BY name")]

    def change(self, name: str, *, settings: Mapping[str, Any] | None = None, state: str | None = None,
               before: Mapping[str, Any] | None = None) -> bool:
        """Replace its settings, its state, or both; False if there is none, or if its settings are not `before` any more,
        where that is given: somebody else has changed them since they were read."""
        with self._database.write() as db:
            found = db.execute("SELECT settings FROM connections WHERE name = ?", (name,)).fetchone()
            if found is None or (before is not None and json.loads(found[0]) != dict(before)):
                return False
            return db.execute("UPDATE connections SET settings = coalesce(?, settings), state = coalesce(?, state) WHERE name = ?",
                              (None if settings is None else json.dumps(dict(settings)), state, name)).rowcount == 1


def _connection(row: tuple[Any, ...]) -> Connection:
    name, source, credential, settings, state, created = row
    return Connection(name, source, credential, json.loads(settings), state, created)
