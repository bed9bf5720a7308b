"""A changed map or course meets history: what was never sent is released, nothing is sent twice, nothing is lost."""
from __future__ import annotations

import contextlib
import dataclasses
import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from map_history import ADA, COURSE, VENDOR, apply, catalogue, feed, made, propose, roll_back, route, rules, said, send, statement

from lrs.completions.model import Course, Person
from lrs.completions.subjects import email_identifiers
from lrs.errors import StoreUnavailable
from lrs.ingest import maps as ingest_maps
from lrs.management import maps, verbs
from lrs.services import Services
from lrs.store.open_store import open_store
from lrs.store.protocols.credentials import Credential
from lrs.store.protocols.work import Cursor, Output, Wanted
from lrs.store.sqlite.mappings import SqliteMappings
from lrs.store.sqlite.statements import SqliteStatements
from lrs.store.sqlite.work import SqliteWork
from verbs.read import from_json
from verbs.tables import load
from workers import reread
from workers.route import _route, route_once

PRODUCT = load().version
ROW = f"{VENDOR},,,completed,yes"


@pytest.fixture
def services(tmp_path: Path) -> Services:
    return made(tmp_path)


def readings(services: Services) -> list[tuple[str, int]]:
    return [(r.verb, r.map_version) for r in (from_json(one.reading) for one in services.store.statements.follow(0, 1000))]


def test_a_mapped_verb_releases_what_was_never_sent_and_rewrites_the_readings(services: Services) -> None:
    send(services, statement(), statement(mail="bob@example.com"))
    route(services)
    assert (said(services), readings(services)) == ([], [("unmapped", PRODUCT), ("unmapped", PRODUCT)])
    apply(services, "verbs", propose(services, ROW))
    assert sorted(said(services)) == [("7", "completed", "completed"), ("8", "completed", "completed")]
    assert readings(services) == [("completed", 1000 + PRODUCT), ("completed", 1000 + PRODUCT)]
    assert len(services.store.work.deliveries(Wanted(), 100)) == 2


def test_every_spelling_of_a_mapped_verb_is_found(services: Services) -> None:
    send(services, *[statement(verb, f"p{n}@example.com") for n, verb in enumerate(
        ("https://www.adlnet.gov/expapi/verbs/finalised.html/", "http://adlnet.gov/expapi/verbs/finalised"))])
    route(services)
    apply(services, "verbs", propose(services, "http://adlnet.gov/expapi/verbs/finalised,,,completed,yes"))
    assert [verb for verb, _ in readings(services)] == ["completed", "completed"]


def test_forth_and_back_and_forth_sends_nothing_twice_and_revokes_nothing(services: Services) -> None:
    send(services, statement(), statement("passed", "bob@example.com"))
    route(services)
    apply(services, "verbs", propose(services, ROW, "http://adlnet.gov/expapi/verbs/passed,,,failed,yes"))
    before = feed(services)
    assert sorted(said(services)) == [("7", "completed", "completed"), ("8", "completed", "passed")]
    for _ in range(3):
        roll_back(services, "verbs")
    assert feed(services) == before
    assert [one["state"] for one in maps.versions(services.store, "verbs")] == ["active", "retired", "retired", "retired"]
    assert {one["history"] for one in maps.versions(services.store, "verbs")} == {"read again"}


def test_what_counts_no_longer_stays_where_it_was_sent_and_is_forgotten_where_it_was_not(services: Services) -> None:
    send(services, statement(), statement(mail="eve@example.com"))
    apply(services, "verbs", propose(services, ROW))
    assert said(services) == [("7", "completed", "completed")]
    assert services.store.work.count_held() == 1
    back = propose(services, f"{VENDOR},,,-,")
    told = maps.diff(services.store, "verbs", back)
    assert (told.kept, told.forgotten, told.events) == (1, 1, 0)
    apply(services, "verbs", back)
    # the directory learns Eve: by the map in force she has completed nothing
    services.store.directory.put_people([Person("9", "eve@example.com", identifiers=tuple(email_identifiers("eve@example.com")))])
    route(services)
    assert said(services) == [("7", "completed", "completed")]


def test_a_void_after_a_rollback_still_revokes_what_was_sent(services: Services) -> None:
    one = statement()
    send(services, one)
    apply(services, "verbs", propose(services, ROW))
    roll_back(services, "verbs")
    send(services, {**statement("voided"), "object": {"objectType": "StatementRef", "id": one["id"]}})
    route(services)
    assert [event for _, event, _ in said(services)] == ["completed", "revoked"]


