"""Deliveries in MongoDB: owed once per (target, achievement, revision), claimed by lease, in order per achievement."""
from __future__ import annotations

from collections.abc import Iterator, Sequence

from bson import Int64
from pymongo import UpdateOne

from lrs.store.mongo import claims, owed, targets
from lrs.store.mongo.claims import told_of
from lrs.store.mongo.clock import Clock
from lrs.store.mongo.database import Calls, Database, Document, Write
from lrs.store.mongo.owed import ATTEMPTS, BLOCKING, FINISHED, NAME, UNSENT
from lrs.store.mongo.targets import AT_ONCE
from lrs.store.protocols.work import Attempt, Claimed, DeliveryRow, Limits, Published, Unlimited, Wanted
from lrs.store.webhook_ids import webhook_id

UNLIMITED = Unlimited()
STATES = (*BLOCKING, *FINISHED)
CHOSEN = dict.fromkeys(("target", "event_id", "revision", "revoke"), 1)
Owed = tuple[str, Published, int]


def owe(calls: Calls, events: Sequence[Owed], now: int) -> None:
    """Owe events (target, event, number in the feed); owed once however often this is called. A revoke cancels what was
    never tried; it is itself sent only if the target may have got something."""
    new = {one["_id"]: one for one in (owed.document(target, event, n, now) for target, event, n in events)}
    for names in owed.chunks(list(new)):
        for known in calls.find(NAME, {"_id": {"$in": names}}, {"_id": 1}):
            del new[known["_id"]]
    for some in owed.chunks(new.values(), AT_ONCE):
        calls.insert(NAME, some)
    _take_back(calls, [one for one in events if one[1].event.endswith(".revoked")])


def _take_back(calls: Calls, revokes: Sequence[Owed]) -> None:
    known = owed.siblings(calls, [event.event_id for _, event, _ in revokes])
    cancelled: dict[bytes, str] = {}
    for target, event, n in revokes:
        # as if each were owed by itself, in the order of the feed: what is owed after a revoke is not taken back by it
        before = [one for one in known[target, event.event_id] if one["n"] <= n]
        for one in before:
            if one["revision"] < event.revision and not one["tried"] and one["state"] in UNSENT:
                cancelled.setdefault(one["_id"], "taken back before it was sent")
        if not any(owed.heard(before, event.revision)):
            name = owed.key(webhook_id(target, event.event_id, event.revision))
            assert name is not None
            cancelled.setdefault(name, "the target never got what this takes back")
    for why in dict.fromkeys(cancelled.values()):
        owed.cancel(calls, [name for name, said in cancelled.items() if said == why], why)


def release_parked(calls: Calls, changed: Sequence[tuple[str, str]], now: int) -> None:
    """Make parked deliveries about these persons and courses due: what they lacked may be there now. One that is under way
    may have been made with what was known before: if it ends parked, it is due at once."""
    for kind in ("person", "course"):
        for keys in owed.chunks(dict.fromkeys(key for of, key in changed if of == kind)):
            calls.update_many(NAME, {"state": "leased", kind: {"$in": keys}}, {"$set": {"released": True}})
            calls.update_many(NAME, {"state": "parked", kind: {"$in": keys}}, {"$set": {"state": "waiting", "due": Int64(now)}})


def cancel_unsent(calls: Calls, event_ids: Sequence[str]) -> None:
    """Cancel what was not sent yet of achievements; their revokes go on, to those who were told of them."""
    for some in owed.chunks(dict.fromkeys(event_ids)):
        calls.update_many(NAME, {"event_id": {"$in": some}, "state": {"$in": UNSENT}, "revoke": False},
                          {"$set": {"state": "cancelled", "why": "the achievement was merged into another"}, "$unset": {"due": ""}})


