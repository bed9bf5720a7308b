"""Statements whose index waits are found as all others are, and never more wait than a reader can look at."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lrs.errors import Conflict
from lrs.statements.record import Query
from lrs.store.sqlite import waiting


def waits(store: Any) -> int:
    with store._database.read() as db:
        return waiting.count(db)


@pytest.mark.parametrize("ascending", [False, True])
def test_a_page_reads_what_waits_what_is_recent_and_what_is_merged_together(
    open_sqlite: Callable[..., Any], make: Callable[..., Any], equal: Any, ascending: bool,
) -> None:
    store = open_sqlite()
    added: list[str] = []
    for merged in (9, 3, 0):
        some = [make(terms=(n % 3, 7)) for n in range(30)]
        added += [one.id for n, one in enumerate(store.add(some, equal)) if n % 3 == 1]
        if merged:
            store.merge_postings(merged)
    assert waits(store) == 30
    for terms in ((1,), (1, 7)):
        found, after = [], None
        while True:
            page = store.page(Query(terms, ascending=ascending, limit=4, after=after))
            found += [record.id for record in page.records]
            after = page.more
            if after is None:
                break
        assert found == (added if ascending else added[::-1])


def test_who_adds_indexes_a_slice_where_too_many_wait(
    open_sqlite: Callable[..., Any], make: Callable[..., Any], equal: Any, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(waiting, "MOST", 10)
    monkeypatch.setattr(waiting, "SLICE", 4)
    store = open_sqlite()
    names: list[str] = []
    for n in (1, 9, 1, 6, 25, 1):
        names += [one.id for one in store.add([make(terms=(5,)) for _ in range(n)], equal)]
        assert waits(store) <= 10
    assert [record.id for record in store.page(Query((5,), ascending=True)).records] == names


def test_an_add_that_is_refused_leaves_nobody_waiting(
    open_sqlite: Callable[..., Any], make: Callable[..., Any], equal: Any,
) -> None:
    store = open_sqlite()
    known = make(terms=(5,))
    store.add([known], equal)
    with pytest.raises(Conflict):
        store.add([make(terms=(5,)), make(known.id, (6,), body=b"another")], equal)
    assert waits(store) == 1
    assert [record.id for record in store.page(Query((5,))).records] == [known.id]
