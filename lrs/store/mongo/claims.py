"""Claiming deliveries and recording how they ended, within the limits of each target, in the caller's transaction."""
from __future__ import annotations

import logging
import secrets
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from typing import TypeVar

import msgspec
from bson import Int64
from pymongo import UpdateOne

from lrs.store.claiming import AHEAD_MAX_US, COMPANY, Standing, after_loss, as_told, calls, held_back, is_suspect, judged, shares
from lrs.store.mongo import owed
from lrs.store.mongo.database import Calls, Document, Write
from lrs.store.mongo.targets import every_target, put_standing
from lrs.store.protocols.work import Attempt, Claimed, Limits

log = logging.getLogger("store.work")
Result = TypeVar("Result")
REFUSED = (401, 403, 410, 429)
"""Answers after which it is certain that the target did not take the event: refused at the door."""
UNTOLD = ("parked", "cancelled")
"""Ends of attempts in which nothing was sent."""
TURN = "claims"
"""The number that every claim raises, so that claims are one after the other: what is in flight is decided over all targets."""


def take_turn(db: Calls) -> None:
    """Be the only one who claims until the transaction ends. Its first write: who comes too early is to have done nothing in vain."""
    db.update("numbers", {"_id": TURN}, {"$inc": {"n": Int64(1)}})


def told_of(committed: tuple[Result, list[str]]) -> Result:
    """The result of a transaction that stands, after what it has to tell an operator went to the log: not at each try."""
    result, told = committed
    for one in told:
        log.warning("%s", one)
    return result


def is_mending_due(db: Calls, now: int, leases: int) -> bool:
    """Whether a lease has ended, or a delivery is due later than any may be."""
    return any(db.one(owed.NAME, {"leased": one.name, "due": owed.until_now(leases)}, {"_id": 1})
               or _ahead(db, one.name, now) for one in every_target(db))


def _ahead(db: Calls, target: str, now: int) -> list[bytes]:
    # not asked for by its state, by which a server may look through all that wait
    found = db.find(owed.NAME, {"target": target, "due": {"$gt": now + AHEAD_MAX_US}}, {"state": 1})
    return [one["_id"] for one in found if one["state"] in owed.UNSENT]


def open_targets(db: Calls, now: int, leases: int, limits: Limits, heads: owed.Heads, alone: bool = False) -> list[Standing]:
    """Those targets that something is due for (`alone`: a suspect) and that may be called now. `leases`: the time (µs) by
    which leases go."""
    found = []
    for target in every_target(db):
        if target.state != "active" or not _any(db, target.name, now, heads, alone):
            continue
        held = {one["lease"] for one in db.find(owed.NAME, {"leased": target.name, "due": {"$gt": leases}}, {"lease": 1})}
        admission = limits.admit(target, len(held), now)
        if admission.calls > 0:
            found.append(Standing(target, len(held), admission))
    return found


def _any(db: Calls, target: str, now: int, heads: owed.Heads, alone: bool) -> bool:
    if alone:
        return any(one["state"] != "leased" for one in db.find(owed.NAME, _suspects(target, now), {"state": 1}))
    return any(one["state"] != "leased" and not is_suspect(one.get("lost", 0))
               for page in owed.due(db, target, now, heads[target]) for one in page)


def _suspects(target: str, now: int) -> Document:
    return {"lost": {"$gte": COMPANY}, "target": target, "due": owed.until_now(now)}


