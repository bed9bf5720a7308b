"""Claims what is due, sends it through the connectors, and records what became of it."""
from __future__ import annotations

import logging
import os
import random
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, TypeGuard

import orjson

from lrs.errors import StoreUnavailable
from lrs.services import Services
from lrs.store.protocols.work import Attempt, Claimed, TargetRow
from lrs.traces import ATTEMPT, ROUTE
from workers.attempts import cause_of, told
from workers.connectors.base import (
    Answer,
    BatchConnector,
    Connector,
    Delivered,
    Delivery,
    Misconfigured,
    Retry,
    Target,
)
from workers.connectors.batches import send_all
from workers.connectors.http import timeout_of
from workers.limits import Pace, TargetLimits
from workers.schedule import SECOND, next_step

POOL = 32
"""Calls in flight at once in one worker; no more are claimed than can start at once. More than one target may have in
flight (`workers.limits.IN_FLIGHT_MAX`), so that targets that hang leave room for those that answer."""

MARGIN = 30.0
"""Seconds of a lease beyond the exchanges: for resolving names and for the record."""

EXCHANGES = 3
"""The most exchanges of one attempt: asking what is there, and a question and a call of the connector's own."""

PATIENCE = 0.1
"""Seconds a slice waits for calls that are out, before it looks what else is due."""

TRACED = 3
"""Frames of a traceback, the innermost, that are kept with a fault of our own."""

_PACE = Pace()

log = logging.getLogger("workers.deliver")


def never() -> bool:
    """Not told to stop."""
    return False


