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


Kept = tuple[str, int, int]
"""What the file remembers: the boot, the offset from its uptime to our time, the ceiling."""


def peeked(kept: Kept | None, ticks: Ticks) -> int | None:
    """`Clock.peek` of what the file remembers."""
    if kept is None or kept[0] != ticks.boot():
        return None
    now = ticks.uptime() + kept[1]
    return now if now <= kept[2] else None


def advanced(kept: Kept | None, ticks: Ticks, span: int, follows: bool = True) -> tuple[int, Kept]:
    """`Clock.advance` of what the file remembers: the time, and what it remembers from now on."""
    boot, uptime, wall = ticks.boot(), ticks.uptime(), ticks.wall()
    if kept is None:
        offset, ceiling = wall - uptime, 0
    elif kept[0] != boot:
        offset, ceiling = max(wall, kept[2]) - uptime, kept[2]
    else:
        _, offset, ceiling = kept
        if follows and wall - uptime > offset + RAISE_US:
            offset = wall - uptime
    now = uptime + offset
    return now, (boot, offset, ceiling if now + span <= ceiling else now + span + STEP_US)


class Clock:
    """Time since boot plus an offset kept in the file for each boot, so that a step back of the wall clock is not
    seen; `ceiling`, kept ahead of all that was given, carries the promise over a reboot and to another host.

    `follows`: a wall clock that is set forward is believed. Where it is not, no second of this clock is longer or shorter
    than one that really goes by, as leases need it; it may then be as wrong as the wall clock was when it began."""

    def __init__(self, ticks: Ticks | None = None, follows: bool = True) -> None:
        self._ticks, self._follows = ticks or Ticks(), follows

    def peek(self, db: sqlite3.Connection) -> int | None:
        """µs now, as far as the file allows it to be given; None when `advance` must be called first."""
        return peeked(db.execute("SELECT boot, offset, ceiling FROM clock").fetchone(), self._ticks)

    def ceiling(self, db: sqlite3.Connection) -> int:
        """What no time that was given exceeds; 0 in a new file."""
        row = db.execute("SELECT ceiling FROM clock").fetchone()
        return int(row[0]) if row else 0

    def advance(self, db: sqlite3.Connection, span: int = 0) -> int:
        """µs now. Must run inside the file's write lock; leaves `span` µs from now on below the ceiling.

        The wall clock is believed only here, in the lock and written down: a reader who believed it alone could
        promise a time that the next writer stays below.
        """
        row = db.execute("SELECT boot, offset, ceiling FROM clock").fetchone()
        now, kept = advanced(row, self._ticks, span, self._follows)
        if row != kept:
            db.execute("INSERT OR REPLACE INTO clock VALUES (1, ?, ?, ?)", kept)
        return now

    def cover(self, db: sqlite3.Connection, seq: int) -> None:
        """Raise the ceiling above this seq, which is about to be given; inside the write lock."""
        db.execute("UPDATE clock SET ceiling = ? WHERE ceiling < ?", (seq + STEP_US, seq))