def claim(db: Calls, n: int, leases: int, lease: int, owner: str, now: int, limits: Limits, heads: owed.Heads,
          alone: bool, told: list[str]) -> list[Claimed]:
    """Lease the deliveries of at most n calls for `lease` µs from `leases` (the time by which leases go) on; `alone`: those of
    no call but one, that of a suspect. `now`: the wall clock, by which they are due. What an operator should hear once it is
    committed is added to `told`. The caller has taken his turn."""
    _find_lost(db, now, leases, limits, told)
    holders = [one["owner"] for one in db.find(owed.NAME, {"lost": {"$gte": COMPANY}, "state": "leased"}, {"owner": 1})]
    if held_back(alone, owner, holders, alone and _has_in_flight(db, owner)):
        return []
    n = min(n, 1) if alone else n
    waiting: dict[str, list[list[Document]]] = {}
    standing: dict[str, Standing] = {}
    for one in open_targets(db, now, leases, limits, heads, alone):
        name, admission = one.target.name, one.admission
        rows = _claimable(db, name, now, heads, alone, min(admission.calls, n) * admission.batch)
        if found := calls(rows, admission.batch, lambda row: int(row.get("lost", 0))):
            waiting[name], standing[name] = found[:admission.calls], one
    claimed: list[Claimed] = []
    for name, count in shares(n, standing, waiting).items():
        claimed += _lease(db, name, waiting[name][:count], owner, leases + lease)
        target, health = standing[name].target, standing[name].admission.health
        tokens = None if health.tokens is None else health.tokens - count
        put_standing(db, replace(target, health=msgspec.structs.replace(health, served_at=now, tokens=tokens)))
    return claimed


def _claimable(db: Calls, target: str, now: int, heads: owed.Heads, alone: bool, most: int) -> list[Document]:
    """At most so many that are due (`alone`: suspects), each the earliest unfinished revision, with all its `revisions`."""
    if alone:
        suspects = db.find(owed.NAME, _suspects(target, now), owed.CLAIM, sort=[("due", 1), ("n", 1)])
        return _first(db, target, suspects, alone)[:most]
    pages = owed.due(db, target, now, heads[target])
    found = list(islice((one for page in pages for one in _first(db, target, page, alone)), most))
    heads[target].since = int(found[0]["due"]) if found else now
    return found


def _first(db: Calls, target: str, page: list[Document], alone: bool) -> list[Document]:
    page = [one for one in page if one["state"] != "leased" and is_suspect(one.get("lost", 0)) == alone]
    revisions = owed.siblings(db, [one["event_id"] for one in page], target)
    found = []
    for one in page:
        one["revisions"] = revisions[target, one["event_id"]]
        if not any(other["revision"] < one["revision"] and other["state"] in owed.BLOCKING for other in one["revisions"]):
            found.append(one)
    return found


def _has_in_flight(db: Calls, owner: str) -> bool:
    return db.one(owed.NAME, {"leased": {"$exists": True}, "owner": owner}, {"_id": 1}) is not None


def _lease(db: Calls, target: str, waiting: Sequence[Sequence[Document]], owner: str, until: int) -> list[Claimed]:
    payloads: dict[bytes, bytes] = {}
    for names in owed.chunks(row["_id"] for call in waiting for row in call):
        payloads.update((one["_id"], one["payload"]) for one in db.find(owed.NAME, {"_id": {"$in": names}}, {"payload": 1}))
    claimed: list[Claimed] = []
    writes: list[Write] = []
    for call in waiting:
        lease = secrets.token_hex(8)
        for row in call:
            got, tried = owed.heard(row["revisions"], row["revision"])
            told = as_told(row["event"], payloads[row["_id"]], got=got, tried=tried)
            if told is None:
                owed.cancel(db, [one["_id"] for one in row["revisions"] if one["revision"] <= row["revision"]],
                            "taken back before the target ever got it")
                continue
            writes.append(UpdateOne({"_id": row["_id"], "state": row["state"]}, {"$set": {
                "state": "leased", "lease": lease, "leased": target, "owner": owner, "due": Int64(until), "tried": True,
                "released": False}}))
            claimed.append(Claimed(owed.shown(row["_id"]), target, told[0], row["event_id"], int(row["revision"]), told[1],
                                   int(row["attempts"]), row["unclear"], lease, until))
    db.write_each(owed.NAME, writes)
    return claimed


