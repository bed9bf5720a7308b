"""Claims what is due, sends it through the connectors, and records what became of it."""
from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from typing import Any

from lrs.services import Services
from lrs.store.protocols.work import Attempt, Claimed
from workers.connectors.base import (
    Answer,
    Connector,
    Delivered,
    Delivery,
    Misconfigured,
    Retry,
    Target,
)
from workers.connectors.http import timeout_of
from workers.schedule import SECOND, next_step

POOL = 8
"""Deliveries in flight at once in one worker; no more are claimed than can start at once."""

MARGIN = 30.0
"""Seconds of a lease beyond the exchanges: for resolving names and for the record."""

EXCHANGES = 3
"""The most exchanges of one attempt: asking what is there, and a question and a call of the connector's own."""


@dataclass(frozen=True, slots=True)
class _Ended:
    claimed: Claimed
    attempt: Attempt | None


@dataclass
class Deliverer:
    """One worker's hands: a few deliveries at a time. Killed at any instant, nothing owed is lost: a claim whose lease
    ended comes back as unclear, and is asked for with `find` where the target does not drop repeats by itself."""

    services: Services
    owner: str
    clock: Callable[[], int]
    connectors: Mapping[str, Connector]
    rng: Callable[[], float] = random.random

    def deliver_due(self, limit: int = 1000) -> int:
        """Send what is due, `POOL` at once, until nothing is due or `limit` were claimed; how many ended. A free place
        is filled at once: a slow target holds its own place only. Raises `StoreUnavailable`."""
        ended = taken = 0
        with ThreadPoolExecutor(POOL, thread_name_prefix="deliver") as pool:
            running: set[Future[_Ended]] = set()
            while True:
                room = min(POOL - len(running), limit - taken)
                claimed = self._claim(room) if room > 0 else []
                taken += len(claimed)
                targets = self._targets() if claimed else {}
                running |= {pool.submit(self._one, one, targets.get(one.target)) for one in claimed}
                if not running:
                    return ended
                done, running = wait(running, return_when=FIRST_COMPLETED)
                ended += self._record([future.result() for future in done])

    def _targets(self) -> dict[str, Target]:
        return {row.name: Target(row.name, row.connector, row.settings, row.state, row.why)
                for row in self.services.store.work.targets()}

    def _claim(self, n: int) -> list[Claimed]:
        longest = max((timeout_of(target) for target in self._targets().values()), default=0.0)
        return self.services.store.work.claim_due(n, EXCHANGES * longest + MARGIN, self.owner, self.clock())

    def _record(self, ended: list[_Ended]) -> int:
        work = self.services.store.work
        if unsent := [one.claimed for one in ended if one.attempt is None]:
            work.give_back(unsent, self.clock())
        return work.record([one.attempt for one in ended if one.attempt is not None])

    def _one(self, claimed: Claimed, target: Target | None) -> _Ended:
        answer = self._answer(claimed, target)
        if answer is None:
            return _Ended(claimed, None)
        at = self.clock()
        step = next_step(answer.outcome, claimed.attempts, at, self.rng)
        # A failure without a status is a broken exchange: the target may have acted on it.
        unclear = step.state == "waiting" and (
            claimed.unclear or (isinstance(answer.outcome, Retry) and answer.status is None))
        return _Ended(claimed, Attempt(claimed.id, claimed.lease, at, step.state, step.attempts, step.due, step.why,
                                       answer.status, answer.milliseconds, answer.body, unclear, step.target_state))

    def _answer(self, claimed: Claimed, target: Target | None) -> Answer | None:
        connector = self.connectors.get(target.connector) if target else None
        if target is None or connector is None:
            return Answer(Misconfigured(f"there is no connector {target.connector if target else claimed.target!r} here"))
        try:
            delivery = Delivery(claimed.id, claimed.target, claimed.event, claimed.event_id, claimed.revision,
                                json.loads(claimed.payload), claimed.attempts, claimed.unclear, claimed.lease,
                                claimed.lease_until)
            if connector.name != "webhook":  # a webhook carries the one flat shape and nothing else
                delivery = replace(delivery, payload=enriched(delivery.payload, self.services.store.directory))
            return attempt(delivery, target, connector, self.clock)
        except Exception as fault:
            # A fault of a connector costs its own delivery an attempt, and no other delivery anything.
            return Answer(Retry(f"{type(fault).__name__} in connector {target.connector}: {str(fault)[:300]}"))


def deliver_once(services: Services, clock: Callable[[], int], connectors: Mapping[str, Connector], n: int = 1000,
                 rng: Callable[[], float] = random.random, owner: str = "") -> int:
    """Claim at most n due deliveries, send and record them; how many ended. `clock` gives µs since 1970, `owner` names
    the worker in its claims. Raises `StoreUnavailable`."""
    return Deliverer(services, owner or f"worker-{os.getpid()}", clock, connectors, rng).deliver_due(n)


def attempt(delivery: Delivery, target: Target, connector: Connector, clock: Callable[[], int]) -> Answer | None:
    """One try: an attempt whose end is unknown is looked for first unless the target drops repeats. None if too little
    of the lease is left to send within it: nothing was sent."""
    if not connector.dedupes and (delivery.unclear or delivery.attempts):
        if not _time_left(delivery, target, clock):
            return None
        held = connector.find(delivery, target)
        if held is None:
            return Answer(Retry("the target could not be asked whether it has this already"))
        if held:
            return Answer(Delivered(), body="found at the target: an earlier attempt had arrived")
    if not _time_left(delivery, target, clock):
        return None
    return connector.send(delivery, target)


def enriched(payload: Mapping[str, Any], directory: Any) -> dict[str, Any]:
    """The event with what the directory knows today and the event does not carry: `user.hrisId`, `user.crmId`,
    `course.title`, `course.hrisType`. For connectors that need a vendor's own ids."""
    event = dict(payload)
    user, course = dict(event.get("user") or {}), dict(event.get("course") or {})
    person = directory.person(str(user["externalId"])) if user.get("externalId") else None
    if person is not None:
        user.update({k: v for k, v in (("hrisId", person.hris_id), ("crmId", person.crm_id)) if v and k not in user})
    known = next((c for c in directory.courses() if c.id == course["id"]), None) if course.get("id") else None
    if known is not None:
        course.update({k: v for k, v in (("title", known.title), ("hrisType", known.hris_type)) if v and k not in course})
    return {**event, **({"user": user} if user else {}), **({"course": course} if course else {})}


def _time_left(delivery: Delivery, target: Target, clock: Callable[[], int]) -> bool:
    return delivery.lease_until - clock() >= timeout_of(target) * SECOND
