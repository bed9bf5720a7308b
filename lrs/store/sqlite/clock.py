"""The clock of a statements file: no time it has given is ever given again, whatever the machine's clock does."""
from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

SCRIPTS = (
    "CREATE TABLE clock (one INTEGER PRIMARY KEY CHECK (one = 1), boot TEXT NOT NULL, offset INTEGER NOT NULL, ceiling INTEGER NOT NULL)",
)
STEP_US = 5_000_000
RAISE_US = 1_000
"""A wall clock ahead of ours by less is the jitter of reading two clocks, not a correction."""


def _wall() -> int:
    return time.time_ns() // 1000


def _uptime() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000


@lru_cache(maxsize=1)
def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


@dataclass(frozen=True, slots=True)
class Ticks:
    """Where time comes from: wall clock and time since boot (both µs), and the id of this boot."""

    wall: Callable[[], int] = _wall
    uptime: Callable[[], int] = _uptime
    boot: Callable[[], str] = _boot


class Clock:
    """Time since boot plus an offset kept in the file for each boot, so that a step back of the wall clock is not
    seen; `ceiling`, kept ahead of all that was given, carries the promise over a reboot and to another host."""

    def __init__(self, ticks: Ticks | None = None) -> None:
        self._ticks = ticks or Ticks()

    def peek(self, db: sqlite3.Connection) -> int | None:
        """µs now, as far as the file allows it to be given; None when `advance` must be called first."""
        row = db.execute("SELECT boot, offset, ceiling FROM clock").fetchone()
        if row is None or row[0] != self._ticks.boot():
            return None
        now: int = self._ticks.uptime() + row[1]
        return now if now <= row[2] else None

    def ceiling(self, db: sqlite3.Connection) -> int:
        """What no time that was given exceeds; 0 in a new file."""
        row = db.execute("SELECT ceiling FROM clock").fetchone()
        return int(row[0]) if row else 0

    def advance(self, db: sqlite3.Connection, span: int = 0) -> int:
        """µs now. Must run inside the file's write lock; leaves `span` µs from now on below the ceiling.

        The wall clock is believed only here, in the lock and written down: a reader who believed it alone could
        promise a time that the next writer stays below.
        """
        boot, uptime, wall = self._ticks.boot(), self._ticks.uptime(), self._ticks.wall()
        row = db.execute("SELECT boot, offset, ceiling FROM clock").fetchone()
        if row is None:
            offset, ceiling = wall - uptime, 0
        elif row[0] != boot:
            offset, ceiling = max(wall, row[2]) - uptime, row[2]
        else:
            offset, ceiling = row[1], row[2]
            if wall - uptime > offset + RAISE_US:
                offset = wall - uptime
        now = uptime + offset
        self._keep(db, row, (boot, offset, ceiling if now + span <= ceiling else now + span + STEP_US))
        return now

    def cover(self, db: sqlite3.Connection, seq: int) -> None:
        """Raise the ceiling above this seq, which is about to be given; inside the write lock."""
        db.execute("UPDATE clock SET ceiling = ? WHERE ceiling < ?", (seq + STEP_US, seq))

    @staticmethod
    def _keep(db: sqlite3.Connection, before: tuple[str, int, int] | None, after: tuple[str, int, int]) -> None:
        if before != after:
            db.execute("INSERT OR REPLACE INTO clock VALUES (1, ?, ?, ?)", after)
