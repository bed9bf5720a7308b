"""Files of the table of facts are rewritten in a process of their own: whole, refused where another was faster, or told why not."""
from __future__ import annotations

from pathlib import Path

import pytest
from arro3.core import Array, DataType, Table
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import CommitFailedError

from analytics.compact import apart
from lrs.errors import StoreUnavailable


def table(folder: Path) -> DeltaTable:
    """Four rows in two files."""
    for seqs in ([1, 2], [3, 4]):
        write_deltalake(str(folder), Table.from_pydict({"seq": Array(seqs, type=DataType.int64())}), mode="append")
    return DeltaTable(str(folder))


def paths(found: DeltaTable) -> list[str]:
    return [str(Path(found.table_uri.removeprefix("file://")) / one) for one in found.get_add_actions().column("path").to_pylist()]


def test_two_files_become_one_with_all_their_rows(tmp_path: Path) -> None:
    old = table(tmp_path)
    apart(old, paths(old), 1, 4)
    new = DeltaTable(str(tmp_path))
    assert len(paths(new)) == 1
    assert new.get_add_actions(flatten=True).column("num_records").to_pylist() == [4]


def test_who_is_not_the_first_is_refused_and_nothing_is_there_twice(tmp_path: Path) -> None:
    old = table(tmp_path)
    apart(old, paths(old), 1, 4)
    with pytest.raises(CommitFailedError):
        apart(old, paths(old), 1, 4)
    assert DeltaTable(str(tmp_path)).get_add_actions(flatten=True).column("num_records").to_pylist() == [4]


def test_a_file_that_is_gone_is_told(tmp_path: Path) -> None:
    old = table(tmp_path)
    with pytest.raises(StoreUnavailable, match=r"gone\.parquet"):
        apart(old, [str(tmp_path / "gone.parquet")], 1, 4)
