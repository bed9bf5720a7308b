"""Routing in several partitions: what is told is what one would tell, whoever is faster, and however often their number changes."""
from __future__ import annotations

import json
import random
import threading
import time
import uuid
from collections import Counter
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from every_store import every_store, settings_at
from map_history import COURSE, VENDOR, apply, propose, send

from lrs.completions.model import Course, Person
from lrs.completions.subjects import email_identifiers
from lrs.config import BadSetting, load
from lrs.management import backup, maps, move, restore
from lrs.management.health import lags
from lrs.management.status import gather
from lrs.management.verify import verify
from lrs.services import Services, store_of
from lrs.store.open_store import open_store
from lrs.store.protocols.work import Cursor, Output, TargetRow, Wanted
from workers import partitions
from workers.partitions import Partition, lay_out, number_of, routed, standing
from workers.reread import reread_once
from workers.route import WHOLE, Routing, route_once

HOME = "https://lms.example"
COURSES = [Course(COURSE, "Forklift"), Course(COURSE + "/2", "Lift")]


def opened(folder: Path, place: str = "", of: int = 1) -> Services:
    settings = replace(settings_at(place, folder), route_partitions=of)
    made = Services(settings, store_of(settings))
    made.store.directory.put_courses(COURSES)
    made.store.work.add_target(TargetRow("hris", "webhook"))
    return made


def person(n: int, *, addresses: bool = True, accounts: bool = True) -> Person:
    mail = f"p{n}@example.com"
    return Person(str(n), mail, f"P{n}", identifiers=(*(email_identifiers(mail) if addresses else ()),
                                                     *((f"account:{HOME}|p{n}",) if accounts else ())))


def statement(rng: random.Random, n: int, *, account: bool | None = None) -> dict[str, Any]:
    actor = ({"account": {"homePage": HOME, "name": f"p{n}"}} if (rng.random() < 0.5 if account is None else account)
             else {"mbox": f"mailto:p{n}@example.com"})
    return {"id": str(uuid.UUID(int=rng.getrandbits(128), version=4)), "actor": actor, "object": {"id": rng.choice(COURSES).id},
            "verb": {"id": f"http://adlnet.gov/expapi/verbs/{rng.choice(('passed', 'passed', 'failed', 'completed'))}"}}


def void(rng: random.Random, target: dict[str, Any]) -> dict[str, Any]:
    return {"id": str(uuid.UUID(int=rng.getrandbits(128), version=4)), "actor": {"mbox": "mailto:admin@example.com"},
            "verb": {"id": "http://adlnet.gov/expapi/verbs/voided"}, "object": {"objectType": "StatementRef", "id": target["id"]}}


def route(services: Services) -> None:
    """Every partition, until nothing is left."""
    for _ in range(500):
        done = [route_once(services, 7, one) for one in standing(services.store).partitions]
        if not any(one.statements or one.changes or one.lost for one in done):
            return
    raise AssertionError("routing never ends")


def feed(services: Services) -> list[dict[str, Any]]:
    return [json.loads(row.body) for row in services.store.work.feed(0, 100_000)]


def stands(services: Services) -> Counter[tuple[str, str, str]]:
    """(person, course, status) of what the feed says last."""
    last = {event["id"]: event for event in feed(services)}
    return Counter((one["user"]["externalId"], one["course"]["id"], one["result"]["status"])
                   for one in last.values() if not one["event"].endswith(".revoked"))


def told(services: Services) -> tuple[set[tuple[str, str, int]], set[tuple[str, str, int]]]:
    """What the feed has and what is owed."""
    return ({(event["event"], event["id"], event["revision"]) for event in feed(services)},
            {(row.target, row.event_id, row.revision) for row in services.store.work.deliveries(Wanted(), 100_000)})


def faults(services: Services) -> list[str]:
    return [f"{one.promise} {one.where}: {one.seen}" for one in verify(services.store)]


def test_one_partition_is_the_whole_and_its_cursor_keeps_its_name(tmp_path: Path) -> None:
    services = opened(tmp_path)
    send(services, statement(random.Random(1), 1))
    route(services)
    assert set(services.store.work.cursors()) <= {"route", "reread", "routing"}
    assert (WHOLE.consumer, Partition(2, 4).consumer) == ("route", "route/2of4")


