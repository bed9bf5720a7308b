"""Claims what is due, sends it through the connectors, and records what became of it."""
from __future__ import annotations

import json
import os
import random
import socket
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

from lrs.errors import StoreUnavailable
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
"""Seconds of a lease beyond the longest timeout among the targets: for resolving names and for the record."""

OWNER = f"{socket.gethostname()}:{os.getpid()}"


def deliver_once(services: Services, clock: Callable[[], int], connectors: Mapping[str, Connector], n: int = POOL,
                 rng: Callable[[], float] = random.random, owner: str = OWNER) -> int:
    """Claim up to n due deliveries (at most `POOL`), send them side by side, record each as it ends; how many ended.

    `clock` gives µs since 1970, as the store's claims do. Killed at any instant, nothing owed is lost: a claim whose
    lease ended comes back as unclear, and is asked for with `find` where the target does not drop repeats itself.
    Raises `StoreUnavailable`; what was sent and not recorded then is unclear too.
    """
    targets = {row.name: Target(row.name, row.connector, row.settings, row.state, row.why)
               for row in services.store.work.targets()}
    longest = max((timeout_of(t) for t in targets.values()), default=0.0)
    # A target without an idempotency key may take a question and a call each: two or three exchanges.
    claimed = services.store.work.claim_due(min(n, POOL), 3 * longest + MARGIN, owner, clock())
    if not claimed:
        return 0
    ended = 0
    with ThreadPoolExecutor(len(claimed), thread_name_prefix="deliver") as pool:
        running: set[Future[Attempt]] = {pool.submit(_one, services, one, targets.get(one.target), connectors, clock, rng)
                                        for one in claimed}
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            ended += services.store.work.record([future.result() for future in done])
    return ended


def attempt(delivery: Delivery, target: Target, connector: Connector, clock: Callable[[], int]) -> Answer | None:
    """One try: an attempt whose end is unknown is looked for first unless the target drops repeats. None if too little
    of the lease is left to send within it: whoever claims it next will."""
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


def _one(services: Services, claimed: Claimed, target: Target | None, connectors: Mapping[str, Connector],
         clock: Callable[[], int], rng: Callable[[], float]) -> Attempt:
    connector = connectors.get(target.connector) if target else None
    sent: Answer | None
    if target is None or connector is None:
        sent = Answer(Misconfigured(f"there is no connector {target.connector if target else claimed.target!r} here"))
    else:
        try:
            payload = json.loads(claimed.payload)
            delivery = Delivery(claimed.id, claimed.target, claimed.event, claimed.event_id, claimed.revision,
                                payload if connector.name == "webhook"
                                else enriched(payload, services.store.directory), claimed.attempts, claimed.unclear,
                                claimed.lease, claimed.lease_until)
            sent = attempt(delivery, target, connector, clock)
        except StoreUnavailable:
            sent = None
        except Exception as fault:
            sent = Answer(Retry(f"{type(fault).__name__} in connector {target.connector}: {str(fault)[:300]}"))
    if sent is None:
        return Attempt(claimed.id, claimed.lease, clock(), "waiting", claimed.attempts, clock(), "not started in time",
                      unclear=claimed.unclear)
    step = next_step(sent.outcome, claimed.attempts, clock(), rng)
    # A Retry without a status is a broken exchange: the target may have acted on it.
    unclear = step.state == "waiting" and (claimed.unclear or (isinstance(sent.outcome, Retry) and sent.status is None))
    return Attempt(claimed.id, claimed.lease, clock(), step.state, step.attempts, step.due, step.why, sent.status,
                   sent.milliseconds, sent.body, unclear, step.target_state)


def enriched(payload: Mapping[str, Any], directory: Any) -> dict[str, Any]:
    """The event with what the directory knows today and the event does not carry: `user.hrisId`, `user.crmId`,
    `course.title`, `course.hrisType`. For connectors that need a vendor's own ids."""
    event = dict(payload)
    user, course = dict(event.get("user") or {}), dict(event.get("course") or {})
    person = directory.person(str(user.get("externalId") or "")) if user.get("externalId") else None
    if person is not None:
        user.update({k: v for k, v in (("hrisId", person.hris_id), ("crmId", person.crm_id)) if v and k not in user})
    known = next((c for c in directory.courses() if c.id == course.get("id")), None) if course.get("id") else None
    if known is not None:
        course.update({k: v for k, v in (("title", known.title), ("hrisType", known.hris_type)) if v and k not in course})
    return {**event, **({"user": user} if user else {}), **({"course": course} if course else {})}


def _time_left(delivery: Delivery, target: Target, clock: Callable[[], int]) -> bool:
    return delivery.lease_until - clock() >= timeout_of(target) * SECOND
