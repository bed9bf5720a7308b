"""Faults of a log that many processes write, each planted in one place of its intents or promises."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from lrs.store import intents
from lrs.store.intents import BEAT_US, LEASE_US, PLACES, Intent, Known, Place, Promise, Table, complete

Plant = Callable[[pytest.MonkeyPatch], None]


def no_intent_before_the_seq(patch: pytest.MonkeyPatch) -> None:
    whole = Intent.open

    def open_(self: Any) -> None:
        whole(self)
        self._table.change(self._place, {}, {"low": 0})
    patch.setattr(Intent, "open", open_)
    patch.setattr(Intent, "draw", lambda self, table: intents.first_seq(self._place, max(self._now(), table.look().reached + 1)))
    patch.setattr(Intent, "settle", _settled_by_anybody)


def _settled_by_anybody(self: Any, table: Table, after: int, *, stay: bool, referring: int) -> int:
    mark = {"referring": referring} if referring else {}
    table.change(self._place, {}, {"low": after if stay else 0, "high": after - PLACES, **mark})
    return after if stay else 0


def a_writer_that_was_given_up_commits(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Intent, "draw", lambda self, table: intents.first_seq(self._place, max(self._now(), self._low)))
    patch.setattr(Intent, "settle", _settled_by_anybody)


def a_seq_by_the_clock_alone(patch: pytest.MonkeyPatch) -> None:
    whole = Intent.draw

    def draw(self: Any, table: Table) -> int:
        whole(self, table)
        return intents.first_seq(self._place, self._now())
    patch.setattr(Intent, "draw", draw)


def a_seq_of_any_place(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(intents, "first_seq", lambda place, least: least)


def intents_are_looked_at_first(patch: pytest.MonkeyPatch) -> None:
    def through(self: Any, table: Table) -> int:
        standing, now = table.look().standing, self._now()
        reached = table.look().reached
        if now - reached > BEAT_US:
            table.give(reached := now)
        return _said(self, table, reached, standing, now)
    patch.setattr(Promise, "through", through)


def one_look_is_always_enough(patch: pytest.MonkeyPatch) -> None:
    def through(self: Any, table: Table) -> int:
        now, known = self._now(), table.look()
        reached = known.reached
        if now - reached > BEAT_US:
            table.give(reached := now)
        return _said(self, table, reached, known.standing, now)
    patch.setattr(Promise, "through", through)


def _said(self: Any, table: Table, reached: int, standing: list[Place], now: int) -> int:
    if oldest := intents.dead(self._since(standing, now), now):
        self._end(table, oldest)
    self._said = max(self._said, complete(reached, standing))
    self._referring = self._said  # so that no mark is what is noticed
    return int(self._said)


def an_old_intent_is_no_intent(patch: pytest.MonkeyPatch) -> None:
    whole = intents.complete
    patch.setattr(intents, "complete", lambda reached, standing: whole(reached, [one for one in standing if reached - one.low < LEASE_US]))


def intents_are_not_looked_at(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(intents, "complete", lambda reached, standing: reached)


def a_promise_without_its_intent_itself(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(intents, "complete", lambda reached, standing: min([reached, *(one.low + LEASE_US for one in standing)]))


def a_promise_that_falls_back(patch: pytest.MonkeyPatch) -> None:
    whole = Promise.through

    def through(self: Any, table: Table) -> int:
        self._said = 0
        return whole(self, table)
    patch.setattr(Promise, "through", through)


def nobody_ends_the_intents_of_the_dead(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(intents, "dead", lambda since, now: None)


def an_intent_that_is_ahead_is_never_old(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Promise, "_since", lambda self, standing, now: {one: one.low for one in standing})


def what_is_promised_is_not_written_down(patch: pytest.MonkeyPatch) -> None:
    whole = Promise.through

    class Mute:
        def __init__(self, table: Table) -> None:
            self.look, self.change, self.end_session = table.look, table.change, table.end_session

        def give(self, time: int) -> None:
            pass
    patch.setattr(Promise, "through", lambda self, table: whole(self, Mute(table)))


def what_refers_to_another_is_not_marked(patch: pytest.MonkeyPatch) -> None:
    whole = Intent.settle
    patch.setattr(Intent, "settle", lambda self, table, after, *, stay, referring: whole(self, table, after, stay=stay))


def marks_are_those_of_the_first_look(patch: pytest.MonkeyPatch) -> None:
    whole = Promise.through

    class First:
        def __init__(self, table: Table) -> None:
            self._look, self._marks = table.look, dict[int, int]()
            self.give, self.change, self.stands, self.end_session = table.give, table.change, table.stands, table.end_session

        def look(self) -> Known:
            known = self._look()
            self._marks = self._marks or {one.number: one.referring for one in known.places}
            return Known(known.given, [replace(one, referring=self._marks[one.number]) for one in known.places])
    patch.setattr(Promise, "through", lambda self, table: whole(self, First(table)))


PLANTED: dict[str, Plant] = {plant.__name__: plant for plant in (
    no_intent_before_the_seq, a_writer_that_was_given_up_commits, a_seq_by_the_clock_alone, a_seq_of_any_place,
    intents_are_looked_at_first, one_look_is_always_enough, an_old_intent_is_no_intent, intents_are_not_looked_at,
    a_promise_without_its_intent_itself, a_promise_that_falls_back, nobody_ends_the_intents_of_the_dead,
    an_intent_that_is_ahead_is_never_old, what_is_promised_is_not_written_down, what_refers_to_another_is_not_marked,
    marks_are_those_of_the_first_look)}
"""By name; each is called with a monkeypatch that takes it out again."""