@pytest.mark.parametrize("of", [2, 4, 7])
def test_in_any_number_of_partitions_the_same_is_told_of_who_has_one_name(tmp_path: Path, of: int) -> None:
    """The same log, read by one and by several: events, revisions and deliveries are the same ones."""
    rng, several = random.Random(7), opened(tmp_path / "several")
    one = opened(tmp_path / "one")
    sent = [statement(rng, rng.randrange(20), account=False) for _ in range(150)]
    sent += [void(rng, target) for target in rng.sample(sent, 15)]
    for services in (one, several):
        services.store.directory.put_people([person(n) for n in range(10)])
        send(services, *sent)
    lay_out(several.store, of)
    for services in (one, several):
        route(services)
        services.store.directory.put_people([person(n) for n in range(15)])
        route(services)
    assert told(one) == told(several)
    assert one.store.work.count_held() == several.store.work.count_held() > 0
    assert stands(one) == stands(several)
    assert not faults(several)
    where = Counter(number_of(several.store, record, of) for record in several.store.statements.follow(0, 1000))
    assert set(where) == set(range(1, of + 1))


def test_a_void_is_where_its_target_is(tmp_path: Path) -> None:
    rng, services = random.Random(3), opened(tmp_path)
    sent = [statement(rng, n) for n in range(12)]
    send(services, *sent)
    send(services, *(void(rng, one) for one in sent))
    records = services.store.statements.follow(0, 100)
    where = [number_of(services.store, one, 5) for one in records]
    assert where[:12] == where[12:]
    assert len(set(where)) > 1


@pytest.mark.parametrize("numbers", [(4, 1, 4), (2, 3, 1, 2), (1, 5, 1)])
def test_the_number_is_changed_in_the_middle_and_nothing_is_told_twice(tmp_path: Path, numbers: tuple[int, ...]) -> None:
    rng, one, several = random.Random(11), opened(tmp_path / "one"), opened(tmp_path / "several")
    for of in numbers:
        sent = [statement(rng, rng.randrange(12)) for _ in range(60)]
        for services in (one, several):
            services.store.directory.put_people([person(n, accounts=n < 6) for n in range(8)])
            send(services, *sent)
        assert lay_out(several.store, of)
        assert len(standing(several.store).partitions) == of
        for _ in range(rng.randrange(6)):  # some come farther than others
            route_once(several, 9, rng.choice(partitions.partitions(of)))
    for services in (one, several):
        services.store.directory.put_people([person(n) for n in range(12)])
        route(services)
    assert stands(one) == stands(several)
    assert not faults(several)


def test_a_round_of_a_number_that_is_not_in_force_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    services = opened(tmp_path)
    services.store.directory.put_people([person(1)])
    send(services, statement(random.Random(1), 1))
    whole = type(services.store.statements).follow

    def follow(*of: Any) -> Any:
        monkeypatch.undo()  # the number is changed while a round of the only partition is under way
        assert lay_out(services.store, 3)
        return whole(*of)

    monkeypatch.setattr(type(services.store.statements), "follow", follow)
    assert route_once(services).lost
    assert route_once(services).lost
    assert (feed(services), services.store.work.cursor("route")) == ([], Cursor())
    route(services)
    assert len(feed(services)) == 1


def test_who_changes_the_number_at_the_same_time_as_another_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    services = opened(tmp_path)
    store, began = services.store, standing(services.store)
    send(services, *(statement(random.Random(n), n) for n in range(9)))
    route(services)
    assert lay_out(store, 4)
    monkeypatch.setattr(partitions, "standing", lambda _: began)
    assert not lay_out(store, 2)
    monkeypatch.undo()
    assert len(standing(store).partitions) == 4


def test_whoever_asks_how_far_routing_has_come_is_told_of_the_last_partition(tmp_path: Path) -> None:
    services = opened(tmp_path)
    rng = random.Random(5)
    send(services, *(statement(rng, n) for n in range(40)))
    lay_out(services.store, 3)
    for number in (1, 3):
        route_once(services, 100, Partition(number, 3))
    assert routed(services.store).seq == 0
    assert gather(services.store, tmp_path)["behind"] == 40
    assert lags(services.store, services.now_us())["route"] > 0
    route_once(services, 100, Partition(2, 3))
    assert gather(services.store, tmp_path)["behind"] == 0
    assert lags(services.store, services.now_us())["route"] == 0


