"""Definitions of activities in MongoDB."""
from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from bson import Int64
from pymongo import ReplaceOne

from lrs.statements.definitions import Known
from lrs.store.mongo import owed
from lrs.store.mongo.database import Calls, Database, Layout, Write

NAME, CURSOR = "definitions", "definitions_cursor"
LAYOUT = Layout({NAME: {}, CURSOR: {}}, {CURSOR: lambda: [{"_id": 1, "seq": Int64(0), "writes": Int64(0)}]})
AT_ONCE = 500
"""Definitions sent in one call."""


class MongoDefinitions:
    """`lrs.store.protocols.definitions.Definitions` on MongoDB. An activity's id may be longer than a key of an index: `_id` is
    its hash."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def migrate(self) -> None:
        """Create the collections where they are missing."""
        self._database.migrate(LAYOUT)

    def of(self, activities: Sequence[str]) -> tuple[int, dict[str, Known]]:
        """The cursor, and what is known of these activities."""
        names = {name_of(one): one for one in activities}

        with self._database.read() as calls:
            cursor = _cursor(calls)
            while True:
                found: dict[str, Known] = {}
                for some in owed.chunks(names):
                    found |= {names[one["_id"]]: Known(one["official"], one["others"]) for one in calls.find(NAME, {"_id": {"$in": some}})}
                # what is learned is visible with its cursor: where that has not moved, all that was read is of one moment
                before, cursor = cursor, _cursor(calls) if names else cursor
                if before == cursor:
                    return cursor, found

    def learn(self, known: Mapping[str, Known], after: int, through: int) -> bool:
        """Put these in place and the cursor forward, in one transaction."""
        def work(calls: Calls) -> bool:
            if _cursor(calls) != after:
                return False
            # counted, since a write that changes nothing is none for the server: two that learn must meet
            calls.update(CURSOR, {"_id": 1}, {"$set": {"seq": Int64(through)}, "$inc": {"writes": Int64(1)}})
            writes: list[Write] = [ReplaceOne({"_id": name_of(activity)}, {"_id": name_of(activity), "activity": activity,
                                              "official": one.official, "others": one.others}, upsert=True)
                                   for activity, one in known.items()]
            for some in owed.chunks(writes, AT_ONCE):
                calls.write_each(NAME, some)
            return True

        return self._database.write(work)


def name_of(activity: str) -> bytes:
    return hashlib.sha256(activity.encode()).digest()[:16]


def _cursor(calls: Calls) -> int:
    found = calls.one(CURSOR, {"_id": 1})
    return int(found["seq"]) if found else 0
