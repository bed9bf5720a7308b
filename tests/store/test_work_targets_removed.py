"""A target that is removed gets nothing any more, leaves its history, and gives nothing to a later one of its name."""
from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from test_work_deliveries import LATER, claim, end, publish, together

from lrs.store import former
from lrs.store.mongo import targets as in_mongo
from lrs.store.mongo.clock import Clock
from lrs.store.mongo.work import MongoWork
from lrs.store.protocols.work import Cursor, Output, Published, Removal, TargetRow, Wanted, Work
from lrs.store.sqlite import targets as in_files
from lrs.store.sqlite.clock import Clock as SqliteClock
from lrs.store.sqlite.clock import Ticks

HRIS = TargetRow("hris", "webhook", {"url": "https://hris.example"})


@pytest.fixture
def work(open_part: Callable[[str], Work]) -> Work:
    made = together(open_part("work"))
    made.add_target(HRIS)
    return made


def rows(work: Work, target: str = "") -> list[tuple[str, str, int, str]]:
    return sorted((row.target, row.event_id, row.revision, row.state) for row in work.deliveries(Wanted(target=target), 1000))


def delivered(work: Work, *names: str) -> None:
    for name in names:
        publish(work, ("completed", name, 1))
        for one in claim(work):
            assert end(work, one, "delivered")


def test_one_that_nothing_waits_for_goes_and_its_history_stays(work: Work) -> None:
    delivered(work, "a")
    [row] = work.deliveries(Wanted(), 10)
    assert work.remove_target("hris") == Removal(True)
    assert (work.target("hris"), work.targets(), work.remove_target("hris")) == (None, [], None)
    assert rows(work) == [("hris", "a", 1, "delivered")]
    assert work.payload(row.id)
    assert [one.state for one in work.attempts(row.id)] == ["delivered"]


@pytest.mark.parametrize("state", ["pending", "waiting", "parked"])
def test_what_waits_keeps_it_until_it_is_dropped(work: Work, state: str) -> None:
    work.add_target(TargetRow("crm", "webhook"))
    publish(work, ("completed", "a", 1), targets=("hris", "crm"))
    for one in claim(work) if state != "pending" else ():
        end(work, one, state, status=503, due=LATER * 2)
    assert work.remove_target("hris") == Removal(False, 1)
    assert work.target("hris") is not None
    assert work.remove_target("hris", drop="gone") == Removal(True, 1)
    assert rows(work) == [("crm", "a", 1, state), ("hris", "a", 1, "cancelled")]
    assert [one.why for one in work.deliveries(Wanted(target="hris"), 10)] == ["gone"]
    assert work.oldest_due("hris", LATER * 3) is None


def test_what_is_being_sent_is_awaited_unless_its_worker_is_gone(work: Work) -> None:
    publish(work, ("completed", "a", 1), ("completed", "b", 1))
    [one] = claim(work, 1)
    assert work.remove_target("hris", drop="gone") == Removal(False, 1, 1)
    assert sorted(state for *_, state in rows(work)) == ["leased", "pending"]
    at = LATER + 100_000_000_000  # the lease has ended, and nobody has noticed
    work._leases = Clock(lambda: at, lambda: at) if isinstance(work, MongoWork) else SqliteClock(
        Ticks(lambda: at, lambda: at, lambda: "boot"), follows=False)
    assert work.remove_target("hris") == Removal(False, 2)
    assert sorted(state for *_, state in rows(work)) == ["leased", "pending"]
    assert work.remove_target("hris", drop="gone") == Removal(True, 2)
    assert {state for *_, state in rows(work)} == {"cancelled"}
    assert end(work, one, "delivered") == 0


def test_nothing_is_owed_to_it_any_more_nor_replayed(work: Work) -> None:
    work.add_target(TargetRow("crm", "webhook"))
    delivered(work, "a")
    work.remove_target("hris")
    publish(work, ("updated", "a", 2), ("completed", "b", 1), targets=("hris", "crm"))
    assert rows(work) == [("crm", "a", 2, "pending"), ("crm", "b", 1, "pending"), ("hris", "a", 1, "delivered")]
    [old] = work.deliveries(Wanted(target="hris"), 9)
    for wanted in (Wanted(target="hris"), Wanted(state="delivered"), Wanted((old.id,))):
        assert [work.replay(wanted, now=LATER, dry=dry) for dry in (True, False)] == [0, 0]


def test_a_later_one_of_its_name_gets_nothing_of_it(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (in_files, in_mongo):
        monkeypatch.setattr(module, "AT_ONCE", 2)
    delivered(work, "a", "b", "c", "d", "e")
    publish(work, ("completed", "f", 1))
    assert work.remove_target("hris", drop="gone") == Removal(True, 1)
    assert work.add_target(HRIS)
    assert not work.add_target(HRIS)
    assert rows(work, "hris") == []
    [name] = {row.target for row in work.deliveries(Wanted(), 10)}
    assert name.startswith("hris~")
    assert rows(work, name) == [*((name, key, 1, "delivered") for key in "abcde"), (name, "f", 1, "cancelled")]
    assert work.replay(Wanted(), now=LATER, dry=False) == 0
    assert claim(work) == []
    # what it never got is not taken back, what it gets is
    publish(work, ("revoked", "a", 2), ("revoked", "f", 2), ("completed", "g", 1))
    assert rows(work, "hris") == [("hris", "a", 2, "cancelled"), ("hris", "f", 2, "cancelled"), ("hris", "g", 1, "pending")]
    [one] = claim(work)
    assert end(work, one, "delivered")
    assert work.remove_target("hris") == Removal(True)


def test_many_that_wait_are_dropped(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_mongo, "AT_ONCE", 3)
    publish(work, *(("completed", str(n), 1) for n in range(10)))
    assert work.remove_target("hris", drop="gone") == Removal(True, 10)
    assert [state for *_, state in rows(work)] == ["cancelled"] * 10


def test_nothing_waits_for_one_that_was_removed_while_it_was_owed_something(open_part: Callable[[str], Work], work: Work) -> None:
    other = open_part("work")
    publish(work, ("completed", "first", 1), targets=())
    for n in range(15):
        work.add_target(HRIS)
        event = Published("learning.completed", f"r{n}", 1, b"{}")
        at = work.cursor("route")
        begin = threading.Barrier(2)

        def owe(event: Published = event, at: Cursor = at, begin: threading.Barrier = begin) -> None:
            begin.wait()
            assert other.advance("route", at, Cursor(at.seq + 1, 0), Output((), [event], [(0, "hris")]))

        thread = threading.Thread(target=owe)
        thread.start()
        begin.wait()
        removed = work.remove_target("hris")
        thread.join()
        left = [state for _, key, _, state in rows(work) if key == f"r{n}"]
        if removed is not None and removed.done:
            assert left == []
        else:
            assert (removed, left) == (Removal(False, 1), ["pending"])
            assert work.remove_target("hris", drop="gone") == Removal(True, 1)


def test_no_name_of_a_target_is_a_former_one() -> None:
    from lrs.management.targets import NAME

    assert not NAME.match(former.former_name("hris", 1))
