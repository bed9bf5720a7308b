"""The places of writers as documents of MongoDB; what they mean is in `lrs.store.intents`."""
from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import pymongo
from bson import Int64
from pymongo.client_session import ClientSession

from lrs.store.intents import NOBODY, PLACES, Intent, Known, Place, Promise
from lrs.store.mongo.clock import Clock
from lrs.store.mongo.database import Calls, Database, Document, faults

WRITERS = "writers"
GIVEN = -1
"""The `_id` of the document that holds a time below which no seq is drawn any more."""
ALWAYS = 1 << 62
"""Where a document does not say it, any statement may refer to another."""
ENDING_SECONDS = 0.1
"""How long a reader tries to end an intent: he has an answer without it."""
INDEXES: dict[str, dict[str, list[tuple[str, int]]]] = {WRITERS: {}}


def seeds() -> list[Document]:
    """The documents of an empty store."""
    places = [{"_id": place, "owner": NOBODY, "low": Int64(0), "high": Int64(0), "seen": Int64(0)} for place in range(PLACES)]
    return [{"_id": GIVEN, "given": Int64(0)}, *places]


def mark(calls: Calls, newest: Callable[[Calls], int]) -> None:
    """Have all places say what refers to another, where one does not: they are new, were lost, or are older than the mark. `newest(calls)`:
    the greatest seq of a statement that does. Safe beside writers: who commits one meanwhile raises its own place's."""
    if any("referring" not in one for one in calls.find(WRITERS, {"_id": {"$gte": 0}})):
        calls.update_many(WRITERS, {"_id": {"$gte": 0}}, {"$max": {"referring": Int64(newest(calls))}})


class Places:
    """`lrs.store.intents.Table` in these calls: of a transaction, whose faults are its own, or each by itself."""

    def __init__(self, calls: Calls, database: Database) -> None:
        self._calls, self._database = calls, database

    def look(self) -> Known:
        """All of them in one call."""
        found = self._calls.find(WRITERS, {})
        return Known(next(int(one["given"]) for one in found if one["_id"] == GIVEN),
                     [Place(one["_id"], one["owner"], int(one["low"]), int(one["high"]), int(one["seen"]), one.get("session"),
                            int(one.get("referring", ALWAYS))) for one in found if one["_id"] != GIVEN])

    def change(self, place: int, was: Mapping[str, Any], to: Mapping[str, Any]) -> bool:
        """One update, whose filter is what was known."""
        return self._calls.update(WRITERS, {"_id": place, **_stored(was)}, {"$set": _stored(to)})

    def stands(self, place: int, fields: Mapping[str, Any]) -> bool:
        """One look by all the fields."""
        return self._calls.one(WRITERS, {"_id": place, **_stored(fields)}) is not None

    def give(self, time: int) -> None:
        """`$max`, so that it never falls."""
        with faults():
            self._calls.update(WRITERS, {"_id": GIVEN}, {"$max": {"given": Int64(time)}})

    def end_session(self, session: object) -> None:
        """`killSessions`, within `ENDING_SECONDS`."""
        if isinstance(session, dict):
            self._database.end_session(session, ENDING_SECONDS)


class Reading(Places):
    """The table of a reader, who does not wait for what he changes in passing."""

    def change(self, place: int, was: Mapping[str, Any], to: Mapping[str, Any]) -> bool:
        """As `Places.change`, within `ENDING_SECONDS`."""
        with faults(), pymongo.timeout(ENDING_SECONDS):
            return super().change(place, was, to)


class Alone(Places):
    """The table outside of any transaction."""

    def __init__(self, database: Database) -> None:
        super().__init__(Calls(database), database)

    def look(self) -> Known:
        """All of them in one call."""
        with faults():
            return super().look()

    def change(self, place: int, was: Mapping[str, Any], to: Mapping[str, Any]) -> bool:
        """One update, whose filter is what was known."""
        with faults():
            return super().change(place, was, to)

    def stands(self, place: int, fields: Mapping[str, Any]) -> bool:
        """One look by all the fields."""
        with faults():
            return super().stands(place, fields)


class Writer(Intent):
    """The intent of this process."""

    def __init__(self, database: Database, clock: Clock) -> None:
        super().__init__(Alone(database), clock.now, os.urandom(16), lambda: dict(self.session.session_id))
        self._database = database

    @cached_property
    def session(self) -> ClientSession:
        """The session in which this writer's transactions are, and no other."""
        return self._database.session()

    def places(self, calls: Calls) -> Places:
        """The table in a transaction."""
        return Places(calls, self._database)


class Horizon(Promise):
    """What this process has said to be complete."""

    def __init__(self, database: Database, clock: Clock) -> None:
        super().__init__(clock.now)
        self._database = database

    def seen_through(self, calls: Calls) -> int:
        """`through`, as the calls of a reader see it."""
        return self.through(Reading(calls, self._database))


def _stored(fields: Mapping[str, Any]) -> Document:
    return {name: Int64(value) if isinstance(value, int) else value for name, value in fields.items()}
