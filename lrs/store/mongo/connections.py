"""Connections in MongoDB."""
from __future__ import annotations

import builtins
import json
from collections.abc import Mapping
from typing import Any

from bson import Int64

from lrs.store.mongo import clock
from lrs.store.mongo.clock import Clock
from lrs.store.mongo.database import Calls, Database, Document, Layout
from lrs.store.protocols.connections import Connection

NAME = "connections"
LAYOUT = Layout({NAME: {}})


class MongoConnections:
    """`lrs.store.protocols.connections.Connections` on MongoDB. Settings are JSON text: their names may have dots."""

    def __init__(self, database: Database, time: Clock | None = None) -> None:
        self._database, self._clock = database, time or clock.of(database)

    def migrate(self) -> None:
        """Create the collection where it is missing."""
        self._database.migrate(LAYOUT)

    def create(self, connection: Connection) -> bool:
        """Store it; False if its name is taken."""
        now = self._clock.now()

        def work(calls: Calls) -> bool:
            if calls.one(NAME, {"_id": connection.name}, {"_id": 1}):
                return False
            calls.insert(NAME, [{"_id": connection.name, "source": connection.source, "credential": connection.credential,
                                 "settings": json.dumps(dict(connection.settings)), "state": connection.state, "created": Int64(now)}])
            return True

        return self._database.write(work)

    def by_name(self, name: str) -> Connection | None:
        """The connection of this name."""
        with self._database.read() as calls:
            found = calls.one(NAME, {"_id": name})
        return _connection(found) if found else None

    def list(self) -> builtins.list[Connection]:
        """All of them, by name."""
        with self._database.read() as calls:
            return [_connection(one) for one in calls.find(NAME, {}, sort=[("_id", 1)])]

    def change(self, name: str, *, settings: Mapping[str, Any] | None = None, state: str | None = None,
               before: Mapping[str, Any] | None = None) -> bool:
        """Replace its settings, its state, or both; False if there is none, or if its settings are not `before` any more,
        where that is given: somebody else has changed them since they were read."""
        def work(calls: Calls) -> bool:
            found = calls.one(NAME, {"_id": name})
            if found is None or (before is not None and json.loads(found["settings"]) != dict(before)):
                return False
            new = {"settings": None if settings is None else json.dumps(dict(settings)), "state": state}
            change = {field: value for field, value in new.items() if value is not None}
            return calls.update(NAME, {"_id": name}, {"$set": change}) if change else True

        return self._database.write(work)


def _connection(found: Document) -> Connection:
    return Connection(found["_id"], found["source"], found["credential"], json.loads(found["settings"]), found["state"],
                      int(found["created"]))
