"""How a store of statements is opened, by its kind and place; a process that writes opens it the same way."""
from __future__ import annotations

from pathlib import Path
from typing import Any

from lrs.store.mongo.database import Database as MongoDatabase
from lrs.store.mongo.statements import MongoStatements
from lrs.store.sqlite.database import Database
from lrs.store.sqlite.statements import SqliteStatements


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