def test_a_better_reading_of_what_was_sent_is_on_record_only(services: Services) -> None:
    send(services, statement("completed"))
    route(services)
    apply(services, "verbs", propose(services, "http://adlnet.gov/expapi/verbs/completed,sim,,passed,yes"))
    assert said(services) == [("7", "completed", "completed")]
    assert readings(services) == [("passed", 1000 + PRODUCT)]
    send(services, statement("passed"))
    route(services)
    assert said(services)[1:] == [("7", "updated", "passed")]


def test_what_is_on_record_only_is_not_told_when_the_log_is_routed_once_more(services: Services) -> None:
    send(services, statement())
    route(services)
    apply(services, "verbs", propose(services, ROW))
    apply(services, "verbs", propose(services, f"{VENDOR},,,passed,yes"))
    was, at = feed(services), services.store.work.cursor("route")
    assert services.store.work.advance("route", at, Cursor(0, at.change), Output())
    route(services)
    assert feed(services) == was


def test_what_was_sent_for_a_course_is_not_sent_for_another_when_the_log_is_routed_once_more(services: Services) -> None:
    other = "https://lms.example/c/1"
    one = {**statement("completed"), "object": {"id": other, "definition": {"type": "http://adlnet.gov/expapi/activities/course"}}}
    apply(services, "courses", catalogue(services, {"id": COURSE, "aliases": [other]}))
    send(services, one)
    route(services)
    apply(services, "courses", catalogue(services, {"id": COURSE}))
    was, at = feed(services), services.store.work.cursor("route")
    assert [event["course"]["id"] for event in was] == [COURSE]
    assert services.store.work.advance("route", at, Cursor(0, at.change), Output())
    route(services)
    assert feed(services) == was


def test_a_statement_that_never_counted_updates_what_was_sent(services: Services) -> None:
    send(services, statement("completed"), statement())
    route(services)
    apply(services, "verbs", propose(services, f"{VENDOR},,,passed,yes"))
    assert said(services) == [("7", "completed", "completed"), ("7", "updated", "passed")]


def test_a_row_for_one_provider_leaves_the_others_alone(services: Services) -> None:
    send(services, statement())
    send(services, statement(mail="bob@example.com"), provider="other")
    apply(services, "verbs", propose(services, f"{VENDOR},other,,completed,yes"))
    assert said(services) == [("8", "completed", "completed")]


def test_the_rules_of_a_provider_are_read_again_by_its_credentials(services: Services) -> None:
    store = services.store
    store.credentials.create(Credential("nelc", "NELC", "nelc", frozenset({"statements/write"}), b"", b"{}", 1))
    score = {"score": {"raw": 33, "min": 24, "max": 60}}
    send(services, statement("passed", result=score), provider="nelc")
    send(services, statement("passed", "bob@example.com", result=score), provider="sim")
    route(services)
    assert [one["result"]["score"] for one in feed(services)] == [25, 25]
    apply(services, "verbs", rules(services, provider="nelc", score_min="pass_mark"))
    scores = [reading.score.scaled for one in store.statements.follow(0, 10) if (reading := from_json(one.reading)).score]
    assert scores == [0.55, 0.25]
    send(services, statement("passed", "ada@example.com", result={"score": {"raw": 60, "min": 24, "max": 60}}), provider="nelc")
    route(services)
    assert [one["result"]["score"] for one in feed(services)][2:] == [100]


def test_a_course_catalogued_later_and_taken_away_again(services: Services) -> None:
    other = "https://courses.example/crane"
    send(services, statement("completed", course=other))
    route(services)
    number = catalogue(services, {"id": other, "title": "Crane"})
    assert maps.diff(services.store, "courses", number).released == {"learning.completed completed": 1}
    apply(services, "courses", number)
    assert [one["course"]["id"] for one in feed(services)] == [other]
    for _ in range(3):
        roll_back(services, "courses")
    assert len(feed(services)) == 1
    assert [one.id for one in services.store.directory.courses()] == [COURSE]


