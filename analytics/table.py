"""The table of facts on disk (Delta Lake): its columns, its cursor, its files in the order of the log."""
from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from arro3.core import Array, DataType, Field, Table
from arro3.core import Schema as ArrowSchema
from deltalake import DeltaTable, Schema, Transaction
from deltalake.exceptions import TableNotFoundError

from analytics.dictionary import FACTS, Column
from lrs.errors import StoreUnavailable

FORMAT = 1
"""Rises when the same statement gives another row: a table of another format is built anew."""
COLUMNS = (*FACTS, Column("subject_also", "VARCHAR", "Keys of the other forms of the learner's address, for `identifiers`."),
           Column("place", "VARCHAR", "With `activity` what `courses` is asked by."))
SMALL = {
    "identifiers": ("key", "subject"),
    "courses": ("activity", "place", "course"),
    "people": ("subject", "employee_id", "department", "job_code"),
}
"""The small tables, made anew from the directory: all their columns are text."""
LOG, REWRITTEN, DIRECTORY = "log", "rewritten", "directory"
"""What the tables' own transactions count: the seq reached, the number of the last rewritten reading, the last change."""
_TYPES = {"VARCHAR": DataType.string(), "BIGINT": DataType.int64(), "INTEGER": DataType.int32(), "DOUBLE": DataType.float64(),
          "BOOLEAN": DataType.bool(), "DATE": DataType.date32(), "TIMESTAMP": DataType.timestamp("us", tz="UTC")}
_CONFIGURATION: dict[str, str | None] = {"delta.dataSkippingStatsColumns": "seq,timestamp,date",
                                         "delta.logRetentionDuration": "interval 1 days"}


class AnotherStore(ValueError):
    """The folder holds the facts of another store."""


@contextmanager
def reading() -> Iterator[None]:
    """What the table's files cannot give is not there for now, as of a store: `StoreUnavailable`."""
    try:
        yield
    except OSError as error:
        raise StoreUnavailable(error) from error


@dataclass(frozen=True, slots=True)
class File:
    """A file of the table: where it is, the seqs it spans, its rows (in seq order)."""

    path: str
    first: int
    last: int
    rows: int


def schema() -> ArrowSchema:
    """The columns of `facts`, typed."""
    return ArrowSchema([Field(one.name, _TYPES[one.type], nullable=True) for one in COLUMNS])


def arrow(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Rows of `analytics.facts.kept` as an Arrow table."""
    return Table.from_pydict({one.name: _array(one.type, [row[one.name] for row in rows]) for one in COLUMNS}, schema=schema())


def text_table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """Rows of text as an Arrow table."""
    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    kind = ArrowSchema([Field(name, DataType.string(), nullable=True) for name in names])
    return Table.from_pydict({name: Array(list(column), type=DataType.string()) for name, column in zip(names, columns, strict=True)},
                             schema=kind)


@reading()
def opened(folder: Path, key: bytes) -> DeltaTable | None:
    """The table of the store with this key, None where there is none of this format. Raises `AnotherStore`, `StoreUnavailable`."""
    try:
        table = DeltaTable(str(folder / "facts"))
    except TableNotFoundError:
        return None
    told = table.metadata().description or ""
    if told.partition(", ")[2] != _store(key):
        raise AnotherStore(f"{folder} holds the facts of another store: set `facts` to another folder, or remove it")
    return table if told.startswith(f"format {FORMAT}, ") else None


@reading()
def created(folder: Path, key: bytes) -> DeltaTable:
    """A new, empty table, in place of one of another format. Raises `StoreUnavailable` where the folder cannot be made or written."""
    # else a folder that cannot be made is told as a table that is not there, which a builder takes for another one's doing
    (folder / "facts").mkdir(parents=True, exist_ok=True)
    return DeltaTable.create(str(folder / "facts"), schema=Schema.from_arrow(schema()), mode="overwrite", name="facts",
                             description=f"format {FORMAT}, {_store(key)}", configuration=_CONFIGURATION)


@reading()
def small(folder: Path, name: str) -> DeltaTable:
    """One of the small tables, created where there is none. Raises `StoreUnavailable`."""
    (folder / name).mkdir(parents=True, exist_ok=True)
    kind = ArrowSchema([Field(one, DataType.string(), nullable=True) for one in SMALL[name]])
    return DeltaTable.create(str(folder / name), schema=Schema.from_arrow(kind), mode="ignore", name=name, configuration=dict(
        list(_CONFIGURATION.items())[1:]))


@reading()
def cursor(table: DeltaTable) -> tuple[int, int]:
    """(seq of the last statement, number of the last rewritten reading) that the table holds."""
    return table.transaction_version(LOG) or 0, table.transaction_version(REWRITTEN) or 0


def transactions(seq: int, rewritten: int) -> list[Transaction]:
    """The table's cursor, to go into the commit that brings it there."""
    return [Transaction(LOG, seq), Transaction(REWRITTEN, rewritten)]


@reading()
def files(table: DeltaTable) -> list[File]:
    """The active files, in the order of the log."""
    told = table.get_add_actions(flatten=True)
    columns = [told.column(name).to_pylist() for name in ("path", "min.seq", "max.seq", "num_records")]
    root = table.table_uri.removeprefix("file://").rstrip("/")
    found = (File(f"{root}/{path}", first, last, rows) for path, first, last, rows in zip(*columns, strict=True))
    return sorted(found, key=lambda file: file.first)


def _array(kind: str, values: list[Any]) -> Array:
    if kind in ("DATE", "TIMESTAMP"):
        return Array(values, type=DataType.string()).cast(_TYPES[kind])
    return Array(values, type=_TYPES[kind])


def _store(key: bytes) -> str:
    return "store " + hashlib.blake2b(key, digest_size=8).hexdigest()
