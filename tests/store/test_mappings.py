"""Versions of maps: immutable documents with a state, applied in one write with the catalogue and the log of changes."""
from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lrs.completions.model import Course
from lrs.errors import StoreUnavailable
from lrs.store.open_store import Store, open_store
from lrs.store.protocols.mappings import CourseStep, Mapping
from lrs.store.sqlite import directory

Open = Callable[[], Store]


@pytest.fixture
def open_parts(place: str) -> Iterator[Open]:
    """Opens the same store again, as another process would."""
    opened: list[Store] = []

    def one() -> Store:
        opened.append(open_store(place))
        return opened[-1]

    yield one
    for each in opened:
        each.close()


@pytest.fixture
def store(open_parts: Open) -> Store:
    return open_parts()


def proposed(store: Store, body: bytes = b"{}", kind: str = "verbs") -> int:
    active = store.mappings.active(kind)
    return store.mappings.propose(kind, body, who="me", note="why", base=active.number if active else 0)


def changes(store: Store) -> list[tuple[str, str]]:
    return [(one.kind, one.key) for one in store.directory.changes(0, 100)]


def test_versions_count_from_one_within_their_kind(store: Store) -> None:
    assert [proposed(store), proposed(store), proposed(store, kind="courses")] == [1, 2, 1]
    assert [one.number for one in store.mappings.list("verbs")] == [2, 1]
    one = store.mappings.get("verbs", 1)
    assert one is not None
    assert (one.body, one.state, one.who, one.note, one.base, one.applied, one.change) == (b"{}", "proposed", "me", "why", 0, 0, 0)
    assert one.at > 0
    assert store.mappings.get("verbs", 3) is None


def test_applying_retires_the_one_before_and_logs_a_change(store: Store) -> None:
    assert store.mappings.active("verbs") is None
    assert store.mappings.apply("verbs", proposed(store, b"one")) == ""
    assert store.mappings.apply("verbs", proposed(store, b"two")) == ""
    assert [(one.number, one.state, one.base) for one in store.mappings.list("verbs")] == [(2, "active", 1), (1, "retired", 0)]
    active = store.mappings.active("verbs")
    assert active is not None
    assert (active.body, active.change) == (b"two", 2)
    assert changes(store) == [("mapping", "verbs:1"), ("mapping", "verbs:2")]


def test_what_is_not_proposed_or_was_overtaken_is_refused_and_nothing_changes(store: Store) -> None:
    first, second = proposed(store), proposed(store)
    assert "no version 9" in store.mappings.apply("verbs", 9)
    assert store.mappings.apply("verbs", first) == ""
    assert "active already" in store.mappings.apply("verbs", first)
    assert "propose it again" in store.mappings.apply("verbs", second)
    assert len(changes(store)) == 1


def test_a_course_step_is_done_whole_or_not_at_all(store: Store) -> None:
    a, b = Course("x:a", "A", ("x:alias",)), Course("x:b", "B")
    store.directory.put_courses([a])
    logged = changes(store)
    step = CourseStep([Course("x:a", "A2"), b, Course("x:c", aliases=("x:alias",))], [], [a])
    assert store.mappings.apply("courses", proposed(store, kind="courses"), step) == ""
    assert [one.id for one in store.directory.courses()] == ["x:a", "x:b", "x:c"]
    assert store.directory.has_course("x:alias")
    assert changes(store) == [*logged, ("mapping", "courses:1")]
    clash = CourseStep([Course("x:d"), Course("x:e", aliases=("x:b",))], ["x:a"], [Course("x:a", "A2")])
    before = store.directory.courses()
    assert "x:b already belongs to x:b" in store.mappings.apply("courses", proposed(store, kind="courses"), clash)
    assert store.directory.courses() == before
    assert store.mappings.active("courses").number == 1  # type: ignore[union-attr]


def test_a_catalogue_that_changed_meanwhile_is_not_overwritten(store: Store) -> None:
    number = proposed(store, kind="courses")
    store.directory.put_courses([Course("x:a", "by hand")])
    assert "was changed since" in store.mappings.apply("courses", number, CourseStep([Course("x:a", "by file")]))
    assert store.directory.courses() == [Course("x:a", "by hand")]