def test_an_alias_catalogued_later_joins_what_was_sent_under_it(services: Services) -> None:
    alias = "https://lms.example/c/77"
    kind = {"definition": {"type": "http://adlnet.gov/expapi/activities/course"}}
    send(services, {**statement("completed"), "object": {"id": alias, **kind}})
    route(services)
    assert [one["course"]["id"] for one in feed(services)] == [alias]
    apply(services, "courses", catalogue(services, {"id": COURSE, "title": "Forklift", "aliases": [alias]}))
    assert len(feed(services)) == 1
    send(services, statement("passed"))
    route(services)
    assert [(one["event"], one["id"]) for one in feed(services)][1:] == [("learning.updated", feed(services)[0]["id"])]


def test_an_alias_taken_away_sends_nothing_again(services: Services) -> None:
    alias = "https://lms.example/c/77"
    apply(services, "courses", catalogue(services, {"id": COURSE, "title": "Forklift", "aliases": [alias]}))
    typed = {"object": {"id": alias, "definition": {"type": "http://adlnet.gov/expapi/activities/course"}}}
    send(services, {**statement("completed"), **typed})
    route(services)
    roll_back(services, "courses")
    assert [one["course"]["id"] for one in feed(services)] == [COURSE]
    # a statement that comes afterwards speaks for the course that its type says, and one that is listed gets what is its own
    send(services, {**statement("completed", "bob@example.com"), "object": typed["object"]})
    route(services)
    assert [one["course"]["id"] for one in feed(services)] == [COURSE, alias]
    apply(services, "courses", catalogue(services, {"id": alias, "title": "Its own"}))
    assert [(one["course"]["id"], one["user"]["externalId"]) for one in feed(services)] == [(COURSE, "7"), (alias, "8"), (alias, "7")]


def test_a_tie_to_a_type_of_session_releases_the_attendance(services: Services) -> None:
    kind = "https://w3id.org/xapi/virtual-classroom/activity-types/virtual-classroom"
    send(services, {**statement("attended", result={"completion": True}), "object": {"id": "https://meet.example/1",
                                                                                    "definition": {"type": kind}}})
    route(services)
    assert said(services) == []
    apply(services, "courses", catalogue(services, {"id": COURSE, "title": "Forklift", "sessions": [kind]}))
    assert [event for _, event, _ in said(services)] == ["completed"]


def test_an_all_of_part_that_counts_no_longer_completes_nothing_later(services: Services) -> None:
    parts = ["https://courses.example/a", "https://courses.example/b"]
    apply(services, "courses", catalogue(services, {"id": COURSE, "title": "Forklift", "all_of": parts}))
    send(services, statement(course=parts[0]))
    apply(services, "verbs", propose(services, ROW))
    roll_back(services, "verbs")
    send(services, statement("completed", course=parts[1]))
    route(services)
    assert said(services) == []


