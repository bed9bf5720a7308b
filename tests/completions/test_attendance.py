"""From who was seen to join and leave to each person's time in a session."""
from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrs.completions.attendance import Presence, Seen, duration, measured, met, moment, presences, union

ADA = {"mbox": "mailto:ada@example.com"}
BOB = {"mbox": "mailto:bob@example.com"}
GUEST = {"account": {"homePage": "https://zoom.us", "name": "registrant:R-1"}}
SECOND = 1_000_000


def us(time: str) -> int:
    return int(datetime.fromisoformat(f"2026-01-01T{time}+00:00").astimezone(UTC).timestamp() * SECOND)


def nobody(forms: Collection[str]) -> Mapping[str, str]:
    return {}


def join(time: str, actor: Mapping[str, Any] = ADA, **more: Any) -> Seen:
    return Seen(us(time), True, actor, **more)


def leave(time: str, actor: Mapping[str, Any] = ADA, **more: Any) -> Seen:
    return Seen(us(time), False, actor, **more)


def alone(*seen: Seen, end: str = "10:00:00") -> Presence:
    [one] = presences(seen, us(end), nobody)
    return one


def test_two_devices_that_overlap_count_once() -> None:
    one = alone(join("09:00:05", device="a"), leave("09:20:00", device="a"), join("09:15:00", device="b"), leave("09:40:00", device="b"))
    assert (one.micros, one.first, one.flags) == (2395 * SECOND, us("09:00:05"), ())


def test_who_never_leaves_stays_to_the_end() -> None:
    one = alone(join("09:00:10"), end="09:48:40")
    assert (one.micros, one.flags) == (2910 * SECOND, ("no_leave",))


def test_who_never_leaves_is_open_while_the_end_is_not_known() -> None:
    [one] = presences([join("09:00:00", device="a"), leave("09:10:00", device="a"), join("09:20:00", device="b")], None, nobody)
    assert (one.open, one.micros) == (True, 600 * SECOND)


def test_a_rejoin_leaves_out_the_time_between() -> None:
    one = alone(join("09:00:00"), leave("09:10:00"), join("09:30:00"), leave("09:40:00"))
    assert one.micros == 1200 * SECOND


def test_a_rejoin_at_the_second_of_the_leave_goes_on() -> None:
    assert alone(join("09:00:00"), leave("09:10:00"), join("09:10:00"), leave("09:20:00")).micros == 1200 * SECOND


def test_a_leave_without_join_counts_nothing_and_is_flagged() -> None:
    one = alone(leave("09:05:00", device="b"), join("09:10:00", device="a"), leave("09:20:00", device="a"))
    assert (one.micros, one.flags) == (600 * SECOND, ("leave_without_join",))
    assert presences([leave("09:05:00")], us("10:00:00"), nobody) == []


def test_a_leave_before_its_join_counts_nothing_and_is_flagged() -> None:
    one = alone(join("09:10:00"), leave("09:05:00"))
    assert (one.micros, one.flags) == (0, ("negative",))


def test_a_join_after_the_end_counts_nothing_and_is_flagged() -> None:
    assert alone(join("10:00:01")).flags == ("negative", "no_leave")


def test_a_join_told_twice_opens_one_interval() -> None:
    assert alone(join("09:00:00"), join("09:00:00"), join("09:00:02"), leave("09:10:00")).micros == 600 * SECOND


def test_the_report_closes_what_webhooks_left_open() -> None:
    one = alone(join("09:00:00", device="a"), join("09:00:00", device="a", report=True), leave("09:10:00", device="a", report=True))
    assert (one.micros, one.flags, one.report) == (600 * SECOND, (), True)


def test_the_same_interval_from_webhooks_and_from_the_report_counts_once() -> None:
    one = alone(join("09:00:00", device="a"), leave("09:10:00", device="a"),
                join("09:00:01", device="a", report=True), leave("09:10:01", device="a", report=True))
    assert one.micros == 601 * SECOND


@pytest.mark.parametrize("link", ["user_id:1", "participant_uuid:P", "registrant_id:R", "customer_key:C", "id:I"])
def test_any_shared_identifier_is_the_same_person(link: str) -> None:
    one = alone(join("09:00:00", GUEST, links=(link,), device="a"), leave("09:10:00", GUEST, links=(link,), device="a"),
                join("09:05:00", ADA, links=(link, "user_id:9"), device="b"), leave("09:20:00", ADA, links=("user_id:9",), device="b"))
    assert (one.actor, one.micros) == (ADA, 1200 * SECOND)


