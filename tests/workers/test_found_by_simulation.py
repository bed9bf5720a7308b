"""What the simulation has found, each on the real store."""
from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from map_history import ADA, COURSE, feed, made, route, said, send, statement
from msgspec.structs import replace

from lrs.completions.fold import fold
from lrs.completions.model import Course, Evidence, Person
from lrs.completions.rebind import rebind
from lrs.completions.subjects import email_identifiers
from lrs.errors import StoreUnavailable
from lrs.services import Services
from lrs.store.protocols.work import Attempt, Cursor, Output, Published, Wanted
from workers import reread
from workers.connectors.base import Answer, Delivered, Delivery, Target
from workers.deliver import Deliverer

EVE = email_identifiers("eve@example.com")
NOW = 4_000_000_000_000_000
TYPED = {"definition": {"type": "http://adlnet.gov/expapi/activities/course"}}


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    here = made(tmp_path)
    yield here
    here.store.close()


def owed(services: Services) -> None:
    body = {"event": "learning.completed", "id": "a", "revision": 1, "user": {"externalId": ADA.employee_id}, "course": {"id": COURSE}}
    at = services.store.work.cursor("route")
    output = Output((), [Published("learning.completed", "a", 1, json.dumps(body).encode())], [(0, "hris")])
    assert services.store.work.advance("route", at, Cursor(at.seq + 1, at.change), output)


def test_a_void_that_history_meets_before_it_is_routed_is_still_a_revoke(services: Services) -> None:
    done = statement("completed")
    send(services, done)
    route(services)
    services.store.directory.put_courses([Course(COURSE, "Forklift truck")])
    send(services, {**statement("voided"), "object": {"objectType": "StatementRef", "id": done["id"]}})
    reread.reread_once(services)
    route(services)
    assert [event for _, event, _ in said(services)] == ["completed", "revoked"]


def test_half_of_a_whole_that_waits_is_found_by_a_hash_of_its_address(services: Services) -> None:
    parts = ("https://courses.example/a", "https://courses.example/b")
    services.store.directory.put_courses([Course("https://courses.example/whole", all_of=parts)])
    send(services, statement("completed", "eve@example.com", parts[0]))
    route(services)
    services.store.directory.put_people([Person("9", identifiers=(EVE[1],))])
    route(services)
    send(services, statement("completed", "eve@example.com", parts[1]))
    route(services)
    assert said(services) == [("9", "completed", "completed")]


def test_an_alias_catalogued_while_its_learner_waits_is_told_once(services: Services) -> None:
    old = "https://courses.example/old"
    send(services, {**statement("completed", "eve@example.com", old), "object": {"id": old, **TYPED}})
    route(services)
    services.store.directory.put_courses([Course(COURSE, "Forklift", aliases=(old,))])
    services.store.directory.put_people([Person("9", identifiers=tuple(EVE))])
    while reread.reread_once(services).slices:
        pass
    route(services)
    assert said(services) == [("9", "completed", "completed")]
    assert [event["course"]["id"] for event in feed(services)] == [COURSE]


def test_what_is_learned_while_a_delivery_is_under_way_releases_it_too(services: Services) -> None:
    owed(services)
    [one] = services.store.work.claim_due(1, 60, "me", NOW)
    at = services.store.work.cursor("route")
    services.store.work.advance("route", at, at, Output(released=[("person", ADA.employee_id)]))
    services.store.work.record([Attempt(one.id, one.lease, NOW, "parked", 0, None, "no HRIS id")])
    assert [again.id for again in services.store.work.claim_due(1, 60, "me", NOW)] == [one.id]


@pytest.mark.parametrize(("status", "asked"), [(None, True), (502, True), (400, False)])
def test_a_replay_asks_for_what_may_have_arrived(services: Services, status: int | None, asked: bool) -> None:
    owed(services)
    [one] = services.store.work.claim_due(1, 60, "me", NOW)
    services.store.work.record([Attempt(one.id, one.lease, NOW, "dead", 10, None, "failed", status)])
    services.store.work.replay(Wanted(state="dead"), now=NOW, dry=False)
    [again] = services.store.work.claim_due(1, 60, "me", NOW)
    assert (again.attempts, again.unclear) == (0, asked)


class Rows:
    """A system that keeps every row."""

    name: ClassVar[str] = "webhook"
    dedupes: ClassVar[bool] = False

    def __init__(self) -> None:
        self.sent: list[str] = []

    def send(self, delivery: Delivery, target: Target) -> Answer:
        self.sent.append(delivery.id)
        return Answer(Delivered(), 200)

    def find(self, delivery: Delivery, target: Target) -> bool | None:
        return delivery.id in self.sent

    def probe(self, target: Target) -> Answer:
        return Answer(Delivered())


def test_a_clock_that_is_set_back_makes_no_lease_longer(services: Services) -> None:
    owed(services)
    wall, gone = [NOW], [0.0]
    rows: Any = Rows()
    hands = Deliverer(services, "me", lambda: wall[0], {"webhook": rows}, uptime=lambda: gone[0])
    [call] = hands.turn([], 1)
    gone[0] = 3600.0  # an hour has gone by, in which the lease ended, and the clock was set back by as much
    assert [one.attempt for one in hands.exchange(call)] == [None]
    assert rows.sent == []
    hands.close()


