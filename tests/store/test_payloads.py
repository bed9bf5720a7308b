"""Payloads: kept once a body, listed newest first by pages, removed by age and by connection."""
from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lrs.sources.retention import DAY, DAYS, purge
from lrs.store.open_store import Store, open_store
from lrs.store.protocols.connections import Connection
from lrs.store.protocols.payloads import Payload
from lrs.store.sqlite import payloads


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = open_store(tmp_path)
    yield store
    store.close()


def test_a_payload_is_kept_as_it_came_whatever_its_bytes(store: Store, tmp_path: Path) -> None:
    before = time.time_ns() // 1000
    n = store.payloads.keep("academy", "meeting.started", b"\xff\0{", "not JSON")
    [kept] = store.payloads.list()
    assert kept == Payload(n, kept.at, "academy", "meeting.started", b"\xff\0{", "not JSON")
    assert before <= kept.at <= time.time_ns() // 1000
    # durable: another process that opens the folder finds it
    other = open_store(tmp_path)
    assert other.payloads.list() == [kept]
    other.close()


def test_the_same_body_of_a_connection_is_kept_once_and_only_its_note_can_change(store: Store) -> None:
    n = store.payloads.keep("academy", "e", b"{}")
    assert store.payloads.keep("academy", "e", b"{}", "nobody") == n
    assert store.payloads.keep("academy", "e", b"{}") == n
    assert [(kept.n, kept.note) for kept in store.payloads.list()] == [(n, "nobody")]
    assert store.payloads.keep("other", "e", b"{}") != n
    assert len(store.payloads.list()) == 2


def test_the_newest_come_first_page_by_page(store: Store) -> None:
    numbers = [store.payloads.keep("b" if i % 2 else "a", "e", b"%d" % i) for i in range(7)]
    assert [kept.n for kept in store.payloads.list(limit=3)] == numbers[:3:-1]
    assert [kept.n for kept in store.payloads.list(limit=3, before=numbers[4])] == numbers[3:0:-1]
    assert [kept.body for kept in store.payloads.list("b")] == [b"5", b"3", b"1"]
    assert [kept.body for kept in store.payloads.list("b", before=numbers[3])] == [b"1"]
    assert store.payloads.list("nobody") == []


def test_what_came_before_a_time_is_removed_in_slices(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payloads, "PURGED_AT_ONCE", 3)
    for i in range(8):
        store.payloads.keep("a" if i < 7 else "b", "e", b"%d" % i)
    at = [kept.at for kept in reversed(store.payloads.list())]
    assert store.payloads.purge(at[2]) == len([one for one in at if one < at[2]])
    assert store.payloads.purge(at[-1] + 1, "a") == len([one for one in at[:7] if one >= at[2]])
    assert [kept.connection for kept in store.payloads.list()] == ["b"]
    assert store.payloads.purge(at[-1] + 1) == 1
    assert store.payloads.purge(at[-1] + 1) == 0


def test_many_that_keep_the_same_body_at_once_keep_one(store: Store) -> None:
    numbers: list[int] = []
    threads = [threading.Thread(target=lambda: numbers.append(store.payloads.keep("a", "e", b"{}"))) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(numbers) == 12
    assert len(set(numbers)) == len(store.payloads.list()) == 1


@pytest.mark.parametrize("days", ["7", None, True, 0, -1, 10_000, 2.5])
def test_a_retention_that_makes_no_sense_is_the_usual_one(store: Store, days: object) -> None:
    store.connections.create(Connection("a", "zoom", "key", {"retention_days": days}))
    store.payloads.keep("a", "e", b"{}")
    at = store.payloads.list()[0].at
    assert purge(store, at + DAYS * DAY) == 0
    assert purge(store, at + DAYS * DAY + 1) == 1


def test_what_belongs_to_no_connection_goes_after_a_year(store: Store) -> None:
    store.payloads.keep("gone", "e", b"{}")
    at = store.payloads.list()[0].at
    assert purge(store, at + 366 * DAY) == 0
    assert purge(store, at + 366 * DAY + 1) == 1
