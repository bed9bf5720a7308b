"""Suspects are sent by a process of their own: what ends it ends nothing else, and nothing else can have been the cause."""
from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field

from lrs import log
from lrs.config import inherited
from lrs.services import Services, now_us, store_of
from workers.connectors.registry import connectors
from workers.deliver import Deliverer, lease_seconds

LIFE = 20.0
"""Seconds for which such a process claims suspects, one after the other."""

LOOK_EVERY = 2.0
"""Seconds between two looks for suspects."""

_log = logging.getLogger("workers.alone")


@dataclass
class Apart:
    """Starts the process where a suspect is due (`lrs.store.claiming`), and waits for nothing; dies of no delivery itself."""

    services: Services
    hands: Deliverer
    _process: subprocess.Popen[bytes] | None = None
    _look: float = 0.0
    _until: float = field(default=0.0)

    def __call__(self) -> None:
        """Look after the process. Raises `StoreUnavailable`."""
        now = time.monotonic()
        if now < self._look or not self._is_free(now):
            return
        self._look = now + LOOK_EVERY
        if self.services.store.work.is_suspect_due(self.services.now_us(), self.hands.limits):
            settings = self.services.settings
            self._until = now + LIFE + lease_seconds(self.services.store.work.targets())
            # -P: the working directory is no place to import from. Its input is a pipe that ends when we do.
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "workers.alone"], stdin=subprocess.PIPE, start_new_session=True,
                env={**os.environ, "LRS_DATA": str(settings.data), "LRS_STORE": settings.store})

    def tell(self) -> None:
        """Have the process end after what it is sending."""
        if self._process is not None:
            self._process.terminate()

    def close(self, seconds: float = 0.0) -> None:
        """Wait so long for the process, then end it."""
        self.tell()
        if self._process is not None:
            try:
                self._process.wait(seconds)
            except subprocess.TimeoutExpired:
                self._process.kill()
            self._is_free(time.monotonic())

    def _is_free(self, now: float) -> bool:
        if self._process is None:
            return True
        if self._process.poll() is None and now < self._until:
            return False
        if self._process.poll() is None:  # no exchange takes so long: what it sends holds it
            self._process.kill()
        if self._process.wait():
            _log.warning("the process that sends suspects ended (%s)", self._process.returncode)
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process = None
        return True


@dataclass
class Hands:
    """All deliveries: the `deliverer` for most, the process `apart` for suspects."""

    deliverer: Deliverer
    apart: Apart

    def __call__(self) -> int:
        """A slice of deliveries, and a look at the suspects. Raises `StoreUnavailable`."""
        self.apart()
        return self.deliverer()

    def close(self, seconds: float = 0.0) -> None:
        """Start nothing more, wait so long for what is out, and record it."""
        until = time.monotonic() + seconds
        self.apart.tell()
        self.deliverer.close(seconds)
        self.apart.close(max(0.0, until - time.monotonic()))


def main() -> None:
    """Send the suspects that are due, each alone, for `LIFE` seconds or until SIGTERM; end at once when our input does."""
    told = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: told.set())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    settings = inherited(os.environ)
    log.set_up(settings.log_level, settings.log_json)
    store, until = store_of(settings), time.monotonic() + LIFE
    owner = f"alone-{os.uname().nodename}-{os.getpid()}-{time.time_ns()}"
    hands = Deliverer(Services(settings, store), owner, now_us, connectors(now_us), alone=True, told=told.is_set)
    try:
        while not told.is_set() and time.monotonic() < until and hands.deliver_due(1):
            pass
    finally:
        hands.close()
        store.close()


def _end_with_parent() -> None:
    os.read(0, 1)  # not sys.stdin: its lock would be held when the interpreter ends
    os._exit(1)


if __name__ == "__main__":
    main()
