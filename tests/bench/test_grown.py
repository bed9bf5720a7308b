"""A store that was grown out of copies is a store like any other: what is measured on it counts."""
from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bench.grown import another_id, grow
from bench.reading import filled
from lrs.management.verify import verify
from lrs.store.open_store import open_store


def test_it_keeps_every_promise_and_has_every_copy_once(tmp_path: Path) -> None:
    small = filled(tmp_path, 60)
    grow(small, tmp_path / "large", 5)
    with closing(open_store(tmp_path / "large")) as store, closing(open_store(small)) as first:
        assert list(verify(store)) == []
        assert store.statements.count() == 300
        own = {record.id for record in first.statements.follow(0, 100)}
        assert len({record.id for record in store.statements.follow(0, 1000)}) == 300
        assert own == {record.id for record in store.statements.follow(0, 1000)[-60:]}


def test_references_are_refused_before_anything_is_written_wrong(tmp_path: Path) -> None:
    small = filled(tmp_path, 10)
    with closing(sqlite3.connect(small / "statements.db")) as db, db:
        db.execute("UPDATE statements SET target = id")
    with pytest.raises(ValueError, match="references"):
        grow(small, tmp_path / "large", 2)


def test_no_two_copies_have_one_id() -> None:
    assert len({another_id(bytes(16), n) for n in range(1000)}) == 1000
