"""Pace, breaker and the clock of failures: pure rules over what is remembered of a target."""
from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrs.schema import SettingsInvalid
from lrs.store.protocols.work import Attempt, Health, TargetRow
from workers.connectors.registry import SCHEMAS, new_secret, settings_for
from workers.limits import (
    APART,
    DAY,
    FAILING_FOR,
    OPENS_AFTER,
    PAUSES,
    SECOND,
    Pace,
    admit,
    breaker,
    judge,
    pace_of,
)

NOW = 1_800_000_000 * SECOND
PACE = Pace(rate_per_second=10.0, burst=20, in_flight=4, batch_max=3)


def target(**health: object) -> TargetRow:
    return TargetRow("t", "webhook", {}, health=Health(**health))  # type: ignore[arg-type]


def ended(says: str, at: int = NOW, lease: str = "", **more: object) -> Attempt:
    return Attempt("m", lease or f"l{at}", at, "waiting", 1, at, f"it was {says}", says=says, **more)  # type: ignore[arg-type]


def after(start: TargetRow, *says: str, every: int = SECOND) -> TargetRow:
    return judge(start, [ended(word, NOW + n * every) for n, word in enumerate(says)])


def test_a_target_gets_what_its_in_flight_limit_leaves() -> None:
    assert [admit(target(), PACE, busy, NOW).calls for busy in (0, 1, 3, 4, 9)] == [4, 3, 1, 0, 0]
    assert admit(target(), PACE, 0, NOW).batch == 3


@given(st.lists(st.tuples(st.integers(0, 3 * SECOND), st.integers(0, 10)), max_size=60))
def test_no_more_calls_are_admitted_than_the_burst_and_the_rate_allow(steps: list[tuple[int, int]]) -> None:
    row, now, taken, pace = target(), NOW, 0, replace(PACE, in_flight=16)
    for wait, wanted in steps:
        now += wait
        admission = admit(row, pace, 0, now)
        got = min(wanted, admission.calls)
        taken += got
        row = replace(row, health=msgspec.structs.replace(admission.health, tokens=(admission.health.tokens or 0) - got))
        assert taken <= pace.burst + (now - NOW) / SECOND * pace.rate_per_second + 1e-6


