"""The time of a MongoDB store: its primary's clock, so that the clocks of the machines that write do not matter."""
from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from lrs.store.mongo.database import Database

ASKED_EVERY_US = 30_000_000
SAMPLES = 3
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _uptime() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000


class Clock:
    """µs since 1970 as the primary has them: asked now and then, counted on by this machine's time since boot.

    Only how *current* stored times are depends on it. What is promised about them does not (see `intents`): there a
    clock that steps back, or a new primary with another clock, is only a seq a little above the clock.
    """

    def __init__(self, server: Callable[[], int], uptime: Callable[[], int] = _uptime) -> None:
        """`server` asks the server for its time, `uptime` is this machine's time since boot; both in µs."""
        self._server, self._uptime = server, uptime
        self._mutex = threading.Lock()
        self._offset: int | None = None
        self._asked = 0

    def now(self) -> int:
        """µs since 1970. Raises `StoreUnavailable` when the server was never reached."""
        uptime = self._uptime()
        if self._offset is None or uptime - self._asked > ASKED_EVERY_US:
            with self._mutex:
                if self._offset is None or self._uptime() - self._asked > ASKED_EVERY_US:
                    self._ask()
        assert self._offset is not None
        return self._uptime() + self._offset

    def _ask(self) -> None:
        samples = []
        for _ in range(SAMPLES):
            before = self._uptime()
            said = self._server()
            after = self._uptime()
            samples.append((after - before, said - (before + after) // 2))
        # the quickest answer is the one whose time is best known
        self._offset = min(samples)[1]
        self._asked = self._uptime()


def of(database: Database) -> Clock:
    """The clock of a database's primary."""
    def server() -> int:
        said = database.hello()["localTime"].replace(tzinfo=UTC) - _EPOCH
        return int(said.total_seconds() * 1_000_000)

    return Clock(server)
