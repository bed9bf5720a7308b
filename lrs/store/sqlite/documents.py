"""Documents, in statements.db."""
from __future__ import annotations

import time

from lrs.statements.documents import Decide, Document, Key
from lrs.store.sqlite.database import Database

SCRIPTS = (
    """CREATE TABLE documents (kind TEXT NOT NULL, activity TEXT NOT NULL, agent TEXT NOT NULL, registration TEXT NOT NULL,
         id TEXT NOT NULL, content BLOB NOT NULL, content_type TEXT NOT NULL, updated INTEGER NOT NULL,
         PRIMARY KEY (kind, activity, agent, registration, id))""",
)
AT = "kind = ? AND activity = ? AND agent = ? AND registration = ? AND id = ?"


class SqliteDocuments:
    """`lrs.store.protocols.documents.Documents` on SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def migrate(self) -> None:
        """Create the table where it is missing."""
        self._database.migrate("documents", SCRIPTS)

    def get(self, key: Key) -> Document | None:
        """The document that stands there."""
        with self._database.read() as db:
            row = db.execute(f"SELECT content, content_type, updated FROM documents WHERE {AT}", _at(key)).fetchone()
        return Document(*row) if row else None

    def change(self, key: Key, decide: Decide) -> Document | None:
        """Put there what `decide` makes of what stands there, inside the write lock."""
        with self._database.write() as db:
            row = db.execute(f"SELECT content, content_type, updated FROM documents WHERE {AT}", _at(key)).fetchone()
            made = decide(Document(*row) if row else None)
            if made is None:
                db.execute(f"DELETE FROM documents WHERE {AT}", _at(key))
                return None
            now = max(time.time_ns() // 1000, row[2] + 1 if row else 0)
            db.execute("INSERT OR REPLACE INTO documents VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                       (*_at(key), made.content, made.content_type, now))
            return Document(made.content, made.content_type, now)

    def ids(self, key: Key, since: int | None = None, *, any_registration: bool = False) -> dict[str, int]:
        """The ids of all documents at the key, sorted, with when each was last written."""
        where, values = _scope(key, any_registration)
        with self._database.read() as db:
            rows = db.execute(f"SELECT id, max(updated) FROM documents WHERE {where} AND updated > ? GROUP BY id ORDER BY id",
                              (*values, since or 0))
            return dict(rows.fetchall())

    def delete_all(self, key: Key, *, any_registration: bool = False) -> int:
        """Remove all documents at the key."""
        where, values = _scope(key, any_registration)
        with self._database.write() as db:
            return db.execute(f"DELETE FROM documents WHERE {where}", values).rowcount


def _at(key: Key) -> tuple[str, ...]:
    return key.kind, key.activity, key.agent, key.registration, key.id


def _scope(key: Key, any_registration: bool) -> tuple[str, tuple[str, ...]]:
    where = "kind = ? AND activity = ? AND agent = ?"
    if any_registration:
        return where, (key.kind, key.activity, key.agent)
    return f"{where} AND registration = ?", (key.kind, key.activity, key.agent, key.registration)
