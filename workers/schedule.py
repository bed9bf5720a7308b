"""What becomes of a delivery after an attempt: the retry schedule as data, and one pure function over it."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from workers.connectors.base import (
    Delivered,
    Misconfigured,
    Outcome,
    Parked,
    Rejected,
    Retry,
    Skipped,
    Throttled,
)

SECOND = 1_000_000

STEPS: tuple[int, ...] = (0, 5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
"""Seconds before attempt 1, 2, … 10 (Standard Webhooks, "Retry schedule"): the last one starts 75 h 35 m 05 s after
the first."""

JITTER = 0.2
"""Each wait is multiplied by 1 ± this, so that what failed together does not return together."""

THROTTLED_WAIT = 60.0
"""Seconds to wait on a 429 that does not say how long."""

LONGEST_WAIT = 86_400.0
"""Seconds; a target that asks for more is asked again after this."""


@dataclass(frozen=True, slots=True)
class Step:
    """What becomes of a delivery, and of its target.

    `state` is `delivered | waiting | parked | dead | cancelled`; `attempts` how many are used up now; `due` µs since
    1970 of the next attempt (None unless waiting); `why` the reason for people. `target_state` is `paused` or
    `disabled` where the whole target must stop, else empty. `says` is what it tells of the target (up | refused | down
    | slow | ''), `not_before` µs since 1970 when the target wants to be called again (0 if it did not say).
    """

    state: str
    attempts: int
    due: int | None = None
    why: str = ""
    target_state: str = ""
    says: str = ""
    not_before: int = 0


def next_step(outcome: Outcome, attempts: int, now_us: int, rng: Callable[[], float]) -> Step:
    """What follows from `outcome` for a delivery that had used up `attempts` before it.

    `rng` gives floats in [0, 1). A `Retry` uses an attempt and is dead after the tenth; `Throttled` uses none; a wait
    that the target asked for is obeyed to the second (up to a day), otherwise ours is taken with jitter.
    `Misconfigured` stops the target and leaves the delivery waiting: no message dies of a wrong password.
    """
    match outcome:
        case Delivered():
            return Step("delivered", attempts + 1, says="up")
        case Skipped(why):
            return Step("cancelled", attempts, why=why)
        case Rejected(why):
            return Step("dead", attempts + 1, why=why, says="refused")
        case Parked(why):
            return Step("parked", attempts, why=why)
        case Misconfigured(why, disable):
            return Step("waiting", attempts, now_us, why, "disabled" if disable else "paused")
        case Throttled(why, after):
            due = now_us + round((_jittered(THROTTLED_WAIT, rng) if after is None else _obeyed(after)) * SECOND)
            return Step("waiting", attempts, due, why, says="slow", not_before=due)
        case Retry(why, after):
            used, asked = attempts + 1, 0 if after is None else now_us + round(_obeyed(after) * SECOND)
            if used >= len(STEPS):
                return Step("dead", used, why=f"{used} attempts failed, the last one: {why}", says="down", not_before=asked)
            due = asked or now_us + round(_jittered(STEPS[used], rng) * SECOND)
            return Step("waiting", used, due, why, says="down", not_before=asked)


def retry_after(value: str | None, now_us: int) -> float | None:
    """Seconds that a `Retry-After` header asks for (RFC 9110 §10.2.3: seconds or an HTTP date), never negative; None
    if it is absent or says neither."""
    text = (value or "").strip()
    if not text:
        return None
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        when = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.fromtimestamp(now_us / SECOND, UTC)).total_seconds())


def _jittered(seconds: float, rng: Callable[[], float]) -> float:
    return seconds * (1 - JITTER + 2 * JITTER * rng())


def _obeyed(seconds: float) -> float:
    return min(max(0.0, seconds), LONGEST_WAIT)