def test_a_clock_that_is_set_forth_and_back_during_a_call_gives_it_to_nobody_else(services: Services) -> None:
    owed(services)
    wall, rows = [NOW], Rows()
    known: Any = {"webhook": rows}
    mine, other = (Deliverer(services, name, lambda: wall[0], known) for name in ("mine", "another"))
    [call] = mine.turn([], 1)
    wall[0] += 3600 * 1_000_000
    assert other.turn([], 1) == []
    wall[0] -= 3600 * 1_000_000
    ended = mine.exchange(call)
    mine.turn(ended, 0)
    assert len(rows.sent) == 1
    assert services.store.work.count_by_state() == {"delivered": 1}
    for hands in (mine, other):
        hands.close()


def test_what_a_clock_that_was_years_ahead_put_off_is_due_when_it_is_right_again(services: Services) -> None:
    owed(services)
    [one] = services.store.work.claim_due(1, 60, "me", NOW)
    years = NOW + 10**15
    services.store.work.record([Attempt(one.id, one.lease, years, "waiting", 1, years, "503", 503)])
    assert [again.id for again in services.store.work.claim_due(1, 60, "me", NOW)] == [one.id]


def test_a_fault_of_the_store_costs_no_attempt(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    owed(services)
    rows: Any = Rows()
    rows.__class__ = type("Ledger", (Rows,), {"name": "ledger"})  # not a webhook: what the directory knows is added
    hands = Deliverer(services, "me", lambda: NOW, {"webhook": rows})
    [call] = hands.turn([], 1)

    def away(employee_id: str) -> None:
        raise StoreUnavailable(OSError("disk"))
    monkeypatch.setattr(services.store.directory, "person", away)
    assert [one.attempt for one in hands.exchange(call)] == [None]
    hands.close()


def test_an_achievement_that_comes_back_after_its_revoke_is_told_again_with_the_next_revision(services: Services) -> None:
    old = "https://courses.example/old"
    send(services, statement("completed"), {**statement("completed"), "object": {"id": old, **TYPED}})
    route(services)
    one, other = (event["id"] for event in feed(services))
    for courses in ([Course(COURSE, "Forklift", aliases=(old,))], [Course(COURSE, "Forklift"), Course(old, "Its own")]):
        services.store.directory.put_courses(courses)
        route(services)
    send(services, {**statement("passed"), "object": {"id": old, **TYPED}})
    route(services)
    assert [(event["id"], event["event"], event["revision"]) for event in feed(services)] == [
        (one, "learning.completed", 1), (other, "learning.completed", 1), (other, "learning.revoked", 2),
        (other, "learning.completed", 3), (other, "learning.updated", 4)]
    assert {(row.event_id, row.revision, row.state) for row in services.store.work.deliveries(Wanted(), 9) if row.event_id == other} == {
        (other, 1, "cancelled"), (other, 2, "cancelled"), (other, 3, "pending"), (other, 4, "pending")}


def test_two_courses_that_know_one_achievement_revoke_it_once(services: Services) -> None:
    old = "https://courses.example/old"
    services.store.directory.put_courses([Course(COURSE, "Forklift", aliases=(old,))])
    done = {**statement("completed"), "object": {"id": old, **TYPED}}
    send(services, done)
    route(services)
    services.store.directory.put_courses([Course(COURSE, "Forklift"), Course(old, "Its own")])
    route(services)
    send(services, {**statement("voided"), "object": {"objectType": "StatementRef", "id": done["id"]}})
    route(services)
    assert all(revisions == list(range(1, len(revisions) + 1)) for revisions in _revisions(services).values())
    assert {event["event"] for event in feed(services)[-len(_revisions(services)):]} == {"learning.revoked"}


def test_what_two_courses_know_falls_with_the_last_of_them(services: Services) -> None:
    old = "https://courses.example/old"
    done, passed = ({**statement(verb), "object": {"id": old, **TYPED}} for verb in ("completed", "passed"))
    send(services, done)
    route(services)
    for courses in ([Course(COURSE, "Forklift", aliases=(old,))], [Course(COURSE, "Forklift"), Course(old, "Its own")]):
        services.store.directory.put_courses(courses)
        route(services)
    send(services, passed)
    route(services)
    for voided, told in ((done, []), (passed, [("learning.revoked", 3)])):
        send(services, {**statement("voided"), "object": {"objectType": "StatementRef", "id": voided["id"]}})
        route(services)
        assert [(event["event"], event["revision"]) for event in feed(services)] == [
            ("learning.completed", 1), ("learning.updated", 2), *told]


def _revisions(services: Services) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for event in feed(services):
        found.setdefault(event["id"], []).append(event["revision"])
    return found


def test_a_rebind_cancels_nothing_that_the_person_was_told() -> None:
    done, course = Evidence(5, "s5", NOW, "completed", "acme", "lms", COURSE), Course(COURSE)
    told = fold(None, [done], course=course, subject="person:7", now_us=NOW).state
    held = fold(None, [done], course=course, subject="ifi:x", now_us=NOW).state
    moved = rebind(held, told, from_subject="ifi:x", to_subject="person:7", course=course, person=ADA, now_us=NOW)
    assert (moved.cancelled, moved.publications) == ((), ())
    assert rebind(held, replace(told, windows=()), from_subject="ifi:x", to_subject="person:7", course=course, person=ADA,
                  now_us=NOW).cancelled == (held.windows[0].id,)
