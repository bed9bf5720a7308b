"""Versions of the verb map and the course map in MongoDB."""
from __future__ import annotations

import builtins
from collections.abc import Sequence

from bson import Int64
from pymongo import UpdateOne

from lrs.store.mongo import clock, directory, numbers
from lrs.store.mongo.clock import Clock
from lrs.store.mongo.database import Calls, Database, Document, Layout, Write
from lrs.store.mongo.directory import Changes
from lrs.store.mongo.rows import STATEMENTS
from lrs.store.protocols.mappings import CourseStep, Mapping

NAME = "mappings"
ACTIVE = "active_mappings"
REWRITTEN = "rewritten"
KINDS = ("verbs", "courses")
LAYOUT = Layout(
    {NAME: {"by_kind": [("kind", 1), ("number", 1)]}, ACTIVE: {}, REWRITTEN: {}, **numbers.INDEXES, **directory.LAYOUT.indexes},
    {"numbers": lambda: numbers.seeds("changes", REWRITTEN, *(f"{NAME}:{kind}" for kind in KINDS)),
     ACTIVE: lambda: [{"_id": kind, "number": Int64(0)} for kind in KINDS]},
)
AT_ONCE = 500
"""Readings sent in one call."""
FORGOTTEN_AT_ONCE = 1_000
"""Entries removed in one call, so that each ends within its deadline."""


class MongoMappings:
    """`lrs.store.protocols.mappings.Mappings` on MongoDB. Which version is active stands in one document a kind, at which
    two that apply versions meet."""

    def __init__(self, database: Database, time: Clock | None = None) -> None:
        self._database, self._clock = database, time or clock.of(database)
        self._known: dict[str, Mapping] = {}

    def migrate(self) -> None:
        """Create the collections and indexes where they are missing."""
        self._database.migrate(LAYOUT)

    def propose(self, kind: str, body: bytes, *, who: str, note: str, base: int) -> int:
        """Keep a version as proposed; its number."""
        at = self._clock.now()

        def work(calls: Calls) -> int:
            number = numbers.draw(calls, f"{NAME}:{kind}")
            calls.insert(NAME, [{"_id": f"{kind}:{number}", "kind": kind, "number": Int64(number), "body": body, "state": "proposed",
                                 "who": who, "at": Int64(at), "note": note, "base": Int64(base), "applied": Int64(0), "change": Int64(0)}])
            return number

        return self._database.write(work)

    def get(self, kind: str, number: int) -> Mapping | None:
        """This version."""
        with self._database.read() as calls:
            return _mapping(calls.one(NAME, {"_id": f"{kind}:{number}"}))

    def active(self, kind: str) -> Mapping | None:
        """The active version; costs one look at a small document where it is the one of the last time."""
        with self._database.read() as calls:
            number = _active(calls, kind)
            known = self._known.get(kind)
            if number and (known is None or known.number != number):
                known = _mapping(calls.one(NAME, {"_id": f"{kind}:{number}"}))
                if known is not None:
                    self._known[kind] = known
        return known if number else None

    def list(self, kind: str) -> builtins.list[Mapping]:
        """All versions, the newest first."""
        with self._database.read() as calls:
            found = [_mapping(one) for one in calls.find(NAME, {"kind": kind}, sort=[("number", -1)])]
        return [one for one in found if one is not None]

    def apply(self, kind: str, number: int, step: CourseStep | None = None) -> str:
        """Version, catalogue and change in one write; '' or why nothing was done."""
        at = self._clock.now()

        def work(calls: Calls) -> str:
            found = calls.one(NAME, {"_id": f"{kind}:{number}"}, {"state": 1, "base": 1})
            now = _active(calls, kind)
            if found is None:
                return f"there is no version {number}"
            if found["state"] != "proposed":
                return f"version {number} is {found['state']} already"
            if found["base"] != now:
                return f"version {number} was proposed on top of {found['base']}, and {now} is active since: propose it again"
            if step and (why := directory.move(calls, step)):
                return why
            change = Changes(calls, at, [("mapping", f"{kind}:{number}")]).write()
            calls.update(ACTIVE, {"_id": kind}, {"$set": {"number": Int64(number)}})
            calls.update(NAME, {"_id": f"{kind}:{now}"}, {"$set": {"state": "retired"}})
            calls.update(NAME, {"_id": f"{kind}:{number}"}, {"$set": {"state": "active", "applied": Int64(at), "change": Int64(change)}})
            return ""

        return self._database.write(work)

    def put_readings(self, number: int, readings: Sequence[tuple[int, bytes]]) -> bool:
        """Replace the readings of these statements (seq, reading), if this version of the verb map is still active.

        Another version may become active meanwhile. What it has rewritten already is not undone: two that write one
        statement do not both commit, and who begins again finds that its version is not the active one."""
        def work(calls: Calls) -> bool:
            if _active(calls, "verbs") != number:
                return False
            writes: builtins.list[Write] = [UpdateOne({"seq": seq}, {"$set": {"reading": reading}}) for seq, reading in readings]
            for start in range(0, len(writes), AT_ONCE):
                calls.write_each(STATEMENTS, writes[start:start + AT_ONCE])
            if readings:
                # drawn last: all who rewrite meet at the number, and none waits for the writes of another
                first = numbers.draw(calls, REWRITTEN, len(readings))
                log = [{"_id": Int64(first + place), "seq": Int64(seq)} for place, (seq, _) in enumerate(readings)]
                for start in range(0, len(log), AT_ONCE):
                    calls.insert(REWRITTEN, log[start:start + AT_ONCE])
            return True

        return self._database.write(work)

    def rewritten(self, after: int, n: int) -> Sequence[tuple[int, int]]:
        """At most n entries (number, seq) of the log of rewritten readings with number > after, in order."""
        if n < 1:
            return []
        with self._database.read() as calls:
            # the number first: all entries up to it are seen by a later look of the same session
            bounds = {"$gt": Int64(after), "$lte": Int64(numbers.last(calls, REWRITTEN))}
            return [(int(one["_id"]), int(one["seq"])) for one in calls.find(REWRITTEN, {"_id": bounds}, sort=[("_id", 1)], limit=n)]

    def forget_rewritten(self, through: int) -> None:
        """Take the entries up to this number out of the log."""
        while True:
            with self._database.read() as calls:
                wanted = {"_id": {"$lte": Int64(through)}}
                found = [one["_id"] for one in calls.find(REWRITTEN, wanted, {"_id": 1}, limit=FORGOTTEN_AT_ONCE)]
            if not found:
                return
            with self._database.alone() as calls:
                calls.delete_many(REWRITTEN, {"_id": {"$in": found}})


def _active(calls: Calls, kind: str) -> int:
    found = calls.one(ACTIVE, {"_id": kind})
    return int(found["number"]) if found else 0


def _mapping(found: Document | None) -> Mapping | None:
    if found is None:
        return None
    return Mapping(found["kind"], int(found["number"]), found["body"], found["state"], found["who"], int(found["at"]), found["note"],
                   int(found["base"]), int(found["applied"]), int(found["change"]))