def test_long_history_is_read_in_slices_and_a_kill_goes_on_where_it_was(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    people = [Person(str(n), f"p{n}@example.com", identifiers=tuple(email_identifiers(f"p{n}@example.com"))) for n in range(10, 35)]
    services.store.directory.put_people(people)
    send(services, *[statement(mail=one.email) for one in people])
    route(services)
    maps.apply(services.store, "verbs", propose(services, ROW), who="test")
    done = reread.reread_once(services, 10)
    assert (done.slices, done.statements, done.published) == (1, 10, 10)

    def killed(*words: object) -> bool:
        raise StoreUnavailable("killed")

    # a crash between the readings and the rest: the slice is read once more, and says nothing twice
    monkeypatch.setattr(type(services.store.work), "advance", killed)
    with pytest.raises(StoreUnavailable):
        reread.reread_once(services, 10)
    assert sum(verb == "completed" for verb, _ in readings(services)) == 20
    monkeypatch.undo()
    again = Services(services.settings, open_store(services.settings.data))
    route(again)
    assert len(feed(again)) == 25
    assert len({one["id"] for one in feed(again)}) == 25
    assert reread.reread_once(again).slices == 0


@pytest.mark.parametrize("crash", [
    (SqliteStatements, "bearing", 0), (SqliteMappings, "put_readings", 0), (SqliteMappings, "put_readings", 1),
    (SqliteWork, "advance", 0), (SqliteWork, "advance", 1), (SqliteWork, "targets", 0), (SqliteWork, "states", 0)])
@pytest.mark.parametrize("at", [1, 2, 4])
def test_wherever_the_worker_dies_the_next_one_ends_in_the_same(
    services: Services, monkeypatch: pytest.MonkeyPatch, crash: tuple[type, str, int], at: int,
) -> None:
    of, name, when = crash
    send(services, *[statement(mail=mail) for mail in ("ada@example.com", "bob@example.com", "eve@example.com")], statement("passed"))
    route(services)
    maps.apply(services.store, "verbs", propose(services, ROW), who="test")
    real, calls = getattr(of, name), []

    def dies(*words: Any) -> Any:
        calls.append(1)
        if len(calls) == at and not when:
            raise KeyboardInterrupt
        result = real(*words)
        if len(calls) == at:
            raise KeyboardInterrupt
        return result

    monkeypatch.setattr(of, name, dies)
    with contextlib.suppress(KeyboardInterrupt):
        while reread.reread_once(services, 1).slices:
            pass
    monkeypatch.undo()
    again = Services(services.settings, open_store(services.settings.data))
    route(again)
    assert sorted(said(again)) == [("7", "completed", "passed"), ("8", "completed", "completed")]
    assert [verb for verb, _ in readings(again)] == ["completed"] * 3 + ["passed"]
    assert again.store.work.count_held() == 1


def test_a_worker_killed_by_the_system_goes_on_where_it_was(services: Services, tmp_path: Path) -> None:
    people = [Person(str(n), f"p{n}@example.com", identifiers=tuple(email_identifiers(f"p{n}@example.com"))) for n in range(10, 210)]
    services.store.directory.put_people(people)
    send(services, *[statement(mail=one.email) for one in people])
    route(services)
    maps.apply(services.store, "verbs", propose(services, ROW), who="test")
    code = ("import sys\nfrom pathlib import Path\nfrom lrs.config import Settings\nfrom lrs.services import Services\n"
            "from lrs.store.open_store import open_store\nfrom workers.reread import reread_once\n"
            "data = Path(sys.argv[1])\nservices = Services(Settings(data=data), open_store(data))\n"
            "while reread_once(services, 2).slices: print('slice', flush=True)\nprint('end', flush=True)")
    kills = 0
    for lines in (5, 17, 40):
        worker = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        assert worker.stdout
        seen = [worker.stdout.readline().strip() for _ in range(lines)]
        worker.kill()
        worker.wait()
        worker.stdout.close()
        kills += "end" not in seen
    assert kills == 3
    assert 0 < len(feed(services)) < 200
    route(services)
    assert sorted(person for person, _, _ in said(services)) == sorted(one.employee_id for one in people)


def test_a_void_finds_whom_the_statement_counted_for_when_the_identifier_has_moved(services: Services) -> None:
    one = statement("completed")
    send(services, one)
    route(services)
    services.store.directory.put_people([Person("7", "ada2@example.com", identifiers=tuple(email_identifiers("ada2@example.com")))])
    services.store.directory.put_people([Person("9", "ada@example.com", identifiers=tuple(email_identifiers("ada@example.com")))])
    route(services)
    send(services, {**statement("voided", "ada2@example.com"), "object": {"objectType": "StatementRef", "id": one["id"]}})
    route(services)
    assert said(services) == [("7", "completed", "completed"), ("7", "revoked", "completed")]


def test_a_diff_says_when_the_worker_is_not_through_yet(services: Services) -> None:
    send(services, statement())
    number = propose(services, ROW)
    assert not maps.diff(services.store, "verbs", number).settled
    route(services)
    assert maps.diff(services.store, "verbs", number).settled
    maps.apply(services.store, "verbs", number, who="test")
    assert not maps.diff(services.store, "verbs", number).settled


def test_no_slice_holds_the_lock_that_requests_wait_for_long(services: Services) -> None:
    send(services, *[statement() for _ in range(reread.SLICE)])
    route(services)
    maps.apply(services.store, "verbs", propose(services, ROW), who="test")
    rows = [(one.seq, one.reading) for one in services.store.statements.follow(0, reread.SLICE)]
    taken = []
    for _ in range(5):
        start = time.perf_counter()
        assert services.store.mappings.put_readings(1, rows)
        taken.append(time.perf_counter() - start)
    assert min(taken) < 0.05


def test_a_slow_worker_does_not_undo_what_a_later_version_has_rewritten(services: Services) -> None:
    send(services, statement())
    apply(services, "verbs", propose(services, ROW))
    [one] = services.store.statements.follow(0, 10)
    roll_back(services, "verbs")
    assert not services.store.mappings.put_readings(1, [(one.seq, one.reading)])
    assert readings(services)[0][0] == "unmapped"


def test_a_statement_read_with_a_stale_map_is_read_again_when_it_is_routed(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    maps.apply(services.store, "verbs", propose(services, ROW), who="test")
    route(services)
    # another process, which has not heard of the version yet
    monkeypatch.setattr("lrs.ingest.maps.current", lambda store: ingest_maps.product_map())
    send(services, statement())
    monkeypatch.undo()
    assert readings(services) == [("unmapped", PRODUCT)]
    route(services)
    assert said(services) == [("7", "completed", "completed")]
    assert readings(services) == [("completed", 1000 + PRODUCT)]


def test_another_process_reads_with_the_new_map_from_its_next_statement_on(services: Services) -> None:
    other = Services(services.settings, open_store(services.settings.data))
    send(other, statement())
    maps.apply(services.store, "verbs", propose(services, ROW), who="test")
    send(other, statement(mail="bob@example.com"))
    assert [verb for verb, _ in readings(services)] == ["unmapped", "completed"]


def test_routing_and_reading_again_never_write_over_each_other(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    send(services, statement("completed"))
    route(services)
    store = services.store
    store.directory.put_courses([Course(COURSE, "Forklift truck")])
    send(services, statement("passed"))
    was, real = store.work.cursor("reread"), SqliteStatements.bearing

    def routed_meanwhile(*words: Any) -> Any:
        found = real(*words)
        monkeypatch.undo()
        assert _route(Services(services.settings, open_store(services.settings.data)), 500).statements == 1
        return found

    monkeypatch.setattr(SqliteStatements, "bearing", routed_meanwhile)
    assert reread.reread_once(services).statements == 0
    assert store.work.cursor("reread") == was
    route(services)
    assert said(services) == [("7", "completed", "completed"), ("7", "updated", "passed")]


def test_workers_side_by_side_release_each_completion_once(services: Services) -> None:
    people = [Person(str(n), f"p{n}@example.com", identifiers=tuple(email_identifiers(f"p{n}@example.com"))) for n in range(10, 50)]
    services.store.directory.put_people(people)
    send(services, *[statement(mail=one.email) for one in people[:20]])
    route(services)
    maps.apply(services.store, "verbs", propose(services, ROW), who="test")
    failed: list[BaseException] = []

    def work() -> None:
        mine = Services(services.settings, open_store(services.settings.data))
        try:
            for _ in range(60):
                route_once(mine, 3)
                reread.reread_once(mine, 3)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for one in people[20:]:
        send(services, statement(mail=one.email))
    for thread in threads:
        thread.join()
    route(services)
    assert not failed
    assert sorted(person for person, _, _ in said(services)) == sorted(one.employee_id for one in people)


def test_a_course_change_of_old_is_read_to_its_end(services: Services) -> None:
    late = "https://courses.example/late"
    send(services, *[statement("completed", course=late) for _ in range(3)])
    route(services)
    services.store.directory.put_courses([Course(late)])
    services.store.directory.put_people([ADA])
    route(services)
    assert [one["course"]["id"] for one in feed(services)] == [late]
    assert json.loads(services.store.work.feed(0, 1)[0].body)["evidence"]
    assert services.store.work.cursor("reread") == Cursor(0, services.store.work.cursor("reread").change)


def test_all_of_history_is_read_again_with_a_newer_map_of_the_product(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    old = dataclasses.replace(load(), index={key: row for key, row in load().index.items() if "completed" not in key[0]})
    with monkeypatch.context() as before:
        # an LRS before the update, whose map lacks the verb
        before.setattr("lrs.ingest.maps.load", lambda: old)
        ingest_maps.verb_map.cache_clear()
        send(services, statement("completed"), statement("passed", "bob@example.com"))
        route(services)
    ingest_maps.verb_map.cache_clear()
    assert [verb for verb, _ in readings(services)] == ["unmapped", "passed"]
    assert len(said(services)) == 1
    number = verbs.propose_history(services.store, who="test").number
    told = maps.diff(services.store, "verbs", number)
    assert (told.statements, told.unchanged, told.events) == (2, 1, 1)
    apply(services, "verbs", number)
    assert [verb for verb, _ in readings(services)] == ["completed", "passed"]
    assert sorted(said(services)) == [("7", "completed", "completed"), ("8", "completed", "passed")]
    apply(services, "verbs", verbs.propose_history(services.store, who="test").number)
    assert len(said(services)) == 2
