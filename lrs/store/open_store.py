"""Opens the store that a URL or a folder names: one object with a part for each protocol."""
from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

from lrs.store.sqlite.attachments import FileAttachments
from lrs.store.sqlite.audit import SqliteAudit
from lrs.store.sqlite.connections import SqliteConnections
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


@dataclass(frozen=True, slots=True)
class Store:
    """The parts of an open store. Safe to use from many threads; other processes may have the same files open."""

    statements: SqliteStatements
    directory: SqliteDirectory
    credentials: SqliteCredentials
    connections: SqliteConnections
    audit: SqliteAudit
    documents: SqliteDocuments
    definitions: SqliteDefinitions
    attachments: FileAttachments
    mappings: SqliteMappings
    work: SqliteWork
    sessions: SqliteSessions
    heartbeats: SqliteHeartbeats
    rejections: SqliteRejections
    payloads: SqlitePayloads
    files: tuple[Database, ...]

    def migrate(self) -> None:
        """Create what is missing in every file; does nothing when done before."""
        for field in fields(self):
            if field.name != "files":
                getattr(self, field.name).migrate()

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
    files = tuple(Database(folder / f"{name}.db") for name in ("statements", "work", "rejections", "payloads"))
    statements, work, rejections, payloads = files
    store = Store(
        statements=SqliteStatements(statements),
        directory=SqliteDirectory(statements),
        credentials=SqliteCredentials(statements),
        connections=SqliteConnections(statements),
        audit=SqliteAudit(statements),
        documents=SqliteDocuments(statements),
        definitions=SqliteDefinitions(statements),
        attachments=FileAttachments(folder / "attachments"),
        mappings=SqliteMappings(statements),
        work=SqliteWork(work),
        sessions=SqliteSessions(work),
        heartbeats=SqliteHeartbeats(work),
        rejections=SqliteRejections(rejections),
        payloads=SqlitePayloads(payloads),
        files=files,
    )
    store.migrate()
    return store
