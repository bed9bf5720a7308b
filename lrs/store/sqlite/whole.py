"""A store in a folder: its SQLite files, their parts, and one object of them."""
from __future__ import annotations

from pathlib import Path

from lrs.errors import NotFound
from lrs.store.open_store import Store, Told, nobody
from lrs.store.sqlite import identity
from lrs.store.sqlite.attachments import FileAttachments
from lrs.store.sqlite.audit import SqliteAudit
from lrs.store.sqlite.connections import SqliteConnections
from lrs.store.sqlite.copied import SqliteCopied
from lrs.store.sqlite.credentials import SqliteCredentials
from lrs.store.sqlite.database import Database
from lrs.store.sqlite.definitions import SqliteDefinitions
from lrs.store.sqlite.directory import SqliteDirectory
from lrs.store.sqlite.documents import SqliteDocuments
from lrs.store.sqlite.heartbeats import SqliteHeartbeats
from lrs.store.sqlite.mappings import SqliteMappings
from lrs.store.sqlite.payloads import SqlitePayloads
from lrs.store.sqlite.rejections import SqliteRejections
from lrs.store.sqlite.sessions import SqliteSessions
from lrs.store.sqlite.statements import SqliteStatements
from lrs.store.sqlite.work import SqliteWork

NAMES = ("statements", "work", "rejections", "payloads")


def is_there(folder: Path) -> bool:
    """Whether the folder holds a store, or something of one."""
    return any((folder / f"{name}.db").is_file() for name in NAMES)


def opened(folder: Path, *, first: bool = True, accepted: frozenset[str] = frozenset()) -> Store:
    """The store in this folder, migrated; created where it is missing, or (not `first`) `NotFound` raised. A file of it that is gone is
    made anew if its name is `accepted`, else raises `Lost`. Raises `StoreUnavailable`, and `WrongState` for a file of another store."""
    if not first and not is_there(folder):
        raise NotFound(f"{folder} holds no store")
    files = tuple(Database(folder / f"{name}.db") for name in NAMES)
    statements, work, rejections, payloads = files
    parts = {
        "statements": SqliteStatements(statements), "directory": SqliteDirectory(statements), "credentials": SqliteCredentials(statements),
        "connections": SqliteConnections(statements), "audit": SqliteAudit(statements), "documents": SqliteDocuments(statements),
        "definitions": SqliteDefinitions(statements), "attachments": FileAttachments(folder / "attachments"),
        "mappings": SqliteMappings(statements), "work": SqliteWork(work), "sessions": SqliteSessions(work),
        "heartbeats": SqliteHeartbeats(work), "rejections": SqliteRejections(rejections), "payloads": SqlitePayloads(payloads),
    }

    def migrate(told: Told = nobody) -> None:
        for place, (name, part) in enumerate(parts.items()):
            told(name, place / len(parts))
            part.migrate()
        told("done", 1.0)

    def close() -> None:
        parts["rejections"].flush()
        for file in files:
            file.close()

    try:
        identity.complete(files, accepted)
        migrate()
    except BaseException:
        for file in files:
            file.close()
        raise
    return Store(**parts, copied=SqliteCopied(files), shared=False, files=files,
                 version=lambda: (statements.data_version(), work.data_version()), migrate=migrate, close=close)
