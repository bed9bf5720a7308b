"""Which files belong together: each of a store holds the store's identity, so that one that is gone is not taken for one not made yet.

`statements.db` gets the identity first, then the others, and at the end it is noted there that all have it. From then on a
file without it is a file that was lost. Who is killed in between has lost nothing: the next one to open goes on.
"""
from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Sequence

from lrs.errors import Lost, WrongState
from lrs.store.sqlite.database import Database

WHAT = {
    "work": "targets, what is owed to them, achievements and the feed of completions",
    "rejections": "what was refused, and why",
    "payloads": "webhooks as they came",
}
"""What stands in a file that may be made anew, for those who must decide whether they can do without."""
_CREATE = """CREATE TABLE IF NOT EXISTS store (one INTEGER PRIMARY KEY CHECK (one = 1), identity TEXT NOT NULL,
               complete INTEGER NOT NULL DEFAULT 0)"""
_HAS_TABLE = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?"
_KEPT = ("statements", "credentials", "people", "documents")


def complete(files: Sequence[Database], accepted: frozenset[str] = frozenset()) -> None:
    """Give every file of a new store its identity, and those of one that was made before there was any; `files`: statements.db first.

    Raises `Lost` where a file of the store is gone, unless its name (as `WHAT` has it) is `accepted`, and `WrongState` where one
    is of another store.
    """
    log, *others = files
    if not log.path.exists() and any(_made(other) for other in others) and not log.path.exists():  # another may have just begun
        raise Lost(_gone_log(log, [other for other in others if _made(other)]))
    identity, whole = _of(log) if log.path.exists() else ("", False)
    if not whole:
        identity = _begun(log, others, accepted)
    for other in others:
        found = _of(other)[0] if other.path.exists() else ""
        if found and found != identity:
            raise WrongState(f"{other.path} is of another store than {log.path}: put back the one that belongs there")
        if not found and whole and other.path.stem not in accepted:
            raise Lost(_gone(other))
        if not found:
            _put(other, identity)
    if not whole:
        with log.write() as db:
            db.execute("UPDATE store SET complete = 1")


def _begun(log: Database, others: Sequence[Database], accepted: frozenset[str]) -> str:
    """The identity that stands in `log` now."""
    with log.write() as db:
        db.execute(_CREATE)
        found = db.execute("SELECT identity FROM store").fetchone()
        if found:
            return str(found[0])
        given = next((identity for identity in (_of(other)[0] for other in others if other.path.exists()) if identity), "")
        if given:
            raise Lost(_gone_log(log, others))
        # a store that is older than identities, or none: what it kept tells
        work, made = others[0], db.execute(_HAS_TABLE, ("statements",)).fetchone() is not None
        if made and not _made(work) and work.path.stem not in accepted and any(_has_rows(db, table) for table in _KEPT):
            raise Lost(_gone(work))
        if not made and _made(work):
            raise Lost(_gone_log(log, [work]))
        identity = secrets.token_hex(16)
        db.execute("INSERT INTO store (one, identity) VALUES (1, ?)", (identity,))
        return identity


def _of(file: Database) -> tuple[str, bool]:
    row = None
    with file.read() as db:
        if db.execute(_HAS_TABLE, ("store",)).fetchone():
            row = db.execute("SELECT identity, complete FROM store").fetchone()
    return (row[0], bool(row[1])) if row else ("", False)


def _put(file: Database, identity: str) -> None:
    with file.write() as db:
        db.execute(_CREATE)
        db.execute("INSERT OR IGNORE INTO store (one, identity) VALUES (1, ?)", (identity,))


def _made(file: Database) -> bool:
    """Whether there is more than an empty file."""
    if not file.path.exists():
        return False
    with file.read() as db:
        return bool(db.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone())


def _has_rows(db: sqlite3.Connection, table: str) -> bool:
    return bool(db.execute(_HAS_TABLE, (table,)).fetchone() and db.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone())


def _gone(file: Database) -> str:
    name = file.path.stem
    return (f"{file.path} is gone or empty, and the store had one. In it were {WHAT[name]}. Put it back, or restore a backup into another "
            f"folder (lrs restore --from BACKUP --data FOLDER); to go on without what was in it: lrs migrate --accept-loss {name}")


def _gone_log(log: Database, others: Sequence[Database]) -> str:
    beside = ", ".join(other.path.name for other in others)
    return (f"{log.path} is gone or empty, and what belongs to it is there ({beside}). In it were all statements, credentials, people and "
            "courses. Put it back, or restore a backup into another folder (lrs restore --from BACKUP --data FOLDER); for a new store "
            "give another folder")
