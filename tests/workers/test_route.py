"""Routing on a real store: statements in, achievements, feed and deliveries out, in one write with the cursor."""
from __future__ import annotations

import json
import threading
import uuid
from pathlib import Path
from typing import Any

import pytest

from lrs.completions.model import Course, Person
from lrs.completions.subjects import email_identifiers
from lrs.config import Settings
from lrs.ingest.batch import accept
from lrs.ingest.prepare import Provider
from lrs.services import Services
from lrs.store.open_store import open_store
from lrs.store.protocols.work import Attempt, Cursor, Output, TargetRow, Wanted
from workers.route import CONSUMER, route_once

COURSE = "https://courses.example/forklift"
ADA = Person("7", "ada@example.com", "Ada", identifiers=tuple(email_identifiers("ada@example.com")))
VERBS = {name: f"http://adlnet.gov/expapi/verbs/{name}" for name in ("completed", "passed", "failed", "experienced", "voided")}


@pytest.fixture
def services(tmp_path: Path) -> Services:
    made = Services(Settings(data=tmp_path), open_store(tmp_path))
    made.store.directory.put_courses([Course(COURSE, "Forklift")])
    made.store.work.add_target(TargetRow("hris", "webhook"))
    return made


def statement(verb: str = "completed", mail: str = "ada@example.com", course: str = COURSE, **more: Any) -> dict[str, Any]:
    return {"id": str(uuid.uuid4()), "actor": {"mbox": f"mailto:{mail}"}, "verb": {"id": VERBS.get(verb, verb)},
            "object": {"id": course}, **more}


def void(target: dict[str, Any]) -> dict[str, Any]:
    return {**statement("voided"), "object": {"objectType": "StatementRef", "id": target["id"]}}


def send(services: Services, *statements: dict[str, Any], provider: str = "sim") -> None:
    authority = {"account": {"homePage": "https://lrs.example", "name": provider}}
    sender = Provider(provider, frozenset({"statements/write"}), provider, authority)
    accept(services, json.dumps(statements).encode(), sender)


def route(services: Services) -> None:
    """Until nothing is left."""
    for _ in range(50):
        done = route_once(services)
        if not done.statements and not done.changes:
            return
    raise AssertionError("routing never ends")


def feed(services: Services) -> list[dict[str, Any]]:
    return [json.loads(row.body) for row in services.store.work.feed(0, 1000)]


def said(services: Services) -> list[tuple[str, int]]:
    return [(event["event"].removeprefix("learning."), event["revision"]) for event in feed(services)]


def deliveries(services: Services) -> list[tuple[str, str, str]]:
    rows = services.store.work.deliveries(Wanted(), 100)
    return sorted((row.target, row.event.removeprefix("learning."), row.state) for row in rows)


def test_a_completion_of_a_known_person_becomes_a_feed_row_and_a_delivery(services: Services) -> None:
    services.store.directory.put_people([ADA])
    one = statement()
    send(services, one)
    route(services)
    [event] = feed(services)
    assert (event["event"], event["revision"]) == ("learning.completed", 1)
    assert event["user"] == {"externalId": "7", "email": "ada@example.com"}
    assert event["course"]["id"] == COURSE
    assert event["result"]["status"] == "completed"
    assert event["evidence"] == [one["id"]]
    assert deliveries(services) == [("hris", "completed", "pending")]


def test_what_is_routed_is_not_routed_again(services: Services) -> None:
    services.store.directory.put_people([ADA])
    send(services, statement())
    assert route_once(services).published == 1
    again = route_once(services)
    assert (again.statements, again.changes, again.published) == (0, 0, 0)
    assert services.store.work.cursor(CONSUMER).seq > 0


def test_reading_all_history_again_publishes_nothing_new(services: Services) -> None:
    services.store.directory.put_people([ADA])
    first, second = statement("completed"), statement("passed", result={"score": {"scaled": 0.9}})
    send(services, first, second)
    route(services)
    before = services.store.work.feed(0, 100)
    at = services.store.work.cursor(CONSUMER)
    assert services.store.work.advance(CONSUMER, at, Cursor(), Output())
    route(services)
    assert services.store.work.feed(0, 100) == before


def test_slices_of_any_size_give_the_same_events(tmp_path: Path) -> None:
    told = []
    mails = [f"p{n}@example.com" for n in range(5)]
    for n in (1, 3, 500):
        services = Services(Settings(data=tmp_path / str(n)), open_store(tmp_path / str(n)))
        services.store.directory.put_courses([Course(COURSE)])
        services.store.directory.put_people([Person(mail, mail, identifiers=tuple(email_identifiers(mail))) for mail in mails])
        send(services, *[statement(verb, mail) for verb in ("completed", "passed") for mail in mails])
        while (done := route_once(services, n)).statements or done.changes:
            pass
        told.append(sorted((e["user"]["externalId"], e["event"], e["revision"]) for e in feed(services)))
    assert told[0] == told[1] == told[2]
    # completed and passed in one slice, or apart: an update follows either way
    assert len(told[0]) == 10


def test_nothing_leaves_for_somebody_whom_the_directory_does_not_know(services: Services) -> None:
    send(services, statement())
    route(services)
    assert feed(services) == []
    assert deliveries(services) == []
    assert [row.subject for row in services.store.work.held()] == ["ifi:mbox:ada@example.com"]


def test_it_leaves_by_itself_when_the_directory_learns_the_identifier(services: Services) -> None:
    send(services, statement())
    route(services)
    services.store.directory.put_people([ADA])
    route(services)
    assert said(services) == [("completed", 1)]
    assert feed(services)[0]["user"]["externalId"] == "7"
    assert deliveries(services) == [("hris", "completed", "pending")]
    assert services.store.work.held() == []
    assert [row.subject for row in services.store.work.states(["ifi:mbox:ada@example.com", "person:7"])] == ["person:7"]