@given(st.lists(st.tuples(st.integers(0, SECOND), st.sampled_from((0, -SECOND, -200_000, -APART * SECOND // 2))), max_size=60))
def test_workers_whose_clocks_are_apart_get_together_what_one_clock_allows(steps: list[tuple[int, int]]) -> None:
    row, now, taken, pace = target(), NOW, 0, replace(PACE, in_flight=16)
    for wait, behind in [(0, 0), *steps]:
        now += wait
        admission = admit(row, pace, 0, now + behind)
        taken += admission.calls
        row = replace(row, health=msgspec.structs.replace(admission.health, tokens=(admission.health.tokens or 0) - admission.calls))
        assert taken <= pace.burst + (now - NOW) / SECOND * pace.rate_per_second + 1e-6


def test_a_bucket_that_a_wrong_clock_filled_is_filled_again_by_the_right_one() -> None:
    wrong = replace(target(), health=Health(tokens=0.0, refilled_at=NOW + DAY))
    right = replace(wrong, health=admit(wrong, PACE, 0, NOW).health)
    assert admit(right, PACE, 0, NOW + SECOND).calls == PACE.in_flight


def test_a_clock_that_goes_back_gives_nothing_away() -> None:
    assert admit(target(tokens=0.0, refilled_at=NOW), PACE, 0, NOW - DAY).calls == 0


def test_the_breaker_opens_after_failures_in_a_row_and_pauses_longer_each_time() -> None:
    row = after(target(), *["down"] * (OPENS_AFTER - 1))
    assert breaker(row.health, NOW) == "closed"
    now = NOW
    for n in range(len(PAUSES) + 2):
        row, pause = judge(row, [ended("down", now)]), PAUSES[min(n, len(PAUSES) - 1)] * SECOND
        assert row.health.open_until == now + pause
        assert (breaker(row.health, now + pause - 1), admit(row, PACE, 0, now + pause - 1).calls) == ("open", 0)
        now += pause
        probe = admit(row, PACE, 0, now)
        assert (breaker(row.health, now), probe.calls, probe.batch, admit(row, PACE, 1, now).calls) == ("half-open", 1, 1, 0)


@pytest.mark.parametrize("says", ["up", "refused", "slow"])
def test_any_answer_of_a_target_that_works_closes_the_breaker(says: str) -> None:
    row = after(target(), *["down"] * OPENS_AFTER, says)
    assert (breaker(row.health, NOW), row.health.failures) == ("closed", 0)


def test_after_a_failure_one_call_at_a_time_goes_out() -> None:
    assert admit(after(target(), "down"), PACE, 0, NOW + SECOND).calls == 1
    assert admit(after(target(), "down"), PACE, 1, NOW + SECOND).calls == 0


def test_a_call_of_many_deliveries_is_one_failure() -> None:
    row = judge(target(), [ended("down", lease="one")] * 100)
    assert (row.health.failures, row.health.failed) == (1, 1)


def test_what_a_target_asks_for_holds_for_all_its_deliveries() -> None:
    row = judge(target(), [ended("slow", not_before=NOW + 33 * SECOND), ended("slow", NOW + 1, not_before=NOW + 5 * SECOND)])
    assert admit(row, PACE, 0, NOW + 33 * SECOND - 1).calls == 0
    assert admit(row, PACE, 0, NOW + 33 * SECOND).calls == 4


@pytest.mark.parametrize("says", ["down", "refused"])
def test_five_days_of_only_failures_disable_a_target_and_the_clock_starts_with_several_in_a_day(says: str) -> None:
    once_a_day = after(target(), *[says] * 20, every=DAY + 1)
    assert once_a_day.state == "active"
    row = after(target(), says, says, says)
    started = NOW + 2 * SECOND
    assert judge(row, [ended(says, started + FAILING_FOR - 1)]).state == "active"
    gone = judge(row, [ended(says, started + FAILING_FOR)])
    assert gone.state == "disabled"
    assert "5 days" in gone.why


def test_one_delivery_in_five_days_stops_the_clock() -> None:
    row = judge(after(target(), *["down"] * 5), [ended("up", NOW + DAY)])
    assert judge(row, [ended("down", NOW + 6 * DAY)]).state == "active"


def test_being_slowed_down_or_having_nothing_to_say_is_no_failure() -> None:
    assert after(target(), *["slow", ""] * 20, every=DAY).health.failed == 0


@pytest.mark.parametrize(("state", "said", "becomes"), [
    ("active", "paused", "paused"), ("active", "disabled", "disabled"), ("paused", "disabled", "disabled"),
    ("disabled", "paused", "disabled"), ("paused", "paused", "paused"),
])
def test_a_target_that_was_stopped_stays_stopped(state: str, said: str, becomes: str) -> None:
    was = replace(target(), state=state, why="by hand")
    row = judge(was, [ended("", target_state=said)])
    assert row.state == becomes
    assert row.why == ("it was " if row.state != state else "by hand")


def test_a_pace_is_the_connectors_unless_the_target_says_otherwise() -> None:
    assert pace_of(target(), PACE) == PACE
    slow = TargetRow("t", "webhook", {"rate_per_second": "0.5"})
    assert pace_of(slow, PACE) == replace(PACE, rate_per_second=0.5, burst=1)
    assert pace_of(TargetRow("t", "webhook", {"burst": 3, "in_flight": 1}), PACE) == replace(PACE, burst=3, in_flight=1)


def test_every_connector_can_be_paced_and_a_wrong_pace_is_named() -> None:
    for schema in SCHEMAS.values():
        assert {"rate_per_second", "burst", "in_flight"} <= {setting.name for setting in schema}
    hook = {"url": "https://x.example", "secret": new_secret()}
    assert settings_for("webhook", {**hook, "rate_per_second": "2.5", "in_flight": "2"})["in_flight"] == 2
    with pytest.raises(SettingsInvalid) as wrong:
        settings_for("webhook", {**hook, "rate_per_second": "nan", "burst": "0", "in_flight": "99"})
    assert [problem.split(":")[0] for problem in wrong.value.problems] == ["rate_per_second", "burst", "in_flight"]
