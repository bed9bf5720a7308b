"""What must hold after every step, whatever happens: told of by those who see it from outside, and read from the store."""
from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

import orjson

from lrs.store.protocols.work import Attempt, Claimed
from lrs.store.sqlite.deliveries import webhook_id
from simulation.clocks import SECOND
from simulation.receivers import WAITS, Receiver
from simulation.store import ModelStore
from simulation.store.content import Log, Outgoing, Owed
from workers.deliver import Ended

SCHEDULE = (0, 5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
"""Standard Webhooks' retry schedule, seconds, written down once more."""
RESTS = (10, 20, 40, 80, 160, 320, 600)
"""How long an open breaker rests, seconds."""
PACES = {"webhook": (500.0, 500, 4), "ledger": (2.0, 3, 2), "bulk": (5.0, 4, 2)}
"""Calls a second, burst, in flight, by connector."""
LONE = 3
"""Workers that end over a delivery and nothing else, before it is dead."""
ENRICHED = {"user": {"hrisId", "crmId"}, "course": {"title", "hrisType"}}
"""What may be added to an event between two attempts."""


class Broken(BaseException):
    """An invariant does not hold. Not an `Exception`: the product, which bears with faults of a connector, would bear with it."""


def must(holds: object, why: str, *details: object) -> None:
    """Raises `Broken` with the sentence that does not hold."""
    if not holds:
        raise Broken(f"{why}: {', '.join(map(repr, details))}")


@dataclass
class Bucket:
    """The calls of a target, counted once more. `down`: calls in a row that failed, `rests` of the breaker, until when."""

    level: float
    at: int
    down: int = 0
    rests: int = 0
    until: int = 0
    asked: int = 0
    heard: int = 0
    """How many calls' ends have been recorded."""


@dataclass
class Watch:
    """The memory of an outside observer. `steady`: the wall clock never steps in this seed, so that times can be compared."""

    store: ModelStore
    connectors: dict[str, str]
    steady: bool
    acknowledged: dict[str, int] = field(default_factory=dict)
    """The seq of every statement that a client was told is stored."""
    latest: int = 0
    """The highest of them."""
    replayed: set[str] = field(default_factory=set)
    promised: tuple[int, int] = (0, 0)
    _log: tuple[Log | None, int, tuple[int, int]] = (None, 0, (0, 0))
    """The statements' file as it was when it was last found good, with how much was acknowledged and promised then."""
    _ids: tuple[int, dict[str, int] | None] = (0, None)
    """How much was acknowledged, and the ids and seqs in the statements' file, when they were last compared."""
    _out: Outgoing | None = None
    """The worker's file as it was when it was last found good."""
    _claimed: Outgoing | None = None
    """The same, for what is in flight."""
    feed: list[tuple[int, bytes]] = field(default_factory=list)
    stands: dict[str, tuple[int, str]] = field(default_factory=dict)
    eased: dict[str, int] = field(default_factory=dict)
    """How often a target was resumed, or its deliveries released or replayed: what waits may go at once."""
    plans: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    """Delivery → (attempts used, due, `eased` of its target) as its last recorded attempt left it."""
    landed: set[tuple[str, str]] = field(default_factory=set)
    buckets: dict[str, Bucket] = field(default_factory=dict)
    first: dict[str, list[int]] = field(default_factory=dict)

    def check(self) -> None:
        """Read the store. What is committed never changes, it is replaced: each of the two files is read where it was, or where
        there is more that must be in it."""
        log, out = self.store.log.now, self.store.outgoing.now
        if self._log[0] is not log or self._log[1] != len(self.acknowledged) or self._log[2] != self.promised:
            self._log = log, len(self.acknowledged), self.promised
            self._check_log(log)
        if self._out is not out:
            self._out = out
            for key, times in out.alone.items():
                if (row := out.owed[key]).lost:
                    self._check_alone(row, times)
            self._check_feed(out.feed[len(self.feed):])
            must(len(out.feed) >= len(self.feed), "no row of the feed is gone", len(out.feed))

    def _check_log(self, log: Log) -> None:
        # where the ids are those of before, and nothing was acknowledged since, it was just looked
        known, self._ids = self._ids, (len(self.acknowledged), log.ids)
        if known != self._ids and not self.acknowledged.items() <= log.ids.items():
            must(False, "what was acknowledged is in the store where it was", dict(self.acknowledged.items() - log.ids.items()))
        through, count = self.promised
        if through:
            must(bisect_right(list(log.rows), through) == count, "nothing appears at or before a given consistent-through", through)

    def _check_alone(self, row: Owed, times: int) -> None:
        if row.state == "dead":
            must(times >= LONE, "only who was lost alone three times is dead of it", row, times)
        if row.state == "leased":
            held = [one for one in self.store.outgoing.now.owed.values() if one.state == "leased"]
            must([one.id for one in held if one.owner == row.owner] == [row.id], "who has a suspect has nothing beside it", row)
            must(not any(one.id != row.id and one.id in self.store.outgoing.now.alone for one in held), "one suspect is in flight", row)

    def _check_feed(self, rows: Sequence[Any]) -> None:
        for row in rows:
            must(row.n == len(self.feed) + 1, "rows of the feed are numbered without a gap", row.n, len(self.feed))
            event = orjson.loads(row.body)
            must((event["id"], event["revision"], event["event"]) == (row.event_id, row.revision, row.event), "a row is its event", row.n)
            must(event["user"]["externalId"] in self.store.log.now.people, "only people get rows in the feed", row.n)
            revision, said = self.stands.get(row.event_id, (0, "learning.revoked"))
            must(row.revision == revision + 1, "revisions rise by one", row.event_id, revision, row.revision)
            must((said == "learning.revoked") == (row.event == "learning.completed"), "what stands is not completed again, what does not "
                 "stand is neither updated nor revoked", row.event_id, row.revision, said, row.event)
            self.stands[row.event_id] = (row.revision, row.event)
            self.feed.append((row.n, row.body))

    def feed_read(self, after: int, rows: Sequence[Any]) -> None:
        """Somebody read the feed."""
        got = [(row.n, row.body) for row in rows]
        must(got == self.feed[after:after + len(got)], "a row of the feed is the same whenever it is read", after)

    def acknowledge(self, key: str, seq: int) -> None:
        """A client was told that its statement is stored."""
        before = self.acknowledged.setdefault(key, seq)
        self.latest = max(self.latest, before)
        must(before == seq, "a statement that is sent again has its first place", key, before, seq)

    def promise(self, through: int) -> None:
        """A reader was told that it has seen everything up to here."""
        must(through >= self.latest, "what was acknowledged before is promised", through)
        if through > self.promised[0]:
            self.promised = (through, bisect_right(list(self.store.log.now.rows), through))

    def ease(self, *targets: str) -> None:
        """Somebody made what waits for these targets due at once (none named: for all)."""
        for name in targets or self.connectors:
            self.eased[name] = self.eased.get(name, 0) + 1

    def told(self, receiver: Receiver, key: str, event: dict[str, Any], new: bool) -> None:
        """An event reached a receiver."""
        out = self.store.outgoing.now
        must(key == webhook_id(receiver.name, event["id"], event["revision"]), "an event has one id at a target", key)
        must((event.get("user") or {}).get("externalId") in self.store.log.now.people, "nothing is sent for whom nobody knows", event)
        must(event["revision"] in out.said.get(event["id"], ()), "what is sent is in the feed", event["id"], event["revision"])
        must(out.owed[key].state not in ("parked", "cancelled"), "what is parked or cancelled is not sent", key, out.owed[key].state)
        must(key in self.replayed or all(one.state != "delivered" for one in out.attempts.get(key, ())), "what was delivered is not sent "
             "again", receiver.name, key)
        if not new:
            must(receiver.dedupes, "what cannot drop a repeat gets none", receiver.name, key)
            must(_core(receiver.seen[key]) == _core(event) or key in self.replayed, "a repeat says the same", receiver.seen[key], event)
            return
        order = self.first.setdefault(f"{receiver.name} {event['id']}", [])
        must(not order or order[-1] < event["revision"] or key in self.replayed, "an achievement's events arrive in order", order, event)
        order.append(event["revision"])

    def heard(self) -> dict[str, int]:
        """How many calls of each target have been recorded as ended."""
        return {name: bucket.heard for name, bucket in self.buckets.items()}

    def claimed(self, calls: Sequence[Sequence[Claimed]], wall: int, overtaken: Set[str] = frozenset()) -> None:
        """A worker was given these calls to make. `overtaken`: targets of which others recorded something meanwhile, before
        or after."""
        out = self.store.outgoing.now
        for call in calls:
            name = call[0].target
            must(len({one.target for one in call}) == 1, "a call goes to one target", call)
            for one in call:
                used, due, eased = self.plans.get(one.id, (0, 0, -1))
                if eased == self.eased.get(name, 0):
                    must(one.attempts == used, "attempts are counted right", one.id, one.attempts, used)
                    must(wall >= due or not self.steady, "nothing is sent before it is due", one.id, wall - due)
            if self.steady:
                self._admitted(name, wall, name in overtaken)
        if self.steady and self._claimed is not out:
            self._claimed = out
            leases: dict[str, set[str]] = {}
            for row in out.owed.values():
                if row.state == "leased":
                    leases.setdefault(row.target, set()).add(row.lease)
            for name, held in leases.items():
                must(len(held) <= PACES[self.connectors[name]][2], "no more calls are in flight than a target may have", name, len(held))

    def _admitted(self, name: str, wall: int, overtaken: bool) -> None:
        rate, burst, _ = PACES[self.connectors[name]]
        bucket = self.buckets.setdefault(name, Bucket(float(burst), wall))
        bucket.level = min(float(burst), bucket.level + (wall - bucket.at) / SECOND * rate) - 1
        bucket.at = wall
        must(bucket.level > -1e-6, "no more calls are made than a target may get", name, bucket.level)
        if overtaken:
            return
        must(wall >= bucket.until, "an open breaker rests", name, bucket.until - wall)
        must(wall >= bucket.asked, "who asks to be left alone is", name, bucket.asked - wall)

    def resumed(self, name: str) -> None:
        """A target was made active: its faults are forgotten."""
        self.buckets.pop(name, None)
        self.ease(name)

    def operated(self, name: str, what: str) -> None:
        """Somebody is about to do this to a target, or has just done it, or been killed over it."""
        if what == "resume":
            self.buckets.pop(name, None)
        elif what == "replay":
            self.replayed |= {row.id for row in self.store.outgoing.now.owed.values() if row.target == name}
        self.ease(name)

    def ended(self, name: str, answers: Sequence[str], ended: Sequence[Ended]) -> None:
        """A call was made: whether the product makes of each answer what the schedule says."""
        for one in ended:
            if one.attempt is not None:
                _check_attempt(one.claimed, one.attempt, answers[-1] if answers else "")

    def recorded(self, ended: Sequence[Ended], eased: Mapping[str, int]) -> None:
        """Outcomes were written; those whose lease had ended changed nothing. `eased`: as it was before that."""
        if not ended:
            return
        out = self.store.outgoing.now
        calls: dict[str, list[Attempt]] = {}
        for one in ended:
            if one.attempt is None or (one.attempt.id, one.attempt.lease) in self.landed:
                continue
            last = next(iter(out.attempts.get(one.attempt.id, ())[::-1]), None)
            if last is not None and (last.at, last.state, last.why) == (one.attempt.at, one.attempt.state, one.attempt.why):
                name = one.claimed.target
                self.landed.add((one.attempt.id, one.attempt.lease))
                self.plans[one.attempt.id] = (one.attempt.attempts, one.attempt.due or 0, eased.get(name, 0))
                calls.setdefault(f"{name}\n{one.attempt.lease}", []).append(one.attempt)
        for call, attempts in calls.items():
            self._judge(call.partition("\n")[0], attempts)

    def _judge(self, name: str, call: Sequence[Attempt]) -> None:
        says = {one.says for one in call}
        bucket = self.buckets.get(name)
        if bucket is None:
            return
        bucket.heard += 1
        bucket.asked = max(bucket.asked, *(one.not_before for one in call))
        if says & {"up", "refused"} or (says == {"slow"}):
            bucket.down = bucket.rests = bucket.until = 0
        elif "down" in says:
            bucket.down += 1
            if bucket.down >= 5:
                bucket.until = max(bucket.until, call[-1].at + RESTS[min(bucket.rests, 6)] * SECOND)
                bucket.rests += 1


def _check_attempt(claimed: Claimed, attempt: Attempt, answer: str) -> None:
    used, wait = attempt.attempts - claimed.attempts, ((attempt.due or attempt.at) - attempt.at) / SECOND
    if attempt.state == "delivered":
        must(attempt.status in (None, 200), "only a receipt is a delivery", attempt)
    elif attempt.status == 429:
        must(used == 0, "being asked to slow down uses no attempt", attempt)
        least, most = (WAITS["slow_down"],) * 2 if answer == "slow_down" else (48, 72)
        must(least <= wait <= most, "a wait that was asked for is obeyed", attempt, wait)
    elif attempt.status in (401, 403, 410):
        must((attempt.state, used, attempt.target_state) == ("waiting", 0, "disabled" if attempt.status == 410 else "paused"),
             "who is not let in stops the target and loses nothing", attempt)
    elif attempt.state == "waiting":
        step = SCHEDULE[attempt.attempts]
        must(used == 1, "a failure uses one attempt", attempt)
        if attempt.status == 503:
            must(wait == WAITS["busy"], "a wait that was asked for is obeyed", attempt, wait)
        else:
            must(0.8 * step - 0.001 <= wait <= 1.2 * step + 0.001, "the retry schedule is held", attempt, wait, step)
    elif attempt.state == "dead":
        must(attempt.why, "what is dead has a reason", attempt)
        must(attempt.attempts >= len(SCHEDULE) or attempt.status in (400, 413, 200), "only a refusal or ten failures are the end", attempt)


def _core(event: dict[str, Any]) -> dict[str, Any]:
    return {name: {k: v for k, v in value.items() if k not in ENRICHED[name]} if name in ENRICHED and isinstance(value, dict) else value
            for name, value in event.items()}
