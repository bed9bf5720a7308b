"""How fast a target may be called, and when it must be left alone: pure rules over what is remembered of it."""
from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from lrs.schema import Setting
from lrs.store.protocols.work import Admission, Attempt, Health, TargetRow
from workers.schedule import LONGEST_WAIT, STEPS

SECOND = 1_000_000
DAY = 86_400 * SECOND

OPENS_AFTER = 5
"""Calls in a row that failed before the breaker opens."""

PAUSES: tuple[int, ...] = (10, 20, 40, 80, 160, 320, 600)
"""Seconds before the 1st, 2nd, … probe of an open breaker; the last one is repeated."""

APART = 60
"""Seconds by which the clocks of two workers may differ: one that is behind must not take a wait just begun for an impossible one."""

SEVERAL, WITHIN = 3, DAY
"""The clock of `FAILING_FOR` starts with this many failures within that time (µs), and none delivered."""

FAILING_FOR = 5 * DAY
"""µs of only failures after which a target is disabled (Svix, "Disabling failing endpoints")."""

IN_FLIGHT_MAX = 16
"""The most calls at once that a target can be set to: half of one worker's hands."""


@dataclass(frozen=True, slots=True)
class Pace:
    """What a target may get: calls a second on average, calls at once after a rest (`burst`), calls in flight, and
    deliveries in one call."""

    rate_per_second: float = 50.0
    burst: int = 50
    in_flight: int = 4
    batch_max: int = 1


_PACE = Pace()


def pace_settings(pace: Pace) -> tuple[Setting, ...]:
    """The settings by which a target's pace is set; `pace` holds the connector's defaults."""
    return (
        Setting("rate_per_second", f"Calls a second, on average ({pace.rate_per_second:g}).", check=_rate_complaint),
        Setting("burst", f"Calls at once after a rest ({pace.burst}; else one second's).", "int",
                check=lambda v: "" if 1 <= int(v) <= 10_000 else "must be between 1 and 10000"),
        Setting("in_flight", f"Calls in flight at once, over all workers ({pace.in_flight}).", "int",
                check=lambda v: "" if 1 <= int(v) <= IN_FLIGHT_MAX else f"must be between 1 and {IN_FLIGHT_MAX}"),
    )


def pace_of(target: TargetRow, default: Pace) -> Pace:
    """The target's pace: its settings, else its connector's defaults. A rate without a burst has one second's burst."""
    settings = target.settings
    rate, burst, in_flight = settings.get("rate_per_second"), settings.get("burst"), settings.get("in_flight")
    if rate is None and not burst and not in_flight:
        return default
    burst = burst or (default.burst if rate is None else max(1, math.ceil(float(rate))))
    return Pace(default.rate_per_second if rate is None else float(rate), int(burst),
                int(in_flight or default.in_flight), default.batch_max)


def admit(target: TargetRow, pace: Pace, in_flight: int, now: int) -> Admission:
    """How many calls may start now (µs) beside those in flight. None while the target asked for a pause or its breaker
    is open; one delivery alone as the probe of a breaker whose pause is over; one at a time after a failure."""
    health = refilled(target.health, pace, now)
    if target.state != "active" or _ahead(health.not_before, now, LONGEST_WAIT) or _ahead(health.open_until, now, PAUSES[-1]):
        return Admission(0, 1, health)
    if health.openings:
        return Admission(int(not in_flight and (health.tokens or 0) >= 1), 1, health)
    places = (1 if health.failures else pace.in_flight) - in_flight
    return Admission(max(0, min(places, int(health.tokens or 0))), pace.batch_max, health)


def _ahead(until: int, now: int, longest: float) -> bool:
    # no wait is longer: who seems to wait longer was told so by a clock that was wrong
    return now < until <= now + (longest + APART) * SECOND


