"""Payloads of outside sources in MongoDB."""
from __future__ import annotations

import builtins
import hashlib

from bson import Int64

from lrs.store.mongo import clock, numbers
from lrs.store.mongo.clock import Clock
from lrs.store.mongo.database import Calls, Database, Document, Layout
from lrs.store.protocols.payloads import Payload

NAME = "payloads"
LAYOUT = Layout({NAME: {"by_n": [("n", 1)], "by_connection": [("connection", 1), ("n", 1)], "by_time": [("at", 1)]}, **numbers.INDEXES},
                {"numbers": lambda: numbers.seeds(NAME)})
PURGED_AT_ONCE = 1_000
"""Documents removed in one call, so that each ends within its deadline."""


class MongoPayloads:
    """`lrs.store.protocols.payloads.Payloads` on MongoDB."""

    def __init__(self, database: Database, time: Clock | None = None) -> None:
        self._database, self._clock = database, time or clock.of(database)

    def migrate(self) -> None:
        """Create the collection and its indexes where they are missing."""
        self._database.migrate(LAYOUT)

    def keep(self, connection: str, kind: str, body: bytes, note: str = "") -> int:
        """Keep it, once a body; its number."""
        at, name = self._clock.now(), named(connection, body)

        def work(calls: Calls) -> int:
            known = calls.one(NAME, {"_id": name}, {"n": 1})
            if known is not None:
                if note:
                    calls.update(NAME, {"_id": name}, {"$set": {"note": note}})
                return int(known["n"])
            n = numbers.draw(calls, NAME)
            calls.insert(NAME, [{"_id": name, "n": Int64(n), "at": Int64(at), "connection": connection, "kind": kind, "body": body,
                                 "note": note}])
            return n

        return self._database.write(work)

    def list(self, connection: str = "", *, before: int = 0, limit: int = 100) -> builtins.list[Payload]:
        """The newest first, of one connection or of all."""
        wanted: Document = {"connection": connection} if connection else {}
        wanted["n"] = {"$lt": before} if before else {"$gt": 0}
        if limit < 1:
            return []
        with self._database.read() as calls:
            found = calls.find(NAME, wanted, sort=[("n", -1)], limit=limit)
        return [Payload(int(one["n"]), int(one["at"]), one["connection"], one["kind"], one["body"], one["note"]) for one in found]

    def purge(self, older_than: int, connection: str = "") -> int:
        """Remove what came before this time, of one connection or of all; how many were removed."""
        wanted: Document = {"at": {"$lt": older_than}, **({"connection": connection} if connection else {})}
        removed = 0
        while True:
            with self._database.read() as calls:
                found = [one["_id"] for one in calls.find(NAME, wanted, {"_id": 1}, limit=PURGED_AT_ONCE)]
            with self._database.alone() as calls:
                removed += calls.delete_many(NAME, {"_id": {"$in": found}}) if found else 0
            if len(found) < PURGED_AT_ONCE:
                return removed


def named(connection: str, body: bytes) -> bytes:
    """The `_id` of a payload: one of each body a connection."""
    return hashlib.sha256(connection.encode() + b"\0" + hashlib.sha256(body).digest()).digest()[:16]