class Deliveries:
    """The part of `MongoWork` that keeps deliveries. What an operator does to many is done `AT_ONCE` by `AT_ONCE`: broken
    off, it is done in part, and done again it is completed."""

    _database: Database
    _leases: Clock
    _heads: owed.Heads

    def claim_due(self, n: int, lease_seconds: float, owner: str, now: int, limits: Limits = UNLIMITED,
                  ended: Sequence[Attempt] = (), alone: bool = False) -> list[Claimed]:
        """The deliveries of at most n calls that are due, leased in one commit that also records what `ended`. Only
        the earliest unfinished revision of an achievement and target is due; an expired lease makes an unclear attempt.
        Suspects are claimed `alone`: one, by who has nothing else in flight."""
        leases = self._leases.now()
        if not ended:
            with self._database.read() as calls:
                if not (claims.is_mending_due(calls, now, leases) or claims.open_targets(calls, now, leases, limits, self._heads, alone)):
                    return []

        def work(calls: Calls) -> tuple[list[Claimed], list[str]]:
            told: list[str] = []
            claims.take_turn(calls)
            claims.record(calls, ended, limits, told)
            return claims.claim(calls, n, leases, round(lease_seconds * 1_000_000), owner, now, limits, self._heads, alone, told), told

        return told_of(self._database.write(work))

    def is_suspect_due(self, now: int, limits: Limits = UNLIMITED) -> bool:
        """Whether a claim `alone` may find something now; a look that writes nothing."""
        with self._database.read() as calls:
            return bool(claims.open_targets(calls, now, self._leases.now(), limits, self._heads, alone=True))

    def record(self, attempts: Sequence[Attempt], limits: Limits = UNLIMITED) -> int:
        """Write how attempts ended, in one commit; a stale lease changes nothing."""
        def work(calls: Calls) -> tuple[int, list[str]]:
            told: list[str] = []
            return claims.record(calls, attempts, limits, told), told

        return told_of(self._database.write(work))

    def give_back(self, claimed: Sequence[Claimed], now: int) -> None:
        """Return claims on which nothing was sent, due at once."""
        writes: list[Write] = [
            UpdateOne({"_id": owed.key(one.id), "lease": one.lease, "state": "leased"},
                      {"$set": {"state": "waiting", "due": Int64(now), "unclear": one.unclear}, "$unset": owed.FREE}) for one in claimed]
        self._database.write(lambda calls: calls.write_each(NAME, writes))

    def expire_leases(self, targets: Sequence[str], owner: str, now: int) -> int:
        """Make leases of other owners due at once, as unclear attempts: for the only worker, at its start, and for
        targets that drop a repeated webhook-id."""
        change = {"$set": {"due": Int64(self._leases.now()), "unclear": True}}
        return self._database.write(lambda calls: sum(
            calls.update_many(NAME, {"leased": target, "owner": {"$ne": owner}}, change) for target in targets))

    def release(self, wanted: Wanted, *, now: int) -> int:
        """Make parked deliveries due again."""
        return self._change(_where(wanted, ("parked",)), ("parked",), {"$set": {"state": "waiting", "due": Int64(now)}})

    def cancel(self, wanted: Wanted, *, why: str, dry: bool) -> int:
        """Cancel what is not being sent at this moment and not finished; `dry` only counts them."""
        where = _where(wanted, UNSENT)
        if dry:
            with self._database.read() as calls:
                return calls.count(NAME, where)
        return self._change(where, UNSENT, {"$set": {"state": "cancelled", "why": why}, "$unset": {"due": ""}})

    def _change(self, where: Document, states: Sequence[str], change: Document) -> int:
        with self._database.read() as calls:
            names = [one["_id"] for page in _pages(calls, where, {"_id": 1}) for one in page]
        return sum(self._change_some(some, states, change) for some in owed.chunks(names, AT_ONCE))

    def _change_some(self, names: list[bytes], states: Sequence[str], change: Document) -> int:
        def work(calls: Calls) -> int:
            targets.act(calls)
            return calls.update_many(NAME, {"_id": {"$in": names}, "state": {"$in": states}}, change)

        return self._database.write(work)

    def replay(self, wanted: Wanted, *, now: int, dry: bool) -> int:
        """Make finished deliveries due again under the same id, with a fresh schedule; `dry` only counts them.

        Cancelled ones only where named by id or state. What was delivered, or may have arrived, comes back as unclear: a
        target that does not drop a repeated id is asked whether it has it. Later revisions that were delivered follow again, so
        that the target ends at the newest; a revoke of what the target never got is not replayed, nor anything to one that is gone.
        """
        states = FINISHED if wanted.ids or wanted.state else tuple(state for state in FINISHED if state != "cancelled")
        with self._database.read() as calls:
            groups = _replayed(calls, _to_targets(calls, _where(wanted, states)))
        if dry:
            return sum(map(len, groups))
        return sum(self._replay_some(some, now) for some in _together(groups))

    def _replay_some(self, names: list[bytes], now: int) -> int:
        def work(calls: Calls) -> int:
            targets.act(calls)
            found = calls.find(NAME, {"_id": {"$in": names}, "state": {"$in": FINISHED}}, {"state": 1, "unclear": 1, "arrived": 1})
            for unclear in (True, False):
                some = [one["_id"] for one in found if (one["state"] == "delivered" or one["unclear"] or one["arrived"]) == unclear]
                if some:
                    calls.update_many(NAME, {"_id": {"$in": some}}, {
                        "$set": {"unclear": unclear, "state": "pending", "attempts": 0, "due": Int64(now), "why": "replayed"},
                        "$unset": {"lost": ""}})
            return len(found)

        return self._database.write(work)

    def deliveries(self, wanted: Wanted, limit: int = 100, before: tuple[int, str] | None = None) -> list[DeliveryRow]:
        """The newest first, by (created, id); only those before the given (created, id)."""
        with self._database.read() as calls:
            at = None if before is None else (before[0], _bound(before[1]))
            return [owed.row(one) for one in _newest(calls, _where(wanted), owed.ROW, limit, at)]

    def payload(self, delivery_id: str) -> bytes | None:
        """The event that a delivery carries."""
        with self._database.read() as calls:
            found = calls.one(NAME, {"_id": owed.key(delivery_id)}, {"payload": 1})
        return found["payload"] if found else None

    def attempts(self, delivery_id: str) -> list[Attempt]:
        """Every attempt of a delivery, oldest first."""
        name = owed.key(delivery_id)
        if name is None:
            return []
        with self._database.read() as calls:
            found = calls.find(ATTEMPTS, {"_id": {"$gte": name + b"\0" * 4, "$lte": name + b"\xff" * 4}})
        return [Attempt(delivery_id, "", int(one["at"]), one["state"], one["attempts"], None, one["why"], one["status"],
                        one["milliseconds"], one["body"]) for one in sorted(found, key=lambda one: (one["at"], one["_id"]))]

    def oldest_due(self, target: str, now: int) -> int | None:
        """When the longest due delivery of this target became due, µs; None where none is due."""
        with self._database.read() as calls:
            head = self._heads[target]
            found = next((int(one["due"]) for page in owed.due(calls, target, now, head) for one in page if one["state"] != "leased"), None)
            head.since = now if found is None else found
        return found

    def count_by_state(self) -> dict[str, int]:
        """How many deliveries are in each state."""
        # a transaction: one that changes its state meanwhile is not counted twice
        counted = self._database.write(lambda calls: {state: calls.count(NAME, {"state": state}) for state in STATES})
        return {state: count for state, count in counted.items() if count}


