"""Tells the Celery workers that something was stored, from a thread of its own: no request ever waits for the broker."""
from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable

from lrs.config import Settings
from lrs.services import nobody_to_wake

log = logging.getLogger("workers.wake")

COALESCE_SECONDS = 0.05
"""At most one message in this time, however many statements come."""

AWAY_SECONDS = 5.0
"""How long a broker that does not answer is left alone."""


class Waker:
    """`wake` is called by requests; a daemon thread rings the broker's bell for them all. Nothing is lost when it
    cannot: the beat rings each second, and what is to be done stands in the store."""

    def __init__(self, broker_url: str) -> None:
        self._url = broker_url
        self._stored = threading.Event()
        self._lock = threading.Lock()
        self._of: int | None = None

    def wake(self) -> None:
        """Say that something was stored. Takes microseconds, never raises."""
        if self._of != os.getpid():  # threads do not survive a fork
            self._start()
        self._stored.set()

    def _start(self) -> None:
        with self._lock:
            if self._of != os.getpid():
                # a process that is ending may have no more threads
                with contextlib.suppress(RuntimeError):
                    threading.Thread(target=self._run, name="wake", daemon=True).start()
                    self._of = os.getpid()

    def _run(self) -> None:
        # imported here: Celery takes a third of a second, which no request shall wait for
        from workers.broker import Bell, client

        ring, away = Bell(client(self._url)).ring, False
        while True:
            self._stored.wait()
            self._stored.clear()
            try:
                ring("route")
            except Exception as fault:
                if not away:
                    log.warning("the broker does not answer (%s); the workers look by themselves when it is back", fault)
                away = True
                time.sleep(AWAY_SECONDS)
                continue
            if away:
                log.info("the broker answers again")
            away = False
            time.sleep(COALESCE_SECONDS)


def wake_of(settings: Settings) -> Callable[[], None]:
    """The `wake` for `Services`: rings the broker that the settings name, or does nothing where they name none."""
    return Waker(settings.broker_url).wake if settings.broker_url else nobody_to_wake
