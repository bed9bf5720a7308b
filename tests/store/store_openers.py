"""How a store's parts are opened, by its kind and place; a process that writes opens them the same way."""
from __future__ import annotations

from pathlib import Path
from typing import Any

from lrs.store.mongo.attachments import MongoAttachments
from lrs.store.mongo.audit import MongoAudit
from lrs.store.mongo.connections import MongoConnections
from lrs.store.mongo.credentials import MongoCredentials
from lrs.store.mongo.database import Database as MongoDatabase
from lrs.store.mongo.definitions import MongoDefinitions
from lrs.store.mongo.directory import MongoDirectory
from lrs.store.mongo.documents import MongoDocuments
from lrs.store.mongo.heartbeats import MongoHeartbeats
from lrs.store.mongo.mappings import MongoMappings
from lrs.store.mongo.payloads import MongoPayloads
from lrs.store.mongo.rejections import MongoRejections
from lrs.store.mongo.sessions import MongoSessions
from lrs.store.mongo.statements import MongoStatements
from lrs.store.mongo.work import MongoWork
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

SQLITE = {
    "attachments": lambda database: FileAttachments(database.path.with_name("attachments")), "audit": SqliteAudit,
    "connections": SqliteConnections, "credentials": SqliteCredentials, "definitions": SqliteDefinitions, "directory": SqliteDirectory,
    "documents": SqliteDocuments, "heartbeats": SqliteHeartbeats, "mappings": SqliteMappings, "payloads": SqlitePayloads,
    "rejections": SqliteRejections, "sessions": SqliteSessions, "work": SqliteWork,
}
MONGO = {
    "attachments": MongoAttachments, "audit": MongoAudit, "connections": MongoConnections, "credentials": MongoCredentials,
    "definitions": MongoDefinitions, "directory": MongoDirectory, "documents": MongoDocuments, "heartbeats": MongoHeartbeats,
    "mappings": MongoMappings, "payloads": MongoPayloads, "rejections": MongoRejections, "sessions": MongoSessions, "work": MongoWork,
}


def opened(place: str, **options: Any) -> tuple[SqliteStatements, Database] | tuple[MongoStatements, MongoDatabase]:
    """A store in a folder or at a mongodb:// URL, migrated. A second opening is what another process has."""
    if place.startswith("mongodb"):
        mongo = MongoDatabase(place)
        statements = MongoStatements(mongo, **options)
        statements.migrate()
        return statements, mongo
    database = Database(Path(place) / "statements.db")
    store = SqliteStatements(database, **options)
    store.migrate()
    return store, database


def opened_part(place: str, name: str) -> tuple[Any, Database | MongoDatabase]:
    """One other part of the store at this place, migrated, and what closes it."""
    database = MongoDatabase(place) if place.startswith("mongodb") else Database(Path(place) / "parts.db")
    part = (MONGO if place.startswith("mongodb") else SQLITE)[name](database)  # type: ignore[operator]
    part.migrate()
    return part, database
