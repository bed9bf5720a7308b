"""A consumer's output and its cursor are one write; the feed's rows never change."""
from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from lrs.errors import StoreUnavailable
from lrs.store.protocols.work import Cursor, Output, Published, StateRow, TargetRow
from lrs.store.sqlite import deliveries
from lrs.store.sqlite.database import Database
from lrs.store.sqlite.work import SqliteWork


@pytest.fixture
def work(tmp_path: Path) -> SqliteWork:
    made = SqliteWork(Database(tmp_path / "work.db"))
    made.migrate()
    return made


def event(n: int, revision: int = 1) -> Published:
    return Published("learning.completed", f"a{n}", revision, b'{"id":"a%d",  "revision":%d}' % (n, revision))


def test_a_consumer_that_never_ran_stands_at_the_beginning(work: SqliteWork) -> None:
    assert work.cursor("route") == Cursor(0, 0)


def test_migrating_twice_changes_nothing(work: SqliteWork) -> None:
    work.advance("route", Cursor(), Cursor(5, 2), Output(published=[event(1)]))
    work.migrate()
    assert work.cursor("route") == Cursor(5, 2)
    assert len(work.feed(0, 10)) == 1


def test_states_events_and_cursor_are_written_together(work: SqliteWork) -> None:
    work.add_target(TargetRow("hris", "webhook"))
    output = Output([StateRow("person:1", "c", b"{}")], [event(1)], [(0, "hris")])
    assert work.advance("route", Cursor(), Cursor(7, 3), output)
    assert work.cursor("route") == Cursor(7, 3)
    assert [(s.subject, s.course, s.body) for s in work.states(["person:1"])] == [("person:1", "c", b"{}")]
    assert [row.n for row in work.feed(0, 10)] == [1]
    assert work.count_by_state() == {"pending": 1}


def test_a_second_worker_with_an_old_cursor_writes_nothing(work: SqliteWork) -> None:
    assert work.advance("route", Cursor(), Cursor(7, 0), Output(published=[event(1)]))
    assert not work.advance("route", Cursor(), Cursor(9, 0), Output(published=[event(2)]))
    assert work.cursor("route") == Cursor(7, 0)
    assert [row.body for row in work.feed(0, 10)] == [event(1).body]


def test_a_fault_in_the_middle_leaves_neither_output_nor_cursor(work: SqliteWork, monkeypatch: pytest.MonkeyPatch) -> None:
    work.advance("route", Cursor(), Cursor(1, 0), Output(published=[event(1)]))

    def disk_full(*_: object) -> None:
        raise sqlite3.OperationalError("disk full")

    monkeypatch.setattr(deliveries, "release_parked", disk_full)
    with pytest.raises(StoreUnavailable):
        work.advance("route", Cursor(1, 0), Cursor(2, 0),
                     Output([StateRow("person:1", "c", b"{}")], [event(2)], released=[("person", "1")]))
    assert work.cursor("route") == Cursor(1, 0)
    assert work.states(["person:1"]) == []
    assert len(work.feed(0, 10)) == 1


def test_a_revision_that_the_feed_has_is_refused_by_itself_and_stops_nobody(work: SqliteWork, caplog: pytest.LogCaptureFixture) -> None:
    work.add_target(TargetRow("hris", "webhook"))
    assert work.advance("route", Cursor(), Cursor(1, 0), Output(published=[event(1)], owed=[(0, "hris")]))
    again = Published("learning.completed", "a1", 1, b"something else")
    output = Output([StateRow("person:1", "c", b"{}")], [event(2), again, event(3)], [(0, "hris"), (1, "hris"), (2, "hris")])
    assert work.advance("route", Cursor(1, 0), Cursor(2, 0), output)
    assert [(row.n, row.body) for row in work.feed(0, 10)] == [(1, event(1).body), (2, event(2).body), (3, event(3).body)]
    assert work.count_by_state() == {"pending": 3}
    assert "revision 1 of achievement a1 is in the feed already" in caplog.text


def test_nothing_is_written_where_another_consumer_has_moved_meanwhile(work: SqliteWork) -> None:
    assert work.advance("reread", Cursor(), Cursor(5, 1), Output())
    stale = Output([StateRow("person:1", "c", b"{}")], [event(1)], fences=[("reread", Cursor())])
    assert not work.advance("route", Cursor(), Cursor(7, 0), stale)
    assert (work.cursor("route"), work.states(["person:1"]), work.feed(0, 10)) == (Cursor(), [], [])
    assert work.advance("route", Cursor(), Cursor(7, 0), Output(published=[event(1)], fences=[("reread", Cursor(5, 1))]))


def test_of_many_workers_at_one_cursor_exactly_one_wins(tmp_path: Path) -> None:
    works = [SqliteWork(Database(tmp_path / "work.db")) for _ in range(4)]
    works[0].migrate()
    won: list[bool] = []
    start = threading.Barrier(len(works))

    def run(work: SqliteWork, n: int) -> None:
        start.wait()
        won.append(work.advance("route", Cursor(), Cursor(n, 0), Output(published=[event(n)])))

    threads = [threading.Thread(target=run, args=(work, n)) for n, work in enumerate(works, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == [False, False, False, True]
    assert len(works[0].feed(0, 10)) == 1


def test_the_feed_is_numbered_without_gaps_and_gives_the_bytes_it_was_given(work: SqliteWork) -> None:
    at = Cursor()
    for n in range(1, 8):
        assert work.advance("route", at, Cursor(n, 0), Output(published=[event(n), event(n, 2)]))
        at = Cursor(n, 0)
    rows = work.feed(0, 100)
    assert [row.n for row in rows] == list(range(1, 15))
    assert rows[2].body == b'{"id":"a2",  "revision":1}'
    assert [row.n for row in work.feed(5, 3)] == [6, 7, 8]
    assert work.feed(14, 3) == []


def test_a_state_without_body_is_deleted_and_held_ones_are_listed(work: SqliteWork) -> None:
    work.advance("route", Cursor(), Cursor(1, 0), Output([StateRow("ifi:mbox:a@b", "c", b"{}", True), StateRow("person:1", "c", b"{}")]))
    assert [row.subject for row in work.held()] == ["ifi:mbox:a@b"]
    work.advance("route", Cursor(1, 0), Cursor(1, 1), Output([StateRow("ifi:mbox:a@b", "c", None)]))
    assert work.held() == []
    assert work.count_held() == 0
    assert [row.subject for row in work.states(["ifi:mbox:a@b", "person:1"])] == ["person:1"]


def test_output_and_cursor_are_one_commit(work: SqliteWork) -> None:
    said: list[str] = []
    with work._database.write() as db:
        db.set_trace_callback(said.append)
    work.add_target(TargetRow("hris", "webhook"))
    said.clear()
    assert work.advance("route", Cursor(), Cursor(7, 3), Output([StateRow("person:1", "c", b"{}")], [event(1)], [(0, "hris")]))
    assert said.count("COMMIT") == 1
    assert said[-1] == "COMMIT"