def test_what_was_achieved_before_and_after_is_one_achievement(services: Services) -> None:
    send(services, statement("completed"))
    route(services)
    services.store.directory.put_people([ADA])
    send(services, statement("passed"))
    route(services)
    assert len({event["id"] for event in feed(services)}) == 1
    assert feed(services)[-1]["result"]["status"] == "passed"


def test_a_person_known_by_a_hash_only_is_met(services: Services) -> None:
    digest = email_identifiers("ada@example.com")[1]
    send(services, {**statement(), "actor": {"mbox_sha1sum": digest.removeprefix("sha1:")}})
    route(services)
    services.store.directory.put_people([ADA])
    route(services)
    assert said(services) == [("completed", 1)]


def test_a_person_whom_the_directory_knows_by_a_hash_only_is_met_by_address(services: Services) -> None:
    send(services, statement())
    route(services)
    services.store.directory.put_people([Person("7", identifiers=(email_identifiers("ada@example.com")[1],))])
    route(services)
    assert said(services) == [("completed", 1)]


def test_a_void_takes_back_what_rested_on_it(services: Services) -> None:
    services.store.directory.put_people([ADA])
    one = statement()
    send(services, one)
    route(services)
    [claimed] = services.store.work.claim_due(1, 60, "me", 4_000_000_000_000_000)
    assert claimed.event == "learning.completed"
    send(services, void(one))
    route(services)
    assert said(services) == [("completed", 1), ("revoked", 2)]
    assert deliveries(services) == [("hris", "completed", "leased"), ("hris", "revoked", "pending")]


def test_a_void_of_what_was_never_sent_sends_nothing(services: Services) -> None:
    services.store.directory.put_people([ADA])
    one = statement()
    send(services, one)
    route(services)
    send(services, void(one))
    route(services)
    assert deliveries(services) == [("hris", "completed", "cancelled"), ("hris", "revoked", "cancelled")]


@pytest.mark.parametrize("void_first", [False, True])
def test_a_statement_voided_before_it_is_routed_completes_nothing(services: Services, void_first: bool) -> None:
    services.store.directory.put_people([ADA])
    one = statement()
    for each in (void(one), one) if void_first else (one, void(one)):
        send(services, each)
    route(services)
    assert feed(services) == []


def test_other_evidence_keeps_it_standing_after_a_void(services: Services) -> None:
    services.store.directory.put_people([ADA])
    one, two = statement(), statement()
    send(services, one, two)
    route(services)
    send(services, void(one))
    route(services)
    assert "revoked" not in [event for event, _ in said(services)]


def test_a_void_while_somebody_is_unknown_leaves_nothing_to_release(services: Services) -> None:
    one = statement()
    send(services, one)
    route(services)
    send(services, void(one))
    route(services)
    services.store.directory.put_people([ADA])
    route(services)
    assert feed(services) == []


def test_an_unmapped_verb_and_an_object_that_is_no_course_go_nowhere(services: Services) -> None:
    services.store.directory.put_people([ADA])
    send(services, statement("https://verbs.example/juggled"), statement(course="https://elsewhere.example/page"), statement("experienced"))
    route(services)
    assert feed(services) == []
    assert services.store.work.cursor(CONSUMER).seq > 0


def test_a_course_that_the_catalogue_learns_later_completes_from_its_old_statements(services: Services) -> None:
    services.store.directory.put_people([ADA])
    send(services, statement(course="https://courses.example/late"))
    route(services)
    assert feed(services) == []
    services.store.directory.put_courses([Course("https://courses.example/late")])
    route(services)
    assert [event["course"]["id"] for event in feed(services)] == ["https://courses.example/late"]


def test_a_target_is_not_told_what_only_it_has_said(services: Services) -> None:
    services.store.directory.put_people([ADA])
    services.store.work.add_target(TargetRow("lms", "webhook", {"provider": "lms"}))
    send(services, statement(), provider="lms")
    route(services)
    assert deliveries(services) == [("hris", "completed", "pending")]
    send(services, statement("passed"), provider="sim")
    route(services)
    assert ("lms", "updated", "pending") in deliveries(services)


def test_a_paused_target_goes_on_collecting(services: Services) -> None:
    services.store.directory.put_people([ADA])
    services.store.work.set_target_state("hris", "paused")
    send(services, statement())
    route(services)
    assert deliveries(services) == [("hris", "completed", "pending")]


def test_a_parked_delivery_is_released_when_its_person_changes(services: Services) -> None:
    services.store.directory.put_people([ADA])
    send(services, statement())
    route(services)
    work = services.store.work
    [one] = work.claim_due(1, 60, "me", 4_000_000_000_000_000)
    work.record([Attempt(one.id, one.lease, 1, "parked", 0, None, "no HRIS id")])
    services.store.directory.put_people([Person("7", "ada@example.com", "Ada", hris_id="99", identifiers=ADA.identifiers)])
    route(services)
    assert deliveries(services) == [("hris", "completed", "waiting")]


def test_of_two_workers_at_once_each_event_is_published_once(services: Services, tmp_path: Path) -> None:
    mails = [f"p{n}@example.com" for n in range(40)]
    services.store.directory.put_people([Person(mail, mail, identifiers=tuple(email_identifiers(mail))) for mail in mails])
    send(services, *[statement(mail=mail) for mail in mails])
    both = [services, Services(services.settings, open_store(tmp_path))]

    def run(mine: Services) -> None:
        while (done := route_once(mine, 5)).statements or done.changes or done.lost:
            pass

    threads = [threading.Thread(target=run, args=(mine,)) for mine in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(event["user"]["externalId"] for event in feed(services)) == sorted(mails)
