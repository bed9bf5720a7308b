"""Index rows that a statement owes to the statements it refers to: written in whichever order they arrive.

Two transactions that do not see each other may store a statement and one that refers to it. They meet at one document:
whoever finds a statement absent that he depends on leaves, under its id, that it is `awaited`, and whoever stores it
must replace that document. So one of the two fails, begins again, and sees the other.
"""
from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from bson import Binary, Int64
from pymongo import UpdateOne

from lrs.statements.record import Prepared
from lrs.store.mongo.database import Calls, Document, Write
from lrs.store.mongo.rows import STATEMENTS, key

REFERRALS = "referrals"
SHADOWS = "shadows"
TODO = "shadow_todo"
INDEXES: dict[str, dict[str, list[tuple[str, int]]]] = {
    REFERRALS: {"by_target": [("target", 1), ("seq", 1)]},
    SHADOWS: {"by_term": [("terms", 1), ("_id", 1)]},
    TODO: {},
}
IN_REQUEST = 1_000
"""Pairs (referrer, statement of its chain) that a request writes besides one a statement; the rest is left in
shadow_todo. For the whole request: a batch that is one long chain would else outlast its deadline."""
_MOST = (1 << 63) - 1
AT_ONCE = 200
"""Rows written in one call."""

Task = tuple[Binary | None, int | None, int, int]
"""(target, referrer, after, start). With a referrer: it gets the terms of the chain that begins at seq `start`, of
which `after` statements are done. Without: every direct referrer of `target` with seq > `after` gets them, and so do
those who refer to that one."""


@dataclass(slots=True)
class Budget:
    """How many pairs may still be written."""

    left: int


def packed(position: tuple[int, int]) -> bytes:
    """The `_id` of a row of SHADOWS: (seq, via), both cut to what a row can have, in bytes that sort as they do."""
    return struct.pack(">qq", *(min(max(value, 0), _MOST) for value in position))


def unpacked(name: bytes) -> tuple[int, int]:
    """The inverse of `packed`."""
    seq, via = struct.unpack(">qq", name)
    return seq, via


def await_(calls: Calls, absent: Binary) -> None:
    """Note that what is being done depends on this statement's absence."""
    calls.update(STATEMENTS, {"_id": absent}, {"$inc": {"awaited": 1}}, upsert=True)


def refer(calls: Calls, new: Prepared, seq: int) -> None:
    """Note what a statement refers to."""
    if new.target is not None:
        calls.insert(REFERRALS, [{"_id": key(new.id), "target": key(new.target), "seq": Int64(seq), "voids": new.voids is not None,
                                  "provider": new.provider, "may_void_any": new.may_void_any}])


def link(calls: Calls, seq: int, statement_id: Binary, target: Binary | None, budget: Budget, *, awaited: bool) -> None:
    """Index a statement just stored: for what it refers to, and, where it was awaited, for those who referred to it before.
    Costs the budget, which all statements of a request share, one a pair."""
    tasks: list[Task] = []
    if target is not None:
        first = calls.one(STATEMENTS, {"_id": target}, {"seq": 1})
        if first is None or "seq" not in first:
            await_(calls, target)
        elif first["seq"] != seq:
            tasks.append((None, seq, 0, int(first["seq"])))
    if awaited:
        tasks.append((statement_id, None, 0, seq))
    if tasks:
        _leave(calls, _work(calls, tasks, budget))


def newest(calls: Calls) -> int:
    """The greatest seq of a statement that refers to another, 0 if none does. Reads all of REFERRALS."""
    row, referral = calls.one(SHADOWS, {}, {"_id": 1}, sort=[("_id", -1)]), calls.one(REFERRALS, {}, {"seq": 1}, sort=[("seq", -1)])
    return max(unpacked(row["_id"])[0] if row else 0, int(referral["seq"]) if referral else 0)


def catch_up(calls: Calls, pairs: int) -> bool:
    """Do a part of what requests left undone, about `pairs` pairs, in the caller's transaction; False if none was."""
    task = calls.one(TODO, {}, sort=[("_id", 1)])
    if task is None:
        return False
    calls.delete(TODO, {"_id": task["_id"]})
    _leave(calls, _work(calls, [(task["target"], task["referrer"], task["after"], task["start"])], Budget(pairs)))
    return True


def _leave(calls: Calls, tasks: list[Task]) -> None:
    if tasks:
        calls.insert(TODO, [{"target": target, "referrer": referrer, "after": Int64(after), "start": Int64(start)}
                            for target, referrer, after, start in tasks])


@dataclass(slots=True)
class _Shadows:
    calls: Calls
    writes: list[Write] = field(default_factory=list)

    def add(self, referrer: int, via: int, terms: list[Int64]) -> None:
        if terms:
            # a pair that stands already stays one
            self.writes.append(UpdateOne({"_id": packed((referrer, via))}, {"$setOnInsert": {"terms": terms}}, upsert=True))
            if len(self.writes) >= AT_ONCE:
                self.write()

    def write(self) -> None:
        if self.writes:
            self.calls.write_each(SHADOWS, self.writes)
            self.writes = []


def _work(calls: Calls, tasks: list[Task], budget: Budget) -> list[Task]:
    """Do as much as the budget allows; what is left."""
    shadows = _Shadows(calls)
    while tasks and budget.left > 0:
        target, referrer, after, start = tasks.pop()
        if referrer is not None:
            _shadow(shadows, referrer, after, start, budget, tasks)
            continue
        found = calls.one(REFERRALS, {"target": target, "seq": {"$gt": after}}, {"seq": 1}, sort=[("seq", 1)])
        if found is None:
            continue
        seq = int(found["seq"])
        tasks.append((target, None, seq, start))
        budget.left -= 1
        if seq != start:  # a loop: every way back leads through the statement where the chain began
            tasks += [(found["_id"], None, 0, start), (None, seq, 0, start)]
    shadows.write()
    return tasks


def _shadow(shadows: _Shadows, referrer: int, after: int, start: int, budget: Budget, tasks: list[Task]) -> None:
    for place, part in enumerate(_chain(shadows.calls, start)):
        if part["seq"] == referrer:
            break
        if place < after:
            continue
        if budget.left <= 0:
            tasks.append((None, referrer, place, start))
            break
        shadows.add(referrer, int(part["seq"]), part["terms"])
        budget.left -= 1


def _chain(calls: Calls, start: int) -> Iterator[Document]:
    """seq and own terms of this statement, of the one it refers to, and so on; each once. Where it ends at one that is
    not here, that one is awaited."""
    fields = {"seq": 1, "terms": 1, "target": 1}
    part = calls.one(STATEMENTS, {"seq": start}, fields)
    seen: set[int] = set()
    while part is not None and part["seq"] not in seen:
        seen.add(part["seq"])
        yield part
        target = part.get("target")
        if target is None:
            return
        part = calls.one(STATEMENTS, {"_id": target}, fields)
        if part is None or "seq" not in part:
            await_(calls, target)
            return
