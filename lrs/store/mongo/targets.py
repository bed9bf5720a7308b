"""Targets in MongoDB: where completions go."""
from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from typing import Any

import msgspec
from bson import Int64

from lrs.store.former import former_name
from lrs.store.mongo import owed
from lrs.store.mongo.clock import Clock
from lrs.store.mongo.database import Calls, Database, Document
from lrs.store.protocols.work import Health, Removal, TargetRow

NAME = "targets"
INDEXES: dict[str, dict[str, list[tuple[str, int]]]] = {NAME: {}}
AT_ONCE = 500
"""Deliveries changed in one transaction by an operator's act, so that a great backlog does not outlast a deadline."""


class Targets:
    """The part of `MongoWork` that keeps targets. Settings and health are JSON text: their names may have dots."""

    _database: Database
    _clock: Clock
    _leases: Clock

    def add_target(self, target: TargetRow) -> bool:
        """Keep a new target; False if its name is taken. What was owed to a removed one of that name gets another."""
        former = former_name(target.name, self._clock.now())
        while self._renamed(target.name, former):
            pass

        def work(calls: Calls) -> bool:
            if calls.one(NAME, {"_id": target.name}, {"_id": 1}):
                return False
            calls.insert(NAME, [{"_id": target.name, "connector": target.connector, "settings": json.dumps(dict(target.settings)),
                                 "state": "active", "why": "", "health": "{}", "writes": Int64(0)}])
            return True

        return self._database.write(work)

    def _renamed(self, name: str, former: str) -> int:
        def work(calls: Calls) -> int:
            if calls.one(NAME, {"_id": name}, {"_id": 1}):
                return 0
            some = [one["_id"] for one in calls.find(owed.NAME, {"target": name}, {"_id": 1}, limit=AT_ONCE)]
            return calls.update_many(owed.NAME, {"_id": {"$in": some}}, {"$set": {"target": former}}) if some else 0

        return self._database.write(work)

    def remove_target(self, name: str, *, drop: str = "") -> Removal | None:
        """Remove a target that nothing waits for and nothing is on its way to; `drop`: cancel what waits, with this reason."""
        dropped = 0
        while True:
            found = self._database.write(partial(self._remove, name, drop))
            if found is None or found.done or found.sending or not drop:
                return found and Removal(found.done, dropped + found.waiting, found.sending)
            dropped += found.waiting

    def _remove(self, name: str, drop: str, calls: Calls) -> Removal | None:
        if not calls.one(NAME, {"_id": name}, {"_id": 1}):
            return None
        expired = {"leased": name, "due": owed.until_now(self._leases.now())}
        unsent: Document = {"target": name, "state": {"$in": owed.UNSENT}}
        sending = calls.count(owed.NAME, {"leased": name}) - calls.count(owed.NAME, expired)
        waiting = calls.count(owed.NAME, unsent) + calls.count(owed.NAME, expired)
        if sending or (waiting and not drop):
            return Removal(False, waiting, sending)
        change = {"$set": {"state": "cancelled", "why": drop}, "$unset": {"due": "", "lost": "", **owed.FREE}}
        some = [one["_id"] for where in (unsent, expired) for one in calls.find(owed.NAME, where, {"_id": 1}, limit=AT_ONCE)][:AT_ONCE]
        if some:
            calls.update_many(owed.NAME, {"_id": {"$in": some}}, change)
        if len(some) < waiting:
            return Removal(False, len(some))
        calls.delete(NAME, {"_id": name})
        # whoever owes it something at this moment writes one of these: one of the two is done again, and sees the other
        calls.update_many("cursors", {}, {"$inc": {"writes": Int64(1)}})
        return Removal(True, waiting)

    def targets(self) -> list[TargetRow]:
        """All of them, by name."""
        with self._database.read() as calls:
            return every_target(calls)

    def target(self, name: str) -> TargetRow | None:
        """The target of this name."""
        with self._database.read() as calls:
            found = calls.one(NAME, {"_id": name})
        return _target(found) if found else None

    def change_target(self, name: str, settings: Mapping[str, Any], before: Mapping[str, Any] | None = None) -> bool:
        """Replace a target's settings; its state stays. False if there is none, or if its settings are not `before` any
        more, where that is given: somebody else has changed them since they were read."""
        def work(calls: Calls) -> bool:
            found = calls.one(NAME, {"_id": name}, {"settings": 1})
            if found is None or (before is not None and json.loads(found["settings"]) != dict(before)):
                return False
            return _write(calls, name, {"settings": json.dumps(dict(settings))})

        return self._database.write(work)

    def set_target_state(self, name: str, state: str, why: str = "") -> bool:
        """active | paused | disabled. Making it active forgets its faults and makes what waits due at once. False if
        there is none."""
        health = {"health": "{}"} if state == "active" else {}
        if health:
            # first: who sees that it is active may trust that nothing of it waits any more
            self._end_waiting(name)

        def work(calls: Calls) -> bool:
            act(calls)
            return _write(calls, name, {"state": state, "why": why, **health})

        return self._database.write(work)

    def _end_waiting(self, name: str) -> None:
        now = self._clock.now()
        with self._database.read() as calls:
            waiting = [one["_id"] for page in owed.between(calls, name, {"$gte": 0}, AT_ONCE, state="waiting") for one in page]
        for some in owed.chunks(waiting, AT_ONCE):
            self._database.write(partial(Calls.update_many, name=owed.NAME, wanted={"_id": {"$in": some}, "state": "waiting"},
                                         change={"$set": {"due": Int64(now)}}))


def act(calls: Calls) -> None:
    """Somebody has done what may give the worker something to do: it is woken (see `MongoWork.data_version`)."""
    calls.update("numbers", {"_id": "acts"}, {"$inc": {"n": Int64(1)}})


def every_target(calls: Calls) -> list[TargetRow]:
    """All targets, by name."""
    return [_target(one) for one in calls.find(NAME, {}, sort=[("_id", 1)])]


def put_standing(calls: Calls, target: TargetRow) -> None:
    """Write a target's state, reason and health, in the caller's transaction."""
    _write(calls, target.name, {"state": target.state, "why": target.why, "health": json.dumps(msgspec.structs.asdict(target.health))})


def _write(calls: Calls, name: str, fields: Document) -> bool:
    # counted, since a write that changes nothing is none for the server: two that decide by one target must meet at it
    return calls.update(NAME, {"_id": name}, {"$set": fields, "$inc": {"writes": Int64(1)}})


def _target(one: Document) -> TargetRow:
    return TargetRow(one["_id"], one["connector"], json.loads(one["settings"]), one["state"], one["why"],
                     Health(**json.loads(one["health"])))