def refilled(health: Health, pace: Pace, now: int) -> Health:
    """The bucket as it stands now. It follows the clock that is furthest ahead: a worker whose clock is behind, or who read it
    and then waited for its turn to write, adds nothing, and what the others added is not added again after it."""
    if health.tokens is None:
        return replace(health, tokens=float(pace.burst), refilled_at=now)
    gained = max(0, now - health.refilled_at) / SECOND * pace.rate_per_second
    # further ahead is no clock of a worker: it was wrong
    until = now if health.refilled_at > now + APART * SECOND else max(now, health.refilled_at)
    return replace(health, tokens=min(float(pace.burst), health.tokens + gained), refilled_at=until)


def judge(target: TargetRow, ended: Sequence[Attempt]) -> TargetRow:
    """The target after these attempts at it, in their order; those of one call (one lease) count once.

    What it said of itself comes first: `target_state` of an attempt. Else `FAILING_FOR` of only failures disables it.
    A target that was stopped in the meantime stays stopped, and 410 disables also a paused one.
    """
    calls: dict[str, list[Attempt]] = {}
    for attempt in ended:
        calls.setdefault(attempt.lease, []).append(attempt)
    for call in calls.values():
        target = dataclasses.replace(target, health=_after(target.health, call))
        said = next((one for one in call if one.target_state), None)
        if said is not None and (target.state == "active" or said.target_state == "disabled"):
            target = dataclasses.replace(target, state=said.target_state, why=said.why)
        since, now = target.health.failing_since, call[-1].at
        if target.state == "active" and since and now - since >= FAILING_FOR:
            days = (now - since) / DAY
            why = f"nothing was delivered for {days:.0f} days, the last fault: {call[-1].why}"
            target = dataclasses.replace(target, state="disabled", why=why)
    return target


def breaker(health: Health, now: int) -> str:
    """closed | open | half-open (the next call is the probe)."""
    if not health.openings:
        return "closed"
    return "open" if now < health.open_until else "half-open"


def _after(health: Health, call: Sequence[Attempt]) -> Health:
    says, now = {one.says for one in call}, call[-1].at
    health = replace(health, not_before=max(health.not_before, *(one.not_before for one in call)))
    if "up" in says:
        return replace(health, failures=0, openings=0, open_until=0, failed=0, first_failure_at=0, failing_since=0)
    if "refused" in says:  # it is there and answers: nothing for the breaker, but nothing was delivered either
        return _failing(replace(health, failures=0, openings=0, open_until=0), now)
    if "down" in says:
        health = _failing(replace(health, failures=health.failures + 1), now)
        if health.failures < OPENS_AFTER:
            return health
        pause = PAUSES[min(health.openings, len(PAUSES) - 1)] * SECOND
        return replace(health, openings=health.openings + 1, open_until=max(health.open_until, now + pause))
    if "slow" in says:
        return replace(health, failures=0, openings=0, open_until=0)
    return health


def _failing(health: Health, now: int) -> Health:
    if health.failing_since:
        return health
    if not health.failed or now - health.first_failure_at > WITHIN:
        return replace(health, failed=1, first_failure_at=now)
    failed = health.failed + 1
    return replace(health, failed=failed, failing_since=now if failed >= SEVERAL else 0)


@dataclass(frozen=True, slots=True)
class TargetLimits:
    """The rules of this module as the store is handed them (`lrs.store.protocols.work.Limits`); `paces` holds the
    defaults of each connector by name, `lone_waits` the seconds before each try alone: those of the retry schedule."""

    paces: Mapping[str, Pace] = field(default_factory=dict)
    lone_waits: tuple[int, ...] = STEPS[1:]

    def admit(self, target: TargetRow, in_flight: int, now: int) -> Admission:
        """See `admit`."""
        return admit(target, pace_of(target, self.paces.get(target.connector, _PACE)), in_flight, now)

    def judge(self, target: TargetRow, ended: Sequence[Attempt]) -> TargetRow:
        """See `judge`."""
        return judge(target, ended)


def _rate_complaint(text: str) -> str:
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    return "" if 0.01 <= rate <= 10_000 else "must be a number between 0.01 and 10000"
