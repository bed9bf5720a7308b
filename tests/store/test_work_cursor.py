"""A consumer's output and its cursor are one write; the feed's rows never change."""
from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from pymongo.errors import OperationFailure
from test_mongo_database import Heard

from lrs.errors import StoreUnavailable
from lrs.store.mongo import deliveries as mongo_deliveries
from lrs.store.mongo.database import Database as MongoDatabase
from lrs.store.mongo.work import MongoWork
from lrs.store.protocols.work import Cursor, Output, Published, StateRow, TargetRow, Wanted, Work, fingerprint
from lrs.store.sqlite import deliveries
from lrs.store.sqlite.database import Database
from lrs.store.sqlite.work import SqliteWork

OpenPart = Callable[[str], Work]


@pytest.fixture
def work(open_part: OpenPart) -> Work:
    return open_part("work")


def event(n: int, revision: int = 1) -> Published:
    return Published("learning.completed", f"a{n}", revision, b'{"id":"a%d",  "revision":%d}' % (n, revision))


def test_a_consumer_that_never_ran_stands_at_the_beginning(work: Work) -> None:
    assert work.cursor("route") == Cursor(0, 0)


def test_migrating_twice_changes_nothing(work: Work) -> None:
    work.advance("route", Cursor(), Cursor(5, 2), Output(published=[event(1)]))
    work.migrate()
    assert work.cursor("route") == Cursor(5, 2)
    assert len(work.feed(0, 10)) == 1


def test_states_events_and_cursor_are_written_together(work: Work) -> None:
    work.add_target(TargetRow("hris", "webhook"))
    output = Output([StateRow("person:1", "c", b"{}")], [event(1)], [(0, "hris")])
    assert work.advance("route", Cursor(), Cursor(7, 3), output)
    assert work.cursor("route") == Cursor(7, 3)
    assert [(s.subject, s.course, s.body) for s in work.states(["person:1"])] == [("person:1", "c", b"{}")]
    assert [row.n for row in work.feed(0, 10)] == [1]
    assert work.count_by_state() == {"pending": 1}


def test_a_second_worker_with_an_old_cursor_writes_nothing(work: Work) -> None:
    assert work.advance("route", Cursor(), Cursor(7, 0), Output(published=[event(1)]))
    assert not work.advance("route", Cursor(), Cursor(9, 0), Output(published=[event(2)]))
    assert work.cursor("route") == Cursor(7, 0)
    assert [row.body for row in work.feed(0, 10)] == [event(1).body]