def uptime() -> float:
    """Seconds since the machine's boot, sleep included: the clock that leases go by, and nobody sets."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass(frozen=True, slots=True)
class Ended:
    """How one delivery of a call ended; `attempt` None: nothing was sent."""

    claimed: Claimed
    attempt: Attempt | None


@dataclass
class Deliverer:
    """One worker's hands, made once a process. Killed at any instant, nothing owed is lost: a claim whose lease ended
    comes back as unclear, and is asked for with `find` where the target does not drop repeats by itself.

    Calls that hang stay out between slices and are recorded when they end; who is slow holds its own places only. How
    many a target may have is decided in the store's claim, for all workers together. Suspects (`lrs.store.claiming`) are
    claimed by who is `alone`, and nothing else is: see `workers.alone`.

    From when it was `told` to stop on nothing is claimed, and what was claimed and has not begun goes back, due now: another
    worker takes it at once, and not when the lease ends.
    """

    services: Services
    owner: str
    clock: Callable[[], int]
    connectors: Mapping[str, Connector]
    rng: Callable[[], float] = random.random
    slice: int = 32
    uptime: Callable[[], float] = uptime
    alone: bool = False
    told: Callable[[], bool] = never

    def __post_init__(self) -> None:
        self.limits = TargetLimits({name: _pace(one) for name, one in self.connectors.items()})
        self._pool = ThreadPoolExecutor(POOL, thread_name_prefix="deliver")
        self._changed = threading.Condition()
        self._out = 0
        self._ended: list[Ended] = []
        self._led = self._closed = False
        self._targets: dict[str, TargetRow] = {}
        self._ends: dict[str, float] = {}
        self._calls: dict[str, list[Claimed]] = {}

    def __call__(self) -> int:
        """Start what is due, at most `slice` calls, and record what ended, until nothing is due, or all that is left are
        calls that take long. How much was done, 0 if nothing. Raises `StoreUnavailable`."""
        done = sum(self._lead(self.slice, PATIENCE))
        if not done:
            for client in {id(found): found for one in self.connectors.values() if (found := getattr(one, "client", None))}.values():
                client.close_idle()
        return done

    def deliver_due(self, limit: int = 1000) -> int:
        """Start what is due, at most `limit` calls, and wait for every one; how many deliveries ended."""
        return self._lead(limit, None)[0]

    def close(self, seconds: float = 0.0) -> None:
        """Start nothing more, wait so long for what is out, and record it. What is out even then goes back as unclear, so that
        nobody waits for its lease, where the target drops repeats; else the call may still arrive, and the lease stands."""
        with self._changed:
            self._closed = True
            self._changed.wait_for(lambda: not self._out, max(0.0, seconds))
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._settle()
        with self._changed:
            left = [replace(one, unclear=True) for call in self._calls.values() for one in call if self._dedupes(one.target)]
        if left:
            log.warning("%d deliveries were under way when their time to stop was over: they go back", len(left))
            try:
                self.services.store.work.give_back(left, self.clock())
            except StoreUnavailable as fault:
                log.warning("they wait for their leases instead: %s", fault)

    def _lead(self, limit: int, patience: float | None) -> tuple[int, int]:
        """(deliveries ended, calls started). While one leads, it records what ended together with its next claim."""
        done = started = 0
        with self._changed:
            self._led = True
        try:
            while True:
                with self._changed:
                    ended, self._ended = self._ended, []
                    room = 0 if self._stopping() else min(POOL - self._out, limit - started)
                calls = self.turn(ended, room)
                done, started = done + len(ended), started + len(calls)
                for call in calls:
                    with self._changed:
                        self._out += 1
                        self._calls[call[0].lease] = call
                    self._pool.submit(self._work, call)
                with self._changed:
                    if not self._out and not self._ended and not calls:
                        return done, started
                    if patience is not None and started >= limit and not self._ended:
                        return done, started
                    if not self._changed.wait_for(lambda: self._ended or not self._out, patience) and not calls and not ended:
                        return done, started
        finally:
            with self._changed:
                self._led = False
            self._settle()

    def turn(self, ended: list[Ended], room: int) -> list[list[Claimed]]:
        """Record what ended and claim for the free places, in one commit; what was claimed, by call. Raises `StoreUnavailable`:
        then `ended` is recorded in a later turn of `_lead`, or must be given again."""
        work = self.services.store.work
        attempts = [one.attempt for one in ended if one.attempt is not None]
        try:
            if unsent := [one.claimed for one in ended if one.attempt is None]:
                work.give_back(unsent, self.clock())
            if room <= 0:
                if attempts:
                    work.record(attempts, self.limits)
                return []
            self._targets = {row.name: row for row in work.targets()}
            seconds = lease_seconds(self._targets.values())
            ends = self.uptime() + seconds
            claimed = work.claim_due(room, seconds, self.owner, self.clock(), self.limits, attempts, alone=self.alone)
        except BaseException:
            with self._changed:  # the leases stand: what ended is recorded when the store is back
                self._ended = ended + self._ended
            raise
        calls: dict[str, list[Claimed]] = {}
        for one in claimed:
            calls.setdefault(one.lease, []).append(one)
            self._ends[one.lease] = ends
        return list(calls.values())

    def _work(self, call: list[Claimed]) -> None:
        try:
            ended = [Ended(one, None) for one in call] if self._stopping() else self.exchange(call)
        except BaseException:
            log.exception("a call to %s ended without an outcome; its lease will", call[0].target)
            ended = []
        with self._changed:
            self._ended += ended
            self._calls.pop(call[0].lease, None)
            if self._led:
                self._out -= 1
                self._changed.notify_all()
                return
        try:
            self._settle()
        finally:
            with self._changed:
                self._out -= 1
                self._changed.notify_all()

    def _stopping(self) -> bool:
        return self._closed or self.told()

    def _settle(self) -> None:
        """Record what ended while nobody leads."""
        with self._changed:
            if self._led or not self._ended:
                return
            ended, self._ended = self._ended, []
        try:
            self.turn(ended, 0)
        except StoreUnavailable as fault:
            log.warning("%d outcomes wait for the store: %s", len(ended), fault)

    def exchange(self, call: list[Claimed]) -> list[Ended]:
        """Send what one call carries, on the calling thread; what became of each, to be recorded in a turn."""
        ends = self._ends.pop(call[0].lease, None)

        def clock() -> int:
            # by what really went by since the claim: a wall clock that is set makes no lease longer or shorter
            return self.clock() if ends is None else call[0].lease_until - round((ends - self.uptime()) * SECOND)

        row = self._targets.get(call[0].target)
        target = None if row is None else Target(row.name, row.connector, row.settings, row.state, row.why)
        answers = self._answers(call, target, clock)
        at = self.clock()
        ended = [Ended(claimed, None if answer is None else self._attempt(claimed, answer, at))
                 for claimed, answer in zip(call, answers, strict=True)]
        for one in ended:
            self._tell(one)
        return ended

    def _tell(self, ended: Ended) -> None:
        """Count how it ended; log it where it is not delivered or the settings ask for every line. Before it is recorded: an
        attempt that was made is one, whatever becomes of its record."""
        claimed, attempt_ = ended.claimed, ended.attempt
        if attempt_ is None:
            return
        try:
            self.services.metrics.attempted(claimed.target, attempt_.state, attempt_.milliseconds / 1000)
            if (attempt_.state != "delivered" or self.services.settings.log_requests) and log.isEnabledFor(logging.INFO):
                log.info("%s to %s: %s in %.0f ms%s", claimed.id, claimed.target, attempt_.state, attempt_.milliseconds,
                         f" ({attempt_.why[:300]})" if attempt_.why else "", extra=told(self.services, claimed, attempt_))
            if self.services.traces:
                said = {"target": claimed.target, "delivery": claimed.id, "outcome": attempt_.state,
                        "http.response.status_code": attempt_.status}
                self.services.traces.span(cause_of(claimed.payload), ATTEMPT, attempt_.milliseconds / 1000, said, parent=ROUTE)
        except Exception:  # what is told of an attempt must not cost its record
            log.exception("an attempt of %s could not be told", claimed.id)

    def _attempt(self, claimed: Claimed, answer: Answer, at: int) -> Attempt:
        step = next_step(answer.outcome, claimed.attempts, at, self.rng)
        # A failure without a status is a broken exchange: the target may have acted on it.
        unclear = step.state == "waiting" and (
            claimed.unclear or (isinstance(answer.outcome, Retry) and answer.status is None))
        # a fault of our own tells nothing of the target
        says = "" if isinstance(answer.outcome, _OwnFault) else step.says
        return Attempt(claimed.id, claimed.lease, at, step.state, step.attempts, step.due, step.why, answer.status,
                       answer.milliseconds, answer.body, unclear, step.target_state, says, step.not_before)

    def _answers(self, call: list[Claimed], target: Target | None, clock: Callable[[], int]) -> list[Answer | None]:
        connector = self.connectors.get(target.connector) if target else None
        if target is None or connector is None:
            wrong = Answer(Misconfigured(f"there is no connector {target.connector if target else call[0].target!r} here"))
            return [wrong for _ in call]
        try:
            deliveries = [self._delivery(claimed, connector) for claimed in call]
            if _takes_batches(connector):
                return send_all(deliveries, lambda rows: connector.send_batch(rows, target),
                                lambda one: connector.batch_key(one, target),
                                lambda rows: not self._stopping() and _time_left(rows[0], target, clock))
            return [attempt(one, target, connector, clock) for one in deliveries]
        except StoreUnavailable as fault:  # nothing was sent, and nobody else is to blame
            log.warning("%d deliveries to %s go back: %s", len(call), target.name, fault)
            return [None for _ in call]
        except Exception as fault:
            if len(call) > 1:  # which of them it was shows when each goes alone; who takes batches bears a repeat
                return [self._answers([one], target, clock)[0] for one in call]
            # A fault of a connector costs its own delivery an attempt, and no other anything.
            log.exception("connector %s failed on %s", target.connector, call[0].id)
            return [Answer(_OwnFault(f"{type(fault).__name__} in connector {target.connector}: {str(fault)[:300]} ({_raised_at(fault)})"))
                    for _ in call]

    def _dedupes(self, name: str) -> bool:
        target = self._targets.get(name)
        return target is not None and target.connector in self.connectors and self.connectors[target.connector].dedupes

    def _delivery(self, claimed: Claimed, connector: Connector) -> Delivery:
        payload = orjson.loads(claimed.payload)
        if connector.name != "webhook":  # a webhook carries the one flat shape and nothing else
            payload = enriched(payload, self.services.store.directory)
        return Delivery(claimed.id, claimed.target, claimed.event, claimed.event_id, claimed.revision, payload,
                        claimed.attempts, claimed.unclear, claimed.lease, claimed.lease_until)


def _pace(connector: Connector) -> Pace:
    pace, most = getattr(connector, "pace", _PACE), getattr(connector, "batch_max", 1)
    return pace if pace.batch_max == most else replace(pace, batch_max=most)


def _takes_batches(connector: Connector) -> TypeGuard[BatchConnector]:
    # the protocol itself would tell, at twenty times the cost
    return hasattr(connector, "send_batch")


@dataclass(frozen=True, slots=True)
class _OwnFault(Retry):
    """A connector raised: the fault is ours."""


def _raised_at(fault: BaseException) -> str:
    """The last frames of its traceback in one line: files, lines and their source, no values."""
    frames = traceback.extract_tb(fault.__traceback__)[-TRACED:]
    return " > ".join(f"{os.path.basename(frame.filename)}:{frame.lineno} in {frame.name}: {frame.line}" for frame in frames)


def lease_seconds(targets: Iterable[TargetRow | Target]) -> float:
    """How long a call may take, whichever of these it goes to."""
    return EXCHANGES * max((timeout_of(target) for target in targets), default=0.0) + MARGIN


def deliver_once(services: Services, clock: Callable[[], int], connectors: Mapping[str, Connector], n: int = 1000,
                 rng: Callable[[], float] = random.random, owner: str = "") -> int:
    """Claim the deliveries of at most n calls that are due, send and record them; how many ended. `clock` gives µs since
    1970, `owner` names the worker in its claims. Raises `StoreUnavailable`."""
    hands = Deliverer(services, owner or f"worker-{os.getpid()}", clock, connectors, rng)
    try:
        return hands.deliver_due(n)
    finally:
        hands.close()


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
    known = directory.course(str(course["id"])) if course.get("id") else None
    if known is not None:
        course.update({k: v for k, v in (("title", known.title), ("hrisType", known.hris_type)) if v and k not in course})
    return {**event, **({"user": user} if user else {}), **({"course": course} if course else {})}


def _time_left(delivery: Delivery, target: Target, clock: Callable[[], int]) -> bool:
    return delivery.lease_until - clock() >= timeout_of(target) * SECOND