def _find_lost(db: Calls, now: int, leases: int, limits: Limits, told: list[str]) -> None:
    """What becomes of those whose lease ended without an outcome, whether they arrived is not known; and of those that a
    clock that was wrong has put off."""
    writes: list[Write] = []
    noted: list[Document] = []
    everybody = [target.name for target in every_target(db)]
    for name in everybody:
        for names in owed.chunks(_ahead(db, name, now)):
            db.update_many(owed.NAME, {"_id": {"$in": names}, "state": {"$in": owed.UNSENT}}, {"$set": {"due": Int64(now)}})
    for names in owed.chunks(everybody):
        for one in db.find(owed.NAME, {"leased": {"$in": names}, "due": owed.until_now(leases)}, {**owed.CLAIM, "tries": 1}):
            loss = after_loss(int(one.get("lost", 0)), one["owner"], int(one["due"]), now, limits.lone_waits)
            change: Document = {"state": loss.state, "lost": Int64(loss.lost), "why": loss.why, "unclear": True, "released": False}
            gone = dict(owed.FREE)
            if loss.due is None:
                gone["due"] = ""
            else:
                change["due"] = Int64(loss.due)
            if loss.noted:
                change |= {"tries": one["tries"] + 1, "reached": True, "arrived": True}
                noted.append(owed.attempt(one["_id"], one["tries"] + 1, now, loss.state, int(one["attempts"]), loss.why))
                said = "dead" if loss.state == "dead" else "a suspect"
                told.append(f"delivery {owed.shown(one['_id'])} is {said}: {loss.why}")
            writes.append(UpdateOne({"_id": one["_id"], "state": "leased"}, {"$set": change, "$unset": gone}))
    db.write_each(owed.NAME, writes)
    if noted:
        db.insert(owed.ATTEMPTS, noted)


def record(db: Calls, attempts: Sequence[Attempt], limits: Limits, told: list[str]) -> int:
    """Write how attempts ended and what it makes of their targets; how many were written. What an operator should hear
    once it is committed is added to `told`."""
    named = {one.id: name for one in attempts if (name := owed.key(one.id)) is not None}
    held: dict[bytes, Document] = {}
    for names in owed.chunks(named.values()):
        held.update((one["_id"], one) for one in db.find(owed.NAME, {"_id": {"$in": names}}, owed.END))
    written: list[tuple[str, Attempt]] = []
    writes: list[Write] = []
    tries: list[Document] = []
    for one in attempts:
        found = held.get(named[one.id]) if one.id in named else None
        if found is None or found["state"] != "leased" or found["lease"] != one.lease:
            continue
        writes.append(UpdateOne({"_id": found["_id"], "state": "leased", "lease": one.lease}, _end(found, one)))
        tries.append(owed.attempt(found["_id"], found["tries"] + 1, one.at, one.state, one.attempts, one.why, one.status,
                                  one.milliseconds, one.body))
        written.append((found["target"], one))
        found["state"] = one.state  # named a second time, its lease is a stale one
    if written:
        db.write_each(owed.NAME, writes)
        db.insert(owed.ATTEMPTS, tries)
        for target, said in judged(every_target(db), written, limits):
            put_standing(db, target)
            told += [said] if said else []
    return len(written)


def _end(found: Document, one: Attempt) -> Document:
    """The change of a delivery by how an attempt at it ended."""
    # what it lacked was learned while it was under way: not parked, but due again
    state, due = ("waiting", one.at) if one.state == "parked" and found["released"] else (one.state, one.due)
    sent = one.state not in UNTOLD
    reached = found["reached"] or (sent and one.status not in REFUSED)
    arrived = found["arrived"] or (sent and not 400 <= (one.status or 0) <= 499)
    change: Document = {"state": state, "attempts": one.attempts, "why": one.why, "unclear": one.unclear, "tries": found["tries"] + 1,
                        "tried": one.unclear or reached, "reached": reached, "arrived": arrived}
    gone = {**owed.FREE, "lost": ""}
    if state == "waiting" and due is not None:
        change["due"] = Int64(due)
    else:
        gone["due"] = ""
    return {"$set": change, "$unset": gone}
