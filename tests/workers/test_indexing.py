"""Index rows of new statements gather while statements come in, and are moved to where they stay in one go."""
from __future__ import annotations

from contextlib import closing
from pathlib import Path

from bench.statements import Life
from lrs.ingest.prepare import Provider, prepared
from lrs.statements.equality import same
from lrs.statements.limits import Limits
from lrs.statements.parse import parse
from lrs.statements.terms import terms_of
from lrs.store.open_store import open_store
from workers.indexing import GATHERED, QUIET_SECONDS, ROWS, SOME_SECONDS, Indexing


class Store:
    """So many statements wait, and so many rows are small and apart."""

    def __init__(self, waiting: int = 0, small: int = 0) -> None:
        self.waiting, self.small, self.moves = waiting, small, 0

    def index_postings(self) -> int:
        some = min(self.waiting, 1_000)
        self.waiting, self.small = self.waiting - some, self.small + 15 * some
        return some

    def merge_postings(self, most: int) -> int:
        moved = min(self.small, most)
        self.small, self.moves = self.small - moved, self.moves + 1
        return moved


def test_what_an_earlier_process_left_is_moved_once_nothing_comes():
    now, store = [0.0], Store(small=2 * ROWS + 1)
    index = Indexing(store, lambda: now[0])
    assert index() == 0
    now[0] += QUIET_SECONDS
    assert [index() for _ in range(4)] == [ROWS, ROWS, 1, 0]


def test_while_statements_come_in_nothing_is_moved_until_many_have_gathered():
    now, store = [0.0], Store()
    index = Indexing(store, lambda: now[0])
    for _ in range(GATHERED // 1_000 - 1):
        store.waiting, now[0] = 1_000, now[0] + 0.5
        assert index() == 1_000
    assert store.moves == 0
    store.waiting = 1_000
    assert index() == 1_000 + ROWS
    while index():
        pass
    assert (store.waiting, store.small) == (0, 0)


def test_a_few_are_written_a_quarter_of_a_second_at_a_time_and_moved_when_it_is_quiet():
    now, store = [0.0], Store()
    index = Indexing(store, lambda: now[0])
    store.waiting = 10
    assert index() == 10
    store.waiting = 10
    assert index() == 0
    now[0] += SOME_SECONDS
    assert index() == 10
    now[0] += QUIET_SECONDS
    assert index() == 300
    assert index() == 0


def test_a_store_whose_index_is_written_with_the_statement_is_asked_once_a_while():
    class Whole(Store):
        def index_postings(self) -> int:
            return 0

        def merge_postings(self, most: int) -> int:
            self.moves += 1
            return 0
    now, store = [0.0], Whole()
    index = Indexing(store, lambda: now[0])
    for _ in range(100):
        now[0] += 0.1
        assert index() == 0
    assert store.moves == 1


def test_of_a_store_on_files_every_row_ends_where_it_stays(tmp_path: Path):
    now = [0.0]
    with closing(open_store(tmp_path / "data")) as store:
        who = Provider("p", frozenset({"all"}), "p", {"account": {"homePage": "http://h.example", "name": "p"}})
        terms = terms_of(store.statements.term_key)
        index = Indexing(store.statements, lambda: now[0])
        store.statements.add([prepared(one, one.value["id"], who, terms) for one in parse(Life().batch(30), Limits(), "1.0.3")], same)
        assert index() == 30
        assert index() == 0
        now[0] += QUIET_SECONDS
        assert index() > 300
        assert store.statements.merge_postings() == 0
