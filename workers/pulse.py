"""A worker's pulse: at which kinds of work it was when, told to the store at most every five seconds."""
from __future__ import annotations

import threading
import time
from collections.abc import Callable

from lrs.store.protocols.heartbeats import Heartbeats

EVERY = 5.0
"""Seconds between two writes of one process."""


class Pulse:
    """One a process; safe from many threads."""

    def __init__(self, heartbeats: Heartbeats, worker: str, clock: Callable[[], int]) -> None:
        """`clock` gives µs since 1970 UTC."""
        self._heartbeats, self._worker, self._clock = heartbeats, worker, clock
        self._mutex = threading.Lock()
        self._seen: dict[str, int] = {}
        self._next = 0.0

    def at(self, consumer: str) -> None:
        """It is at this kind of work now. Costs less than a µs."""
        self._seen[consumer] = self._clock()

    def tell(self) -> None:
        """Write what was seen, if the last time is long enough ago. Raises `StoreUnavailable`."""
        with self._mutex:
            if time.monotonic() < self._next:
                return
            self._heartbeats.beat(self._worker, dict(self._seen))
            self._next = time.monotonic() + EVERY
