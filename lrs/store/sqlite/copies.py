"""A copy of a SQLite file in use, of one moment, and what a copy must be to be trusted."""
from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from lrs.store.sqlite.clock import STEP_US
from lrs.store.sqlite.database import Database

PAGES = 1_000
"""Pages a step: 4 MB, after which whoever watches is told."""
COUNTED = {
    "work.db": ("feed", "states", "deliveries", "attempts", "targets", "sessions"),
    "statements.db": ("statements", "documents", "people", "courses", "changes", "mappings", "credentials", "connections", "audit"),
    "payloads.db": ("payloads",),
    "rejections.db": ("rejections",),
}
"""The files of a store in the order in which a backup copies them, and the tables whose rows it counts."""


def copy(database: Database, to: Path, told: Callable[[int, int], None] = lambda done, total: None) -> None:
    """Copy the file as it is at this moment to a new one, durable on return; `told` hears (pages, of how many) a step. Others read
    and write meanwhile, and wait for nothing. Raises `StoreUnavailable` where it cannot be read, OSError where the copy cannot be
    written."""
    with database.read() as db:
        # with the snapshot taken here a step goes on from the one before; without it SQLite begins again after every foreign commit
        db.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone()
        try:
            with closing(sqlite3.connect(to, isolation_level=None)) as made:
                made.execute("PRAGMA synchronous=OFF")
                made.execute("PRAGMA journal_mode=OFF")
                db.backup(made, pages=PAGES, progress=lambda _, left, total: told(total - left, total))
        except sqlite3.Error as error:
            raise OSError(f"cannot copy {to.name}: {error}") from error
    sync(to)


def faults(file: Path, *, quick: bool = False) -> list[str]:
    """What SQLite finds wrong within the file, at most ten sentences; none where it is sound. `quick`: not whether each index has what its
    table has, for a third less of the time."""
    try:
        with _looking(file) as db:
            return [text for (text,) in db.execute(f"PRAGMA {'quick' if quick else 'integrity'}_check(10)") if text != "ok"]
    except sqlite3.Error as error:
        return [str(error)]


def counts(file: Path) -> dict[str, int]:
    """The rows of its tables of COUNTED. Raises ValueError for what is no such file."""
    try:
        with _looking(file) as db:
            return {table: int(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]) for table in COUNTED[file.name]}
    except sqlite3.Error as error:
        raise ValueError(str(error)) from error


def last_seq(file: Path) -> int:
    """The seq of the newest statement in a copy of statements.db, 0 if there is none."""
    with _looking(file) as db:
        return int(db.execute("SELECT coalesce(max(seq), 0) FROM statements").fetchone()[0])


def begin_after(file: Path, moment: int) -> None:
    """Let no statement of this copy's future have a seq at or below this one (µs), whatever the clock of the machine says."""
    with closing(sqlite3.connect(file, isolation_level=None)) as db:
        db.execute("INSERT OR IGNORE INTO clock VALUES (1, '', 0, 0)")
        # of no known boot: whoever draws the next time goes by the ceiling, not by this machine's uptime
        db.execute("UPDATE clock SET boot = '', ceiling = max(ceiling, ? + ?)", (moment, STEP_US))


def sync(path: Path) -> None:
    """Make a file, or what a folder lists, durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _looking(file: Path) -> Iterator[sqlite3.Connection]:
    """The file, which nobody writes to, without a trace beside it."""
    with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro&immutable=1", uri=True)) as db:
        yield db