def test_what_one_partition_has_judged_is_read_again_though_another_is_behind(tmp_path: Path) -> None:
    services = opened(tmp_path)
    services.store.directory.put_people([person(n) for n in range(20)])
    rng = random.Random(9)
    send(services, *({**statement(rng, n, account=False), "object": {"id": COURSE}, "verb": {"id": VENDOR}} for n in range(20)))
    lay_out(services.store, 2)
    route_once(services, 100, Partition(2, 2))
    assert not feed(services)
    number = propose(services, f"{VENDOR},,,completed,yes")
    maps.apply(services.store, "verbs", number, who="test")
    route(services)
    assert len(feed(services)) == 20
    assert not faults(services)


def test_a_round_that_is_under_way_when_a_changed_map_is_read_again_is_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    services, rng = opened(tmp_path), random.Random(9)
    services.store.directory.put_people([person(1)])
    number = propose(services, f"{VENDOR},,,completed,yes")
    lay_out(services.store, 2)
    route(services)
    known = {**statement(rng, 1, account=False), "object": {"id": COURSES[0].id},
             "verb": {"id": "http://adlnet.gov/expapi/verbs/completed"}}
    send(services, known, {**known, "id": str(uuid.uuid4()), "object": {"id": COURSES[1].id}, "verb": {"id": VENDOR}})
    [first, _] = services.store.statements.follow(0, 9)
    partition, directory = Partition(number_of(services.store, first, 2), 2), type(services.store.directory)
    whole = directory.person_by_identifier

    def looked_up(*of: Any) -> Any:
        monkeypatch.undo()  # the map is applied, and history read again, while the round goes by the one before
        maps.apply(services.store, "verbs", number, who="test")
        while reread_once(services).slices:
            pass
        return whole(*of)

    monkeypatch.setattr(directory, "person_by_identifier", looked_up)
    assert route_once(services, 100, partition).lost
    route(services)
    assert {event["course"]["id"] for event in feed(services)} == {course.id for course in COURSES}


def test_what_was_judged_before_the_number_was_changed_is_only_put_on_record_by_a_later_map(tmp_path: Path) -> None:
    services = opened(tmp_path)
    services.store.directory.put_people([person(n) for n in range(20)])
    rng = random.Random(9)
    apply(services, "verbs", propose(services, f"{VENDOR},,,completed,yes"))
    send(services, *({**statement(rng, n, account=False), "object": {"id": COURSE}, "verb": {"id": VENDOR}} for n in range(20)))
    lay_out(services.store, 2)
    route_once(services, 100, Partition(2, 2))
    early = len(feed(services))
    assert 0 < early < 20
    number = propose(services, f"{VENDOR},,,passed,yes")
    maps.apply(services.store, "verbs", number, who="test")
    lay_out(services.store, 1)
    route(services)
    said = feed(services)
    assert len(said) == 20
    assert Counter(one["result"]["status"] for one in said) == {"completed": early, "passed": 20 - early}


@pytest.mark.slow
@every_store
def test_partitions_that_route_at_once_tell_each_event_once_and_in_order(tmp_path: Path, place: str) -> None:
    """People of two names that arrive in both at once, directory and map changing meanwhile, and the number of partitions, too."""
    services, rng = opened(tmp_path / "several", place, 3), random.Random(2)
    settings, done, faulty = services.settings, threading.Event(), list[BaseException]()
    lay_out(services.store, 3)

    def work(n: int) -> None:
        mine = Services(replace(settings, data=tmp_path / f"w{n}" if place else settings.data), store_of(settings))
        routing = Routing(mine)
        try:
            idle = 0
            while not done.is_set() or idle < 20:
                idle = 0 if routing() else idle + 1
        except BaseException as fault:
            faulty.append(fault)
        mine.store.close()

    workers = [threading.Thread(target=work, args=(n,)) for n in range(3)]
    for worker in workers:
        worker.start()
    sent: list[dict[str, Any]] = []
    for turn in range(24):
        batch = [statement(rng, rng.randrange(12)) for _ in range(10)]
        batch += [void(rng, one) for one in rng.sample(sent, min(len(sent), 1))]
        sent += [one for one in batch if "objectType" not in one["object"]]
        send(services, *batch)
        services.store.directory.put_people([person(n, addresses=turn > 4, accounts=turn > n) for n in range(turn) if n < 10])
        time.sleep(0.02)  # so that rounds begin in between
    done.set()
    for worker in workers:
        worker.join()
    assert not faulty
    route(services)
    assert not faults(services)
    alone = opened(tmp_path / "alone")
    send(alone, *sent)
    send(alone, *(void(rng, {"id": record.voids}) for record in services.store.statements.follow(0, 10_000) if record.voids))
    alone.store.directory.put_people([person(n) for n in range(10)])
    route(alone)
    assert stands(alone) == stands(services)
    services.store.close()


