"""Documents, in statements.db."""
from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator

from lrs.statements.documents import PIECE, Decide, Document, Key
from lrs.store.spooled import spooled
from lrs.store.sqlite.database import Database

SCRIPTS = (
    """CREATE TABLE documents (kind TEXT NOT NULL, activity TEXT NOT NULL, agent TEXT NOT NULL, registration TEXT NOT NULL,
         id TEXT NOT NULL, content BLOB NOT NULL, content_type TEXT NOT NULL, updated INTEGER NOT NULL,
         PRIMARY KEY (kind, activity, agent, registration, id))""",
    """ALTER TABLE documents ADD COLUMN size INTEGER;
       ALTER TABLE documents ADD COLUMN sha1 TEXT;
       CREATE TABLE document_pieces (document INTEGER NOT NULL, n INTEGER NOT NULL, piece BLOB NOT NULL, PRIMARY KEY (document, n))
         WITHOUT ROWID""",
)
FIELDS = "rowid, content, content_type, updated, size, sha1"
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
            found = _document(db, _row(db, key))
            if found is None or isinstance(found.content, bytes):
                return found
            # a snapshot must not live as long as a slow reader takes
            content = spooled(found.pieces(), self._database.path.parent / "incoming", found.sha1)
        return Document(content, found.content_type, found.updated)

    def change(self, key: Key, decide: Decide) -> Document | None:
        """Put there what `decide` makes of what stands there, inside the write lock."""
        with self._database.write() as db:
            row = _row(db, key)
            made = decide(_document(db, row))
            if row is not None:
                db.execute("DELETE FROM document_pieces WHERE document = ?", (row[0],))
            if made is None:
                db.execute(f"DELETE FROM documents WHERE {AT}", _at(key))
                return None
            now = max(time.time_ns() // 1000, row[3] + 1 if row else 0)
            pieces = made.pieces()
            document = db.execute("INSERT OR REPLACE INTO documents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (
                *_at(key), next(pieces), made.content_type, now, made.size, made.sha1)).lastrowid
            db.executemany("INSERT INTO document_pieces VALUES (?, ?, ?)", ((document, n, piece) for n, piece in enumerate(pieces, 1)))
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
            db.execute(f"DELETE FROM document_pieces WHERE document IN (SELECT rowid FROM documents WHERE {where})", values)
            return db.execute(f"DELETE FROM documents WHERE {where}", values).rowcount


class _Stored:
    """Content in the caller's transaction, which alone may read it."""

    def __init__(self, db: sqlite3.Connection, row: tuple[int, bytes, str, int, int, str]) -> None:
        self._db, self._rowid, self._first, self.size, self.sha1 = db, row[0], row[1], row[4], row[5]

    def pieces(self) -> Iterator[bytes]:
        """All of it, from the beginning."""
        yield self._first
        for n in range(1, -(-self.size // PIECE)):
            yield self._db.execute("SELECT piece FROM document_pieces WHERE document = ? AND n = ?", (self._rowid, n)).fetchone()[0]


def _row(db: sqlite3.Connection, key: Key) -> tuple[int, bytes, str, int, int, str] | None:
    found: tuple[int, bytes, str, int, int, str] | None = db.execute(f"SELECT {FIELDS} FROM documents WHERE {AT}", _at(key)).fetchone()
    return found


def _document(db: sqlite3.Connection, row: tuple[int, bytes, str, int, int, str] | None) -> Document | None:
    if row is None:
        return None
    small = row[4] is None or row[4] <= PIECE  # None: written before sizes were kept, and whole
    return Document(row[1] if small else _Stored(db, row), row[2], row[3])


def _at(key: Key) -> tuple[str, ...]:
    return key.kind, key.activity, key.agent, key.registration, key.id


def _scope(key: Key, any_registration: bool) -> tuple[str, tuple[str, ...]]:
    where = "kind = ? AND activity = ? AND agent = ?"
    if any_registration:
        return where, (key.kind, key.activity, key.agent)
    return f"{where} AND registration = ?", (key.kind, key.activity, key.agent, key.registration)