def test_a_fault_in_the_middle_leaves_neither_output_nor_cursor(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    work.advance("route", Cursor(), Cursor(1, 0), Output(published=[event(1)]))

    def disk_full(*_: object) -> None:
        raise OperationFailure("disk full") if isinstance(work, MongoWork) else sqlite3.OperationalError("disk full")

    for module in (deliveries, mongo_deliveries):
        monkeypatch.setattr(module, "release_parked", disk_full)
    with pytest.raises(StoreUnavailable):
        work.advance("route", Cursor(1, 0), Cursor(2, 0),
                     Output([StateRow("person:1", "c", b"{}")], [event(2)], released=[("person", "1")]))
    assert work.cursor("route") == Cursor(1, 0)
    assert work.states(["person:1"]) == []
    assert len(work.feed(0, 10)) == 1


def test_a_revision_that_the_feed_has_is_refused_by_itself_and_stops_nobody(work: Work, caplog: pytest.LogCaptureFixture) -> None:
    work.add_target(TargetRow("hris", "webhook"))
    assert work.advance("route", Cursor(), Cursor(1, 0), Output(published=[event(1)], owed=[(0, "hris")]))
    again = Published("learning.completed", "a1", 1, b"something else")
    output = Output([StateRow("person:1", "c", b"{}")], [event(2), again, event(3)], [(0, "hris"), (1, "hris"), (2, "hris")])
    assert work.advance("route", Cursor(1, 0), Cursor(2, 0), output)
    assert [(row.n, row.body) for row in work.feed(0, 10)] == [(1, event(1).body), (2, event(2).body), (3, event(3).body)]
    assert work.count_by_state() == {"pending": 3}
    assert "revision 1 of achievement a1 is in the feed already" in caplog.text


def test_the_last_word_of_an_achievement_is_its_highest_revision(work: Work) -> None:
    assert work.last_published("a1") is None
    revoked = Published("learning.revoked", "a1", 11, b'{"id":"a1",  "revision":11}')
    assert work.advance("route", Cursor(), Cursor(1, 0), Output(published=[event(1), event(1, 2), event(1, 10), event(2)]))
    assert work.last_published("a1") == event(1, 10)
    assert work.advance("route", Cursor(1, 0), Cursor(2, 0), Output(published=[revoked, event(3)]))
    assert (work.last_published("a1"), work.last_published("a2"), work.last_published("a")) == (revoked, event(2), None)


def test_nothing_is_written_where_another_consumer_has_moved_meanwhile(work: Work) -> None:
    assert work.advance("reread", Cursor(), Cursor(5, 1), Output())
    stale = Output([StateRow("person:1", "c", b"{}")], [event(1)], fences=[("reread", Cursor())])
    assert not work.advance("route", Cursor(), Cursor(7, 0), stale)
    assert (work.cursor("route"), work.states(["person:1"]), work.feed(0, 10)) == (Cursor(), [], [])
    assert work.advance("route", Cursor(), Cursor(7, 0), Output(published=[event(1)], fences=[("reread", Cursor(5, 1))]))


def test_every_cursor_is_told_at_once(work: Work) -> None:
    assert work.cursors() == {}
    for n, name in enumerate(("route/1of2", "route/2of2", "reread"), 1):
        assert work.advance(name, Cursor(), Cursor(n, n), Output())
    assert work.cursors() == {"route/1of2": Cursor(1, 1), "route/2of2": Cursor(2, 2), "reread": Cursor(3, 3)}


LOADED = [StateRow("person:1", "c", b"{}"), StateRow("person:1", "d", b"{}")]


@pytest.mark.parametrize("since", [
    [], [StateRow("person:2", "c", b"{1}")], [StateRow("person:1", "c", b"{1}")], [StateRow("person:1", "c", b"{}", True)],
    [StateRow("person:1", "c", None)], [StateRow("person:1", "b", b"{}")], [StateRow("person:3", "c", b"{}")]],
    ids=["nothing", "another subject", "what it says", "that it waits", "it is gone", "one more", "one where none was"])
def test_nothing_is_written_where_the_states_are_not_what_was_loaded(work: Work, since: list[StateRow]) -> None:
    assert work.advance("route/1of2", Cursor(), Cursor(1, 0), Output(LOADED))
    loaded = {subject: fingerprint(work.states([subject])) for subject in ("person:1", "person:3")}
    assert work.advance("route/1of2", Cursor(1, 0), Cursor(2, 0), Output(since))
    before = work.states(["person:1", "person:2", "person:3"])
    mine = Output([StateRow("person:1", "c", b"{2}")], [event(1)], loaded=loaded)
    told = work.advance("route/2of2", Cursor(), Cursor(7, 0), mine)
    assert told is not any(state.subject in loaded for state in since)
    if not told:
        assert (work.cursor("route/2of2"), work.states(["person:1", "person:2", "person:3"]), work.feed(0, 9)) == (Cursor(), before, [])


def test_nothing_is_written_where_the_feed_has_said_more_than_was_heard(work: Work) -> None:
    assert work.advance("route/1of2", Cursor(), Cursor(1, 0), Output(published=[event(1), event(1, 2)]))
    for heard in ({"a1": 1}, {"a1": 2, "a2": 1}):
        assert not work.advance("route/2of2", Cursor(), Cursor(7, 0), Output(published=[event(2)], heard=heard))
    assert work.advance("route/2of2", Cursor(), Cursor(7, 0), Output(published=[event(2)], heard={"a1": 2, "a2": 0}))
    assert work.feed_length() == 3


def test_of_two_partitions_that_loaded_one_subject_the_second_is_refused_also_at_the_same_moment(open_part: OpenPart) -> None:
    """Each writes another state of it: they meet at the fence that they have in common."""
    ones = [open_part("work"), open_part("work")]
    for n in range(1, 20):
        won: list[bool] = []
        start = threading.Barrier(2)

        def run(work: Work, mine: str, n: int = n, start: threading.Barrier = start, won: list[bool] = won) -> None:
            at, loaded = work.cursor(mine), {"person:1": fingerprint(work.states(["person:1"]))}
            start.wait()
            output = Output([StateRow("person:1", f"{mine} {n}", b"{}")], fences=[("routing", Cursor())], loaded=loaded)
            won.append(work.advance(mine, at, Cursor(at.seq + n, 0), output))

        threads = [threading.Thread(target=run, args=(ones[place], f"route/{place + 1}of2")) for place in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(won) == [False, True]


def test_of_many_workers_at_one_cursor_exactly_one_wins(open_part: OpenPart) -> None:
    works = [open_part("work") for _ in range(4)]
    won: list[bool] = []
    start = threading.Barrier(len(works))

    def run(work: Work, n: int) -> None:
        start.wait()
        won.append(work.advance("route", Cursor(), Cursor(n, 0), Output(published=[event(n)])))

    threads = [threading.Thread(target=run, args=(work, n)) for n, work in enumerate(works, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == [False, False, False, True]
    assert len(works[0].feed(0, 10)) == 1


def test_the_feed_is_numbered_without_gaps_and_gives_the_bytes_it_was_given(work: Work) -> None:
    at = Cursor()
    for n in range(1, 8):
        assert work.advance("route", at, Cursor(n, 0), Output(published=[event(n), event(n, 2)]))
        at = Cursor(n, 0)
    rows = work.feed(0, 100)
    assert [row.n for row in rows] == list(range(1, 15))
    assert rows[2].body == b'{"id":"a2",  "revision":1}'
    assert [row.n for row in work.feed(5, 3)] == [6, 7, 8]
    assert work.feed(14, 3) == []


def test_a_state_without_body_is_deleted_and_held_ones_are_listed(work: Work) -> None:
    work.advance("route", Cursor(), Cursor(1, 0), Output([StateRow("ifi:mbox:a@b", "c", b"{}", True), StateRow("person:1", "c", b"{}")]))
    assert [row.subject for row in work.held()] == ["ifi:mbox:a@b"]
    work.advance("route", Cursor(1, 0), Cursor(1, 1), Output([StateRow("ifi:mbox:a@b", "c", None)]))
    assert work.held() == []
    assert work.count_held() == 0
    assert [row.subject for row in work.states(["ifi:mbox:a@b", "person:1"])] == ["person:1"]


def test_output_and_cursor_are_one_commit(tmp_path: Path) -> None:
    work, said = SqliteWork(Database(tmp_path / "work.db")), list[str]()
    work.migrate()
    with work._database.write() as db:
        db.set_trace_callback(said.append)
    work.add_target(TargetRow("hris", "webhook"))
    said.clear()
    assert work.advance("route", Cursor(), Cursor(7, 3), Output([StateRow("person:1", "c", b"{}")], [event(1)], [(0, "hris")]))
    assert said.count("COMMIT") == 1
    assert said[-1] == "COMMIT"


def test_output_and_cursor_are_one_transaction(mongo_place: str) -> None:
    heard = Heard()
    database = MongoDatabase(mongo_place, [heard])
    work = MongoWork(database)
    work.migrate()
    work.add_target(TargetRow("hris", "webhook"))
    heard.commands.clear()
    assert work.advance("route", Cursor(), Cursor(7, 3), Output([StateRow("person:1", "c", b"{}")], [event(1)], [(0, "hris")]))
    database.close()
    names = [name for name, _ in heard.commands if name not in ("hello", "endSessions")]
    assert names.count("commitTransaction") == 1
    assert names[-1] == "commitTransaction"
    assert len({command["txnNumber"] for name, command in heard.commands if name in ("insert", "update", "commitTransaction")}) == 1


@pytest.mark.parametrize("fence", [Cursor(), Cursor(5, 1)], ids=["that never ran", "that has run"])
def test_of_two_consumers_fenced_by_each_other_the_second_is_refused_also_at_the_same_moment(open_part: OpenPart, fence: Cursor) -> None:
    """Each looks at the other's cursor and moves its own: were a fence only looked at, both would commit."""
    ones = [open_part("work"), open_part("work")]
    for name in ("a", "b"):
        ones[0].advance(name, Cursor(), fence, Output())
    for n in range(1, 20):
        won: list[bool] = []
        start = threading.Barrier(2)

        def run(work: Work, mine: str, other: str, n: int = n, start: threading.Barrier = start, won: list[bool] = won) -> None:
            at, fences = work.cursor(mine), [(other, work.cursor(other))]
            start.wait()
            won.append(work.advance(mine, at, Cursor(at.seq + n, 0), Output([StateRow("person:1", mine, b"{}")], fences=fences)))

        threads = [threading.Thread(target=run, args=(ones[0], "a", "b")), threading.Thread(target=run, args=(ones[1], "b", "a"))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(won) == [False, True]


def test_subjects_are_listed_once_each_by_prefix_and_in_order(work: Work) -> None:
    names = ("b", "a", "é", "a\U0001f600", "Z")
    rows = [StateRow(f"ifi:mbox:{name}", f"c{n}", b'{"seq":%d,"x":1}' % n) for name in names for n in range(3)]
    work.advance("route", Cursor(), Cursor(1, 0), Output([*rows, StateRow("person:1", "c", b'{"seq":12,')]))
    everybody = [f"ifi:mbox:{name}" for name in ("Z", "a", "a\U0001f600", "b", "é")]
    assert work.subjects("ifi:mbox:", 10) == everybody
    assert work.subjects("ifi:mbox:", 2) == everybody[:2]
    assert work.subjects("ifi:mbox:a", 10) == everybody[1:3]
    assert work.subjects("nobody", 10) == work.subjects("ifi:", 0) == []
    assert work.holders(1) == everybody
    assert work.holders(12) == ["person:1"]
    assert work.holders(3) == []
    assert [row.course for row in work.states(["person:1", "ifi:mbox:b", "person:1"])] == ["c", "c0", "c1", "c2"]


def test_held_ones_come_by_subject_and_course(work: Work) -> None:
    names = [("b", "c"), ("a", "d"), ("a", "c"), ("a b", "c"), ("a\tb", "c")]
    work.advance("route", Cursor(), Cursor(1, 0), Output([StateRow(*name, b"{}", True) for name in names]))
    assert [(row.subject, row.course) for row in work.held()] == sorted(names)
    assert [(row.subject, row.course) for row in work.held(2)] == sorted(names)[:2]
    assert work.held(0) == []
    assert work.count_held() == 5


def test_what_somebody_else_has_written_changes_the_number_by_which_a_worker_is_woken(open_part: OpenPart) -> None:
    mine, other = open_part("work"), open_part("work")
    for act in (lambda: other.add_target(TargetRow("hris", "webhook")) and other.set_target_state("hris", "active"),
                lambda: other.advance("route", Cursor(), Cursor(7, 0), Output(published=[event(1)], owed=[(0, "hris")])),
                lambda: other.cancel(Wanted(target="hris"), why="by hand", dry=False),
                lambda: other.replay(Wanted(state="cancelled"), now=1, dry=False)):
        before = mine.data_version()
        assert mine.data_version() == before
        assert act()
        assert mine.data_version() != before