def test_a_process_works_at_all_partitions_and_takes_over_the_number_of_its_settings(tmp_path: Path) -> None:
    services = opened(tmp_path, of=3)
    services.store.directory.put_people([person(n) for n in range(30)])
    send(services, *(statement(random.Random(n), n) for n in range(30)))
    routing = Routing(services)
    while routing():
        pass
    assert len(standing(services.store).partitions) == 3
    assert routed(services.store).seq == services.store.statements.last_seq()
    lay_out(services.store, 2)  # somebody with another setting
    send(services, *(statement(random.Random(n), n) for n in range(30, 60)))
    while routing() or routed(services.store).seq < services.store.statements.last_seq():
        pass
    assert len(standing(services.store).partitions) == 2, "both would change it for ever"
    assert Routing(services)() == 0
    assert len(standing(services.store).partitions) == 3


def test_a_partition_that_somebody_else_moves_is_left_to_him(tmp_path: Path) -> None:
    services = opened(tmp_path, of=2)
    routing, rng = Routing(services), random.Random(4)
    while routing():
        pass
    send(services, *(statement(rng, n) for n in range(8)))
    for one in partitions.partitions(2):
        assert route_once(services, 1, one).statements
    assert routing() == 0, "both have moved since"
    assert routing(), "and not since then"


@pytest.mark.parametrize("given", ["0", "65", "x", "-1", "2.0"])
def test_there_are_from_1_to_64(given: str) -> None:
    with pytest.raises(BadSetting, match="a whole number from 1 to 64"):
        load({"LRS_ROUTE_PARTITIONS": given})
    assert load({"LRS_ROUTE_PARTITIONS": "64"}).route_partitions == 64


def test_the_partition_of_an_actor_never_changes(tmp_path: Path) -> None:
    services, rng = opened(tmp_path), random.Random(6)
    send(services, *(statement(rng, n, account=bool(n % 2)) for n in range(8)))
    records = services.store.statements.follow(0, 9)
    assert [number_of(services.store, one, 64) for one in records] == [31, 1, 22, 45, 9, 26, 4, 54]


def test_an_actor_without_a_name_has_a_partition_like_any_other(tmp_path: Path) -> None:
    services = opened(tmp_path)
    group = {"objectType": "Group", "member": [{"mbox": "mailto:a@example.com"}]}
    send(services, {**statement(random.Random(1), 1), "actor": group})
    [record] = services.store.statements.follow(0, 5)
    assert number_of(services.store, record, 4) in range(1, 5)


def test_a_cursor_of_a_partition_is_moved_and_copied_like_any(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    assert store.work.advance("route/1of2", Cursor(), Cursor(5, 1), Output())
    assert ("route/1of2", 5, 1) in store.copied.page("cursors", None, 10)


def in_backup(services: Services, folder: Path) -> Services:
    backup.write(services.store, services.settings.data, folder / "it.tar.gz", who="test")
    restore.write(folder / "it.tar.gz", folder / "copy")
    return opened(folder / "copy")


def at_the_other_kind(services: Services, folder: Path, place: str) -> Services:
    with closing(open_store(place, moving=True)) as new:
        move.move(services.store, new, who="test", of="here")
    return opened(folder / "copy", place)


@every_store
def test_a_copy_made_while_partitions_stand_apart_goes_on_from_the_place_of_each(tmp_path: Path, place: str) -> None:
    services, rng = opened(tmp_path / "first"), random.Random(8)
    services.store.directory.put_people([person(n) for n in range(20)])
    send(services, *(statement(rng, rng.randrange(20)) for _ in range(120)))
    lay_out(services.store, 4)
    for number, n in ((1, 100), (3, 9), (4, 1)):
        route_once(services, n, Partition(number, 4))
    copy = at_the_other_kind(services, tmp_path, place) if place else in_backup(services, tmp_path)
    assert not faults(copy)
    assert told(copy) == told(services)
    for one in (services, copy):
        route(one)
    assert stands(copy) == stands(services)
    assert [event["revision"] for event in feed(copy)] == [event["revision"] for event in feed(services)]
    assert not faults(copy)
    copy.store.close()
