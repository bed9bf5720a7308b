"""Payloads of outside sources, in payloads.db: a file of its own, so that they never wait for statements nor these for them."""
from __future__ import annotations

import builtins
import hashlib
import time
from typing import Any

from lrs.store.protocols.payloads import Payload
from lrs.store.sqlite.database import Database

SCRIPTS = (
    """CREATE TABLE payloads (n INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, connection TEXT NOT NULL, kind TEXT NOT NULL,
         body BLOB NOT NULL, note TEXT NOT NULL, digest BLOB NOT NULL);
       CREATE UNIQUE INDEX payloads_once ON payloads (connection, digest);
       CREATE INDEX payloads_of ON payloads (connection, n);
       CREATE INDEX payloads_at ON payloads (at);""",
)
PURGED_AT_ONCE = 5_000
"""Rows a transaction removes, so that a long backlog holds nobody up for long."""


class SqlitePayloads:
    """`lrs.store.protocols.payloads.Payloads` on SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def migrate(self) -> None:
        """Create the table where it is missing."""
        self._database.migrate("payloads", SCRIPTS)

    def keep(self, connection: str, kind: str, body: bytes, note: str = "") -> int:
        """Keep it, once a body; its number."""
        digest = hashlib.sha256(body).digest()
        with self._database.write() as db:
            db.execute("INSERT INTO payloads (at, connection, kind, body, note, digest) VALUES (?, ?, ?, ?, ?, ?) "
                       "ON CONFLICT (connection, digest) DO UPDATE SET note = excluded.note WHERE excluded.note <> ''",
                       (time.time_ns() // 1000, connection, kind, body, note, digest))
            row = db.execute("SELECT n FROM payloads WHERE connection = ? AND digest = ?", (connection, digest)).fetchone()
            return int(row[0])

    def list(self, connection: str = "", *, before: int = 0, limit: int = 100) -> builtins.list[Payload]:
        """The newest first, of one connection or of all."""
        bounds: builtins.list[tuple[str, Any]] = [("connection = ?", connection)] if connection else []
        bounds += [("n < ?", before)] if before else []
        where = f"WHERE {' AND '.join(bound for bound, _ in bounds)}" if bounds else ""
        with self._database.read() as db:
            rows = db.execute(f"SELECT n, at, connection, kind, body, note FROM payloads {where} ORDER BY n DESC LIMIT ?",
                              (*(value for _, value in bounds), limit))
            return [Payload(*row) for row in rows]

    def purge(self, older_than: int, connection: str = "") -> int:
        """Remove what came before this time, of one connection or of all; how many were removed."""
        of = "AND connection = ?" if connection else ""
        values = (older_than, connection) if connection else (older_than,)
        removed = 0
        while True:
            with self._database.write() as db:
                gone = db.execute(f"DELETE FROM payloads WHERE n IN (SELECT n FROM payloads WHERE at < ? {of} LIMIT ?)",
                                  (*values, PURGED_AT_ONCE)).rowcount
            removed += gone
            if gone < PURGED_AT_ONCE:
                return removed