def _where(wanted: Wanted, states: Sequence[str] = STATES) -> Document:
    """The condition; `states` are those that come into question."""
    where: Document = {field: value for field in ("target", "event", "person", "course") if (value := getattr(wanted, field))}
    if wanted.ids:
        where["_id"] = {"$in": [name for one in wanted.ids if (name := owed.key(one)) is not None]}
    if wanted.state:
        where["state"] = wanted.state if wanted.state in states else {"$in": []}
    elif states != STATES:
        where["state"] = {"$in": states}
    created = {name: value for name, value in (("$gte", wanted.since), ("$lt", wanted.until)) if value is not None}
    return where | ({"created": created} if created else {})


def _to_targets(calls: Calls, where: Document) -> Document:
    return {**where, "target": {"$in": [one.name for one in targets.every_target(calls) if where.get("target", one.name) == one.name]}}


def _bound(delivery_id: str) -> bytes:
    """Below which those are whose webhook-id is below this text."""
    name = owed.key(delivery_id)
    if name is not None:
        return name
    return b"\xff" * 16 if delivery_id > "msg_g" else b""


def _newest(calls: Calls, where: Document, fields: Document, limit: int, before: tuple[int, bytes] | None) -> list[Document]:
    sort = [("created", -1), ("_id", -1)]
    if limit < 1:
        return []
    if before is None:
        return calls.find(NAME, where, fields, sort=sort, limit=limit)
    at, name = before
    said = where.get("created", {})
    found: list[Document] = []
    if said.get("$gte", at) <= at < said.get("$lt", at + 1):
        same = {**where, "created": at, "_id": {**where.get("_id", {}), "$lt": name}}
        found = calls.find(NAME, same, fields, sort=[("_id", -1)], limit=limit)
    if len(found) < limit:
        older = {**where, "created": {**said, "$lt": min(at, said.get("$lt", at))}}
        found += calls.find(NAME, older, fields, sort=sort, limit=limit - len(found))
    return found


def _pages(calls: Calls, where: Document, fields: Document) -> Iterator[list[Document]]:
    before = None
    while found := _newest(calls, where, {**fields, "created": 1}, AT_ONCE, before):
        yield found
        before = (int(found[-1]["created"]), found[-1]["_id"])


def _replayed(calls: Calls, where: Document) -> list[list[bytes]]:
    """Which a replay sends again, those of one achievement and target together."""
    chosen: dict[tuple[str, str], list[Document]] = {}
    for page in _pages(calls, where, CHOSEN):
        for one in page:
            chosen.setdefault((one["target"], one["event_id"]), []).append(one)
    groups: list[list[bytes]] = []
    for some in owed.chunks(chosen):
        revisions = owed.siblings(calls, [event_id for _, event_id in some])
        for at in some:
            known = revisions[at]
            again = [one for one in chosen[at] if not one["revoke"] or any(owed.heard(known, one["revision"]))]
            if again:
                first = min(one["revision"] for one in again)
                later = [one["_id"] for one in known if one["state"] == "delivered" and one["revision"] > first]
                groups.append(list(dict.fromkeys([*(one["_id"] for one in again), *later])))
    return groups


def _together(groups: Sequence[list[bytes]]) -> Iterator[list[bytes]]:
    """Lists of about AT_ONCE. No group is split: else a later revision could be claimed before an earlier one is due."""
    some: list[bytes] = []
    for group in groups:
        some += group
        if len(some) >= AT_ONCE:
            yield some
            some = []
    if some:
        yield some
