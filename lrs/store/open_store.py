"""Opens the store that a URL or a folder names: one object with a part for each protocol."""
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lrs.store.sqlite.audit import SqliteAudit
from lrs.store.sqlite.connections import SqliteConnections
from lrs.store.sqlite.credentials import SqliteCredentials
from lrs.store.sqlite.database import Database
from lrs.store.sqlite.directory import SqliteDirectory
from lrs.store.sqlite.rejections import SqliteRejections
from lrs.store.sqlite.statements import SqliteStatements
from lrs.store.sqlite.work import SqliteWork


@dataclass(frozen=True, slots=True)
class Store:
    """The parts of an open store. Safe to use from many threads; other processes may have the same files open."""

    statements: SqliteStatements
    directory: SqliteDirectory
    credentials: SqliteCredentials
    connections: SqliteConnections
    audit: SqliteAudit
    work: SqliteWork
    rejections: SqliteRejections
    files: tuple[Database, ...]

    def migrate(self) -> None:
        """Create what is missing in every file; does nothing when done before."""
        for part in (self.statements, self.directory, self.credentials, self.connections, self.audit, self.work, self.rejections):
            part.migrate()

    def close(self) -> None:
        """Write what is buffered and close every file."""
        self.rejections.flush()
        for file in self.files:
            file.close()


def open_store(place: str | Path) -> Store:
    """Open (and create where missing) the store in a folder, or of a `sqlite:///folder` URL; migrated and ready.

    Raises `StoreUnavailable` where the folder cannot be used, ValueError for a URL of another kind.
    """
    text = str(place)
    if "://" in text and not text.startswith("sqlite:///"):
        raise ValueError(f'"{text}" is no store this version knows; give a folder or sqlite:///folder')
    folder = Path(text.removeprefix("sqlite://"))
    statements, work, rejections = files = tuple(Database(folder / f"{name}.db") for name in ("statements", "work", "rejections"))
    store = Store(SqliteStatements(statements), SqliteDirectory(statements), SqliteCredentials(statements),
                  SqliteConnections(statements), SqliteAudit(statements), SqliteWork(work),
                  SqliteRejections(rejections), files)
    store.migrate()
    return store
