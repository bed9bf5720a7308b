"""Faults of the kind that the simulation is made to find, each planted in one place."""
from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from lrs.completions.subjects import identifier, person_subject, unknown_subject
from lrs.statements.record import Record
from lrs.store import claiming
from lrs.store.protocols.work import Cursor, Output
from lrs.store.sqlite.clock import advanced
from simulation.connectors import LedgerConnector
from simulation.store import deliveries, statements, work
from simulation.store.content import Outgoing, changed
from simulation.store.statements import ModelStatements
from simulation.store.work import ModelWork
from workers import deliver, limits, partitions
from workers.connectors.base import Retry, Throttled
from workers.round import Round

Plant = Callable[[pytest.MonkeyPatch], None]


def cursor_before_output(patch: pytest.MonkeyPatch) -> None:
    whole = ModelWork.advance

    def advance(self: ModelWork, consumer: str, was: Cursor, now: Cursor, output: Output) -> bool:
        if not whole(self, consumer, was, now, Output(fences=output.fences)):
            return False
        return whole(self, consumer, now, now, replace(output, fences=()))
    patch.setattr(ModelWork, "advance", advance)


def lease_not_checked(patch: pytest.MonkeyPatch) -> None:
    whole = deliveries.record

    def record(out: Outgoing, attempts: Sequence[Any], rules: Any) -> int:
        for one in attempts:
            if one.id in out.owed:
                out.owed[one.id] = changed(out.owed[one.id], lease=one.lease, state="leased")
        return whole(out, attempts, rules)
    patch.setattr(deliveries, "record", record)


def feed_number_reused(patch: pytest.MonkeyPatch) -> None:
    whole = work.publish

    def publish(out: Outgoing, published: Sequence[Any]) -> set[int]:
        there = len(out.feed)
        refused = whole(out, published)
        if there and len(out.feed) > there + 1:  # two rows of one round after others
            out.feed[-1] = replace(out.feed[-1], n=out.feed[-2].n)
        return refused
    patch.setattr(work, "publish", publish)


def slowing_down_costs_an_attempt(patch: pytest.MonkeyPatch) -> None:
    whole = deliver.next_step
    patch.setattr(deliver, "next_step", lambda outcome, *rest: whole(
        Retry(outcome.why, outcome.after) if isinstance(outcome, Throttled) else outcome, *rest))


def delivered_is_released_like_parked(patch: pytest.MonkeyPatch) -> None:
    whole = work.deliveries.release_parked

    def release(out: Outgoing, kind: str, key: str, now: int) -> None:
        whole(out, kind, key, now)
        for row in list(out.owed.values()):
            if row.state == "delivered" and deliveries.about(row, kind) == key:
                out.owed[row.id] = changed(row, state="waiting", due=now)
    patch.setattr(deliveries, "release_parked", release)


def time_stamped_before_the_lock(patch: pytest.MonkeyPatch) -> None:
    drawn: list[Any] = []

    def add(self: ModelStatements, batch: Sequence[Any], same: Any) -> Any:
        drawn.append(advanced(self._file.now.clock, self._ticks, len(batch)))
        return whole(self, batch, same)
    whole = ModelStatements.add
    patch.setattr(ModelStatements, "add", add)
    patch.setattr(statements, "advanced", lambda clock, ticks, span: drawn.pop() if span and drawn else advanced(clock, ticks, span))


def writers_are_not_seen(patch: pytest.MonkeyPatch) -> None:
    def snapshot(self: ModelStatements) -> tuple[Any, int]:
        log = self._file.read()
        return log, max(log.highest, self._now())
    patch.setattr(ModelStatements, "_snapshot", snapshot)


def nobody_is_asked_what_he_has(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(LedgerConnector, "dedupes", True)


def leases_are_believed_for_ever(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(deliver, "_time_left", lambda delivery, target, clock: True)


def leases_go_by_the_wall_clock(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(deliveries, "advanced", lambda kept, ticks, span, follows: (ticks.wall(), kept))
    patch.setattr(deliveries, "peeked", lambda kept, ticks: ticks.wall())


def losses_in_company_count(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(claiming, "ALONE", 1)


def a_suspect_is_sent_in_company(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(deliveries, "held_back", lambda alone, owner, holders, in_flight: False)


def the_breaker_never_opens(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(limits, "OPENS_AFTER", 1000)


def an_unknown_learner_is_published(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("workers.round.needs_person", lambda subject: False)


def changes_are_read_after_people(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Round, "learn", lambda self, change: None)


def partitions_by_person(patch: pytest.MonkeyPatch) -> None:
    def number_of(store: Any, record: Record, of: int) -> int:
        named = record if record.voids is None else store.statements.get(record.voids, voided=True) or record
        names = identifier(json.loads(named.text)["actor"])
        known = store.directory.person_by_identifier(names)
        person = next((known[name] for name in names if name in known), None)
        return zlib.crc32((person_subject(person.employee_id) if person else unknown_subject(names)).encode()) % of + 1
    patch.setattr(partitions, "number_of", number_of)


def what_was_loaded_is_not_checked(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(work, "stands", lambda out, output: True)


def only_what_all_have_judged_is_read_again(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(partitions.Standing, "judged", lambda self, store, record: record.seq <= self.least.seq)


PLANTED: dict[str, Plant] = {plant.__name__: plant for plant in (
    cursor_before_output, lease_not_checked, feed_number_reused, slowing_down_costs_an_attempt,
    delivered_is_released_like_parked, time_stamped_before_the_lock, writers_are_not_seen,
    nobody_is_asked_what_he_has, leases_are_believed_for_ever, leases_go_by_the_wall_clock,
    losses_in_company_count, a_suspect_is_sent_in_company,
    the_breaker_never_opens, an_unknown_learner_is_published,
    changes_are_read_after_people, partitions_by_person, what_was_loaded_is_not_checked,
    only_what_all_have_judged_is_read_again)}
"""By name; each is called with a monkeypatch that takes it out again."""
