"""Whatever the history and whatever the maps: a diff says what applying does, and no map is ever told twice."""
from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from map_history import BOB, COURSE, VENDOR, apply, catalogue, feed, made, propose, roll_back, route, send, statement

from lrs.completions.model import Person
from lrs.completions.state import from_json as state_of
from lrs.completions.subjects import email_identifiers
from lrs.management import maps
from lrs.services import Services
from lrs.store.protocols.work import Cursor, Output
from workers import reread

OTHER = "https://courses.example/crane"
PART = "https://courses.example/part"
VERBS = (VENDOR, "https://vendor.example/verbs/did", "completed", "passed", "failed")
EVE = Person("9", "eve@example.com", identifiers=tuple(email_identifiers("eve@example.com")))
MAILS = ("ada@example.com", "bob@example.com", "eve@example.com")
READ_AS = ("completed,yes", "passed,yes", "failed,yes", "scored,no", "other,never", "progressed,no", "revoked,revoke")
FULL = {name: name if ":" in name else f"http://adlnet.gov/expapi/verbs/{name}" for name in VERBS}

events = st.lists(st.tuples(st.sampled_from(VERBS), st.sampled_from(MAILS), st.sampled_from((COURSE, OTHER, PART)),
                            st.sampled_from((None, True, False))), max_size=10)
verb_maps = st.dictionaries(st.sampled_from(VERBS), st.sampled_from(READ_AS), min_size=1, max_size=3)
course_maps = st.fixed_dictionaries({}, optional={
    COURSE: st.sampled_from(({}, {"single_au": PART}, {"all_of": [PART, OTHER]})), OTHER: st.just({"title": "Crane"})})


def sent(services: Services, history: list[tuple[str, str, str, bool | None]]) -> None:
    said = [statement(verb, mail, course, **({} if success is None else {"result": {"success": success}}))
            for verb, mail, course, success in history]
    if said:
        send(services, *said)
    route(services)


def proposed(services: Services, kind: str, change: dict[str, Any]) -> int | None:
    """A version that does this; None where it would change nothing."""
    try:
        if kind == "verbs":
            return propose(services, *[f"{FULL[verb]},,,{read_as}" for verb, read_as in change.items()])
        return catalogue(services, *[{"id": name, **course} for name, course in change.items()])
    except ValueError:
        return None


def told(services: Services, after: int) -> Counter[str]:
    return Counter(f"{one['event']} {one['result']['status']}" for one in feed(services)[after:])


changes = st.lists(st.one_of(st.tuples(st.just("verbs"), verb_maps), st.tuples(st.just("courses"), course_maps)), min_size=1, max_size=3)
slow = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@slow
@given(history=events, maps_=changes)
def test_a_diff_counts_what_applying_publishes(history: list[Any], maps_: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        services = made(Path(folder))
        sent(services, history)
        for kind, change in maps_:
            number = proposed(services, kind, change)
            if number is None:
                continue
            before, states = len(feed(services)), services.store.work.states([f"person:{BOB.employee_id}"])
            expected = maps.diff(services.store, kind, number)
            assert services.store.work.feed_length() == before, "a diff writes nothing"
            assert services.store.work.states([f"person:{BOB.employee_id}"]) == states
            event(f"{kind}: released {expected.events > 0}, parked {expected.parked > 0}, kept {expected.kept > 0}, "
                  f"forgotten {expected.forgotten > 0}")
            apply(services, kind, number)
            assert told(services, before) == Counter(expected.released)
            again = maps.diff(services.store, kind, number)
            assert (again.events, again.readings, again.kept, again.forgotten) == (0, [], expected.kept, 0)
        services.store.close()


@slow
@given(history=events, maps_=changes, more=events)
def test_forth_and_back_and_forth_sends_nothing_twice(history: list[Any], maps_: list[Any], more: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        services = made(Path(folder))
        sent(services, history)
        for kind, change in maps_:
            number = proposed(services, kind, change)
            if number is None:
                continue
            apply(services, kind, number)
            before = len(feed(services))
            for _ in range(3):
                roll_back(services, kind)
            assert feed(services)[before:] == []
        sent(services, more)
        revisions = [(one["id"], one["revision"]) for one in feed(services)]
        assert len(set(revisions)) == len(revisions)
        services.store.close()


@slow
@given(history=events, change=verb_maps)
def test_in_slices_of_one_the_same_is_published_as_in_one(history: list[Any], change: dict[str, str]) -> None:
    seen = []
    for size in (1, 200):
        with tempfile.TemporaryDirectory() as folder:
            services = made(Path(folder))
            sent(services, history)
            number = proposed(services, "verbs", change)
            if number is None:
                return
            before = len(feed(services))
            maps.apply(services.store, "verbs", number, who="test")
            while reread.reread_once(services, size).slices:
                pass
            seen.append(told(services, before))
            states = services.store.work.states([f"person:{BOB.employee_id}"])
            assert all(state_of(row.body).evidence for row in states if row.body)
            services.store.close()
    assert seen[0] == seen[1]


TYPED = "https://lms.example/c/1"
aliased = st.fixed_dictionaries({}, optional={
    COURSE: st.sampled_from(({}, {"single_au": PART}, {"all_of": [PART, OTHER]}, {"aliases": [TYPED]})),
    OTHER: st.just({"title": "Crane"})})
one_event = st.tuples(st.just("statement"), st.sampled_from(VERBS), st.sampled_from(MAILS), st.sampled_from((COURSE, OTHER, PART, TYPED)))
steps_ = st.lists(st.one_of(
    one_event, one_event, one_event, st.tuples(st.just("verbs"), verb_maps), st.tuples(st.just("courses"), aliased),
    st.tuples(st.just("void"), st.integers(0, 20)), st.just(("learn",)), st.just(("replay",))), min_size=3, max_size=12)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=steps_)
def test_whatever_happens_in_whatever_order_the_feed_makes_sense(steps: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        services = made(Path(folder))
        history: list[dict[str, Any]] = []
        for name, *step in steps:
            before = len(feed(services))
            if name == "statement":
                history.append(statement(*step))
                if step[2] == TYPED:
                    history[-1]["object"]["definition"] = {"type": "http://adlnet.gov/expapi/activities/course"}
                send(services, history[-1])
            elif name == "void" and history:
                target = history[step[0] % len(history)]["id"]
                send(services, {**statement("voided"), "object": {"objectType": "StatementRef", "id": target}})
            elif name == "learn":
                services.store.directory.put_people([EVE])
            elif name == "replay":
                at = services.store.work.cursor("route")
                assert services.store.work.advance("route", at, Cursor(0, at.change), Output())
                route(services)
                assert feed(services)[before:] == []
            elif (number := proposed(services, name, step[0]) if name in maps.KINDS else None) is not None:
                expected = maps.diff(services.store, name, number)
                apply(services, name, number)
                assert told(services, before) == Counter(expected.released)
                for _ in range(2):
                    roll_back(services, name)
                assert len(feed(services)) == before + expected.events
            route(services)
        stands: dict[str, str] = {}
        for one in feed(services):
            # a completion is said once until it is revoked; what is updated or revoked was said
            said = stands.get(one["id"], "learning.revoked")
            assert (said == "learning.revoked") == (one["event"] == "learning.completed")
            stands[one["id"]] = one["event"]
        services.store.close()
