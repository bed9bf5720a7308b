"""The retry schedule: what becomes of a delivery after each kind of answer."""
from __future__ import annotations

import pytest

from workers.connectors.base import Delivered, Misconfigured, Parked, Rejected, Retry, Skipped, Throttled
from workers.schedule import JITTER, SECOND, STEPS, next_step, retry_after

NOW = 1_700_000_000 * SECOND


def middle() -> float:
    return 0.5


def test_ten_failures_walk_exactly_the_ten_steps_and_then_the_delivery_is_dead():
    waits, attempts, state = [0], 0, "waiting"
    while state == "waiting":
        step = next_step(Retry("answered 503"), attempts, NOW, middle)
        attempts, state = step.attempts, step.state
        if step.due is not None:
            waits.append((step.due - NOW) // SECOND)
    assert tuple(waits) == STEPS == (0, 5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
    assert (attempts, state) == (10, "dead")
    assert sum(waits) == 75 * 3600 + 35 * 60 + 5


@pytest.mark.parametrize("attempts", range(9))
def test_the_jitter_is_twenty_percent_both_ways(attempts):
    wait = STEPS[attempts + 1] * SECOND
    low = next_step(Retry("x"), attempts, NOW, lambda: 0.0).due
    high = next_step(Retry("x"), attempts, NOW, lambda: 1.0).due
    assert low - NOW == round(wait * (1 - JITTER))
    assert high - NOW == round(wait * (1 + JITTER))


def test_what_the_target_asks_for_wins_over_the_schedule_up_to_a_day():
    assert next_step(Retry("503", 7.0), 0, NOW, middle).due == NOW + 7 * SECOND
    assert next_step(Throttled("429", 10**9), 0, NOW, middle).due == NOW + 86_400 * SECOND


def test_429_uses_no_attempt_even_on_the_last_one():
    step = next_step(Throttled("429", 30.0), 9, NOW, middle)
    assert (step.state, step.attempts, step.due) == ("waiting", 9, NOW + 30 * SECOND)


@pytest.mark.parametrize(("outcome", "state", "attempts", "target"), [
    (Delivered("7"), "delivered", 3, ""),
    (Rejected("422"), "dead", 3, ""),
    (Parked("no employee id"), "parked", 2, ""),
    (Skipped("not for this target"), "cancelled", 2, ""),
    (Misconfigured("401"), "waiting", 2, "paused"),
    (Misconfigured("410", disable=True), "waiting", 2, "disabled"),
])
def test_each_other_outcome_has_its_end(outcome, state, attempts, target):
    step = next_step(outcome, 2, NOW, middle)
    assert (step.state, step.attempts, step.target_state) == (state, attempts, target)


@pytest.mark.parametrize(("value", "seconds"), [
    ("120", 120.0), (" 0 ", 0.0), ("Tue, 14 Nov 2023 22:13:50 GMT", 30.0), ("Tue, 14 Nov 2023 22:13:00 GMT", 0.0),
    (None, None), ("", None), ("soon", None), ("-5", None), ("٣", None),
])
def test_retry_after_is_read_as_seconds_or_as_a_date(value, seconds):
    assert retry_after(value, NOW) == seconds
