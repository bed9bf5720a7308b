"""Heartbeats in MongoDB."""
from __future__ import annotations

import builtins
from collections.abc import Mapping

import pymongo
from bson import Int64

from lrs.store.mongo.database import Database, Layout
from lrs.store.protocols.heartbeats import KEPT_US, Heartbeat

NAME = "heartbeats"
LAYOUT = Layout({NAME: {}})


class MongoHeartbeats:
    """`lrs.store.protocols.heartbeats.Heartbeats` on MongoDB."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def migrate(self) -> None:
        """Create the collection where it is missing."""
        self._database.migrate(LAYOUT)

    def beat(self, worker: str, seen: Mapping[str, int]) -> None:
        """Keep the latest time of each; forget workers that are long gone."""
        if not seen:
            return
        # each is a write by itself: what was seen needs no transaction
        with self._database.alone() as calls:
            calls.write_each(NAME, [pymongo.UpdateOne({"_id": {"consumer": consumer, "worker": worker}}, {"$max": {"at": Int64(at)}},
                                                      upsert=True) for consumer, at in seen.items()])
            calls.delete_many(NAME, {"at": {"$lt": Int64(max(seen.values()) - KEPT_US)}})

    def list(self) -> builtins.list[Heartbeat]:
        """All of them, by consumer, the latest first."""
        with self._database.read() as calls:
            found = [Heartbeat(one["_id"]["worker"], one["_id"]["consumer"], int(one["at"])) for one in calls.find(NAME, {})]
        return sorted(found, key=lambda one: (one.consumer, -one.at, one.worker))