def test_two_identifiers_of_one_person_of_the_directory_are_the_same_person() -> None:
    def lookup(forms: Collection[str]) -> Mapping[str, str]:
        return {form: "7" for form in forms if form in ("mbox:bob@example.com", "account:https://zoom.us|registrant:R-1")}

    [one] = presences([join("09:00:00", GUEST), leave("09:10:00", GUEST), join("09:20:00", BOB), leave("09:30:00", BOB)],
                      us("10:00:00"), lookup)
    assert (one.person, one.micros) == ("7", 1200 * SECOND)


def test_the_directory_names_the_person_else_the_address_else_who_joined() -> None:
    def lookup(forms: Collection[str]) -> Mapping[str, str]:
        return {form: "7" for form in forms if form.startswith("account:")}

    both = [join("09:00:00", GUEST, agents=(GUEST, ADA))]
    assert presences(both, us("10:00:00"), lookup)[0].actor == GUEST
    assert presences(both, us("10:00:00"), nobody)[0].actor == ADA
    assert presences([join("09:00:00", GUEST)], us("10:00:00"), nobody)[0].actor == GUEST


def test_identifiers_of_two_people_are_flagged() -> None:
    def lookup(forms: Collection[str]) -> Mapping[str, str]:
        return {form: form for form in forms if form.startswith("mbox:")}

    [one] = presences([join("09:00:00", ADA, links=("user_id:1",)), leave("09:10:00", BOB, links=("user_id:1",))], us("10:00:00"), lookup)
    assert (one.actor, one.flags) == (ADA, ("several_people",))


def test_strangers_stay_apart() -> None:
    found = presences([join("09:00:00", ADA), join("09:01:00", BOB)], us("10:00:00"), nobody)
    assert [one.actor for one in found] == [ADA, BOB]


@pytest.mark.parametrize(("text", "micros"), [
    ("2026-01-01T09:00:52.2300461Z", us("09:00:52") + 230_046), ("2026-01-01T10:00:00+01:00", us("09:00:00")),
    ("1970-01-01T00:00:00.000Z", None), ("soon", None), (None, None), (7, None)])
def test_a_time_has_any_number_of_digits_and_1970_is_not_yet(text: object, micros: int | None) -> None:
    assert moment(text) == micros


@pytest.mark.parametrize(("scheduled", "actual", "of", "is_"), [
    (3600, 3000, "scheduled", (3600, "scheduled")), (3600, 3000, "actual", (3000, "actual")), (0, 3000, "scheduled", (3000, "actual")),
    (None, 3000, "scheduled", (3000, "actual")), (3600, None, "actual", (3600, "scheduled")), (0, None, "scheduled", (None, ""))])
def test_presence_is_measured_against_what_is_known(scheduled: float | None, actual: float | None, of: str,
                                                    is_: tuple[float | None, str]) -> None:
    assert measured(scheduled, actual, of) == is_


def test_forty_eight_of_sixty_minutes_are_eighty_percent() -> None:
    assert met(47 * 60 * SECOND, 3600, 80) is False
    assert met(48 * 60 * SECOND, 3600, 80) is True
    assert met(48 * 60 * SECOND, None, 80) is None


@pytest.mark.parametrize(("micros", "text"), [(2395 * SECOND, "PT2395S"), (1_500_000, "PT1.5S"), (1_239_999, "PT1.23S"), (0, "PT0S")])
def test_a_duration_is_in_seconds(micros: int, text: str) -> None:
    assert duration(micros) == text


INTERVALS = st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 5000)), max_size=12)


@given(INTERVALS)
def test_a_union_is_no_longer_than_span_and_sum_and_no_shorter_than_any(intervals: list[tuple[int, int]]) -> None:
    real = [(start, end) for start, end in intervals if end > start]
    found = union(intervals)
    assert found == len({second for start, end in real for second in range(start, end)})
    assert found <= sum(end - start for start, end in real)
    assert found <= max((end for _, end in real), default=0) - min((start for start, _ in real), default=0)
    assert found >= max((end - start for start, end in real), default=0)


SEEN = st.builds(Seen, st.integers(0, 3000), st.booleans(), st.sampled_from([ADA, BOB, GUEST]),
                 links=st.lists(st.sampled_from(["user_id:1", "user_id:2", "id:A"]), max_size=2).map(tuple),
                 device=st.sampled_from(["", "1", "2"]), report=st.booleans())


@given(st.lists(SEEN, max_size=15), st.randoms(use_true_random=False))
def test_order_and_repetition_change_nothing(seen: list[Seen], rng: Any) -> None:
    expected = presences(seen, 4000, nobody)
    mixed = seen + seen[: len(seen) // 2]
    rng.shuffle(mixed)
    assert presences(mixed, 4000, nobody) == expected


@given(st.lists(SEEN, max_size=15))
def test_nobody_was_there_longer_than_from_his_first_join_to_the_end(seen: list[Seen]) -> None:
    for one in presences(seen, 4000, nobody):
        assert 0 <= one.micros <= 4000 - one.first
