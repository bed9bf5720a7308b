"""Exports as an administrator asks for them: into a folder or streamed, each in the audit log before its first row."""
from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analytics.exports import rows
from analytics.exports.rows import Wanted
from lrs.management.audit import audited
from lrs.store.open_store import Store

if TYPE_CHECKING:
    from analytics.exports.run import Written


def write(store: Store, wanted: Wanted, kind: str, out: Path, *, who: str, progress: Callable[[int, int], None],
          table: Path | None = None, force: bool = False) -> Written:
    """Write facts or raw statements into a folder, with a manifest; `progress` is told (rows, seq) a slice.
    `table`: the folder of the table of facts; `force`: replace an export with other filters, too. Raises `OSError`, `WrongState`."""
    from analytics.exports import run  # DuckDB and Delta Lake are 40 MB of memory: none for who never exports

    with audited(store, who, "exports.run", _thing(wanted), **_told(wanted, kind)):
        return run.export(store, wanted, kind, out, progress, table, force=force)


def streamed(store: Store, wanted: Wanted, kind: str, *, who: str, table: Path | None = None) -> tuple[int, Iterator[bytes]]:
    """(the `since` of the next export, the bytes of this one). Raises `StoreUnavailable` before the first byte."""
    from analytics.exports import run

    with audited(store, who, "exports.run", _thing(wanted), **_told(wanted, kind)):
        end = rows.bound(store, wanted)
        return end, run.stream(store, wanted, kind, end=end, table=table)


def _thing(wanted: Wanted) -> str:
    return "statements" if wanted.raw else "facts"


def _told(wanted: Wanted, kind: str) -> dict[str, Any]:
    return {"format": kind, **{name: value for name, value in asdict(wanted).items() if value and name != "raw"}}
