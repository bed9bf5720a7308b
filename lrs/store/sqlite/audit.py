"""The audit log, in statements.db."""
from __future__ import annotations

import builtins
import json
import time

from lrs.store.protocols.audit import Entry
from lrs.store.sqlite.database import Database

SCRIPTS = (
    """CREATE TABLE audit (n INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, who TEXT NOT NULL, action TEXT NOT NULL,
         thing TEXT NOT NULL, detail TEXT NOT NULL, refused TEXT NOT NULL)""",
)


class SqliteAudit:
    """`lrs.store.protocols.audit.Audit` on SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def migrate(self) -> None:
        """Create the table where it is missing."""
        self._database.migrate("audit", SCRIPTS)

    def append(self, entry: Entry) -> int:
        """Write it, durable on return; its number."""
        with self._database.write() as db:
            row = db.execute("INSERT INTO audit (at, who, action, thing, detail, refused) VALUES (?, ?, ?, ?, ?, ?) RETURNING n",
                             (time.time_ns() // 1000, entry.who, entry.action, entry.thing,
                              json.dumps(dict(entry.detail), ensure_ascii=False), entry.refused)).fetchone()
            return int(row[0])

    def list(
        self, *, thing: str = "", who: str = "", action: str = "", before: int | None = None, limit: int = 100
    ) -> builtins.list[Entry]:
        """The newest first."""
        noun, exact = (action, action) if "." in action else (f"{action}.%", action)
        with self._database.read() as db:
            rows = db.execute(
                """SELECT n, at, who, action, thing, detail, refused FROM audit WHERE (? IS NULL OR n < ?) AND (? = '' OR thing = ?)
                   AND (? = '' OR who = ?) AND (? = '' OR action = ? OR action LIKE ?) ORDER BY n DESC LIMIT ?""",
                (before, before, thing, thing, who, who, action, exact, noun, limit)).fetchall()
        return [Entry(who, action, thing, json.loads(detail), refused, at, n) for n, at, who, action, thing, detail, refused in rows]
