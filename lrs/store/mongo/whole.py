"""A store in a MongoDB database: its parts, and one object of them."""
from __future__ import annotations

import threading
import time
from collections.abc import Hashable
from contextlib import suppress
from pathlib import Path

from lrs.errors import NotFound, StoreUnavailable
from lrs.store.mongo import (
    abandoned,
    attachments,
    audit,
    clock,
    connections,
    credentials,
    definitions,
    directory,
    documents,
    heartbeats,
    mappings,
    payloads,
    rejections,
    schema,
    sessions,
    statements,
    work,
)
from lrs.store.mongo.copied import MongoCopied
from lrs.store.mongo.database import Database
from lrs.store.open_store import Store, Told, nobody

LAYOUTS = tuple(part.LAYOUT for part in (
    statements, directory, credentials, connections, audit, documents, definitions, attachments, mappings, work, sessions, heartbeats,
    rejections, payloads, abandoned))
WATCH_SECONDS = 0.1
"""How often a process asks whether something was written, however many of its threads want to know."""


def opened(url: str, incoming: Path | None = None, *, first: bool = True) -> Store:
    """The store in this database; one that is empty is migrated first, or (not `first`) `NotFound` raised. Raises
    `StoreUnavailable`, `Standalone`, and `WrongState` where `lrs migrate` must be run."""
    database = Database(url)
    try:
        database.check()
        if schema.needs_first(database, LAYOUTS):
            if not first:
                raise NotFound("the database is empty")
            schema.migrate(database, LAYOUTS, nobody)
    except BaseException:
        database.close()
        raise
    return _whole(database, incoming)


def migrate(url: str, told: Told = nobody) -> None:
    """Bring a database to this version's layout, safe beside running processes; does nothing when done before. Raises
    `StoreUnavailable`, `Standalone`, and `WrongState` for a database of a later version."""
    database = Database(url)
    try:
        schema.migrate(database, LAYOUTS, told)
    finally:
        database.close()


def _whole(database: Database, incoming: Path | None) -> Store:
    time_ = clock.of(database)
    database.guard = left = abandoned.Abandoned(database, time_)
    log, acts, refused = statements.MongoStatements(database, time_), work.MongoWork(database, time_), rejections.MongoRejections(database)

    def close() -> None:
        with suppress(StoreUnavailable):  # a server that is gone takes nothing more; what is closed is closed
            refused.flush()
        log.close()
        left.leave()
        database.close()

    return Store(
        statements=log, directory=directory.MongoDirectory(database, time_), credentials=credentials.MongoCredentials(database),
        connections=connections.MongoConnections(database, time_), audit=audit.MongoAudit(database, time_),
        documents=documents.MongoDocuments(database, time_), definitions=definitions.MongoDefinitions(database),
        attachments=attachments.MongoAttachments(database, incoming), mappings=mappings.MongoMappings(database, time_), work=acts,
        sessions=sessions.MongoSessions(database), heartbeats=heartbeats.MongoHeartbeats(database), rejections=refused,
        payloads=payloads.MongoPayloads(database, time_), copied=MongoCopied(database), shared=True, files=(), version=_Watched(log, acts),
        migrate=lambda told=nobody: schema.migrate(database, LAYOUTS, told), close=close,
    )


class _Watched:
    """Asks the server at most every `WATCH_SECONDS`. What it says may be so old: then it is another one a little later, and whoever
    looked at the store meanwhile looks again."""

    def __init__(self, log: statements.MongoStatements, acts: work.MongoWork) -> None:
        self._log, self._acts = log, acts
        self._mutex = threading.Lock()
        self._asked, self._said = -WATCH_SECONDS, (0, 0)
        self._fault: StoreUnavailable | None = None

    def __call__(self) -> Hashable:
        with self._mutex:
            if time.monotonic() - self._asked >= WATCH_SECONDS:
                self._fault = None
                try:
                    self._said = (self._log.data_version(), self._acts.data_version())
                except StoreUnavailable as fault:
                    self._fault = fault
                self._asked = time.monotonic()
            if self._fault is not None:
                raise StoreUnavailable(self._fault.original)
            return self._said
