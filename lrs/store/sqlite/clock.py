"""The clock that numbers statements: rises within a boot and over reboots, whatever the wall clock does."""
from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

STEP_US = 5_000_000
"""How far ahead of what was given the stored ceiling is renewed: one extra row write each 5 s."""
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
SCRIPTS = (
    """CREATE TABLE clock (one INTEGER PRIMARY KEY CHECK (one = 1), boot TEXT NOT NULL, behind INTEGER NOT NULL, ceiling INTEGER NOT NULL);
       INSERT INTO clock VALUES (1, '', 0, 0)""",
)


@dataclass(frozen=True, slots=True)
class Sources:
    """Where time comes from: wall clock and boot-time clock in µs, and the id of this boot."""

    wall: Callable[[], int]
    boottime: Callable[[], int]
    boot: Callable[[], str]


def _boot() -> str:
    return BOOT_ID.read_text().strip() if BOOT_ID.exists() else "unknown"


SYSTEM = Sources(
    lambda: time.time_ns() // 1000,
    lambda: time.clock_gettime_ns(time.CLOCK_BOOTTIME if hasattr(time, "CLOCK_BOOTTIME") else time.CLOCK_MONOTONIC) // 1000,
    _boot,
)


class Clock:
    """µs since 1970: the boot-time clock plus an offset that is computed anew for each boot id as
    max(wall, ceiling) − boot time, raised within a boot and never lowered. Nothing is given beyond `ceiling`."""

    def __init__(self, sources: Sources = SYSTEM) -> None:
        self._sources = sources

    def draw(self, db: sqlite3.Connection) -> int:
        """Now, inside the write lock; renews offset and ceiling in this transaction where that is due."""
        boot, behind, ceiling = db.execute("SELECT boot, behind, ceiling FROM clock").fetchone()
        boottime, wall, this_boot = self._sources.boottime(), self._sources.wall(), self._sources.boot()
        offset = wall - boottime
        fresh = max(offset, ceiling - boottime) if boot != this_boot else max(behind, offset)
        now = boottime + fresh
        # the offset is raised by whole steps with the ceiling: a clock that is slewed would else cost a row each time
        if boot != this_boot or now > ceiling:
            db.execute("UPDATE clock SET boot = ?, behind = ?, ceiling = ?", (this_boot, fresh, max(ceiling, now + STEP_US)))
            return now
        return boottime + max(behind, offset)

    def keep_above(self, db: sqlite3.Connection, given: int) -> None:
        """Raise the ceiling where `given` was drawn beyond it (many statements in one microsecond)."""
        db.execute("UPDATE clock SET ceiling = ? WHERE ceiling < ?", (given + STEP_US, given))

    def peek(self, db: sqlite3.Connection) -> int:
        """Now for a reader: never beyond the ceiling, and the ceiling itself after a reboot."""
        boot, behind, ceiling = db.execute("SELECT boot, behind, ceiling FROM clock").fetchone()
        if boot != self._sources.boot():
            return int(ceiling)
        return int(min(ceiling, self._sources.boottime() + behind))