def test_another_process_meets_what_was_applied_at_once(open_parts: Open, store: Store) -> None:
    other = open_parts()
    assert other.mappings.active("verbs") is None
    store.mappings.apply("verbs", proposed(store, b"one"))
    found = other.mappings.active("verbs")
    assert found is not None
    assert found.body == b"one"
    assert other.mappings.active("verbs") is found, "asked of the file once a commit"


def test_a_document_never_changes(store: Store) -> None:
    number = proposed(store, b"one")
    store.mappings.apply("verbs", number)
    store.mappings.apply("verbs", proposed(store, b"two"))
    store.mappings.migrate()
    assert [one.body for one in store.mappings.list("verbs")] == [b"two", b"one"]


def test_of_many_at_once_one_is_applied(open_parts: Open, store: Store) -> None:
    numbers = [proposed(store) for _ in range(4)]
    told: list[str] = []
    start = threading.Barrier(len(numbers))

    def run(number: int) -> None:
        mine = open_parts()
        start.wait()
        told.append(mine.mappings.apply("verbs", number))

    threads = [threading.Thread(target=run, args=(number,)) for number in numbers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(why == "" for why in told) == [False, False, False, True]
    assert [one.state for one in store.mappings.list("verbs")].count("active") == 1


def test_a_fault_leaves_neither_version_nor_catalogue_nor_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # of files: the fault is of their driver
    store = open_store(tmp_path)
    number = proposed(store, kind="courses")

    def disk_full(*_: object) -> int:
        raise sqlite3.OperationalError("disk full")

    monkeypatch.setattr(directory, "changed", disk_full)
    with pytest.raises(StoreUnavailable):
        store.mappings.apply("courses", number, CourseStep([Course("x:a")]))
    monkeypatch.undo()
    assert (store.directory.courses(), store.mappings.active("courses"), changes(store)) == ([], None, [])
    assert isinstance(store.mappings.get("courses", number), Mapping)


def test_readings_are_replaced_only_by_the_version_that_is_active(store: Store, make: Callable[..., Any], equal: Any) -> None:
    one, two = store.statements.add([make(), make()], equal)
    assert store.mappings.put_readings(0, [(one.seq, b'{"n":1}')])
    store.mappings.apply("verbs", proposed(store))
    assert not store.mappings.put_readings(0, [(one.seq, b'{"n":2}'), (two.seq, b'{"n":2}')])
    assert [record.reading for record in store.statements.follow(0, 9)] == [b'{"n":1}', b"{}"]
    assert store.mappings.put_readings(1, [(one.seq, b'{"n":3}'), (two.seq, b'{"n":3}')])
    assert [record.reading for record in store.statements.follow(0, 9)] == [b'{"n":3}'] * 2


def test_rewritten_readings_go_into_a_log_that_is_followed_and_cut(open_parts: Open, store: Store, make: Callable[..., Any],
                                                                    equal: Any) -> None:
    one, two = store.statements.add([make(), make()], equal)
    assert store.mappings.rewritten(0, 9) == []
    store.mappings.put_readings(0, [(one.seq, b"{}"), (two.seq, b"{}")])
    assert not store.mappings.put_readings(1, [(one.seq, b"{}")])
    store.mappings.put_readings(0, [(one.seq, b"{}")])
    log = list(open_parts().mappings.rewritten(0, 9))
    assert [seq for _, seq in log] == [one.seq, two.seq, one.seq]
    assert [n for n, _ in log] == sorted({n for n, _ in log})
    assert list(store.mappings.rewritten(log[0][0], 1)) == [log[1]]
    store.mappings.forget_rewritten(log[1][0])
    assert list(store.mappings.rewritten(0, 9)) == [log[2]]
    store.mappings.forget_rewritten(log[2][0])
    store.mappings.put_readings(0, [(two.seq, b"{}")])
    [(n, seq)] = store.mappings.rewritten(0, 9)
    assert (n > log[2][0], seq) == (True, two.seq)
