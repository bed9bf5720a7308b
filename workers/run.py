"""The embedded worker: does the work of the table in a loop, woken by the store's own change counter."""
from __future__ import annotations

import logging
import os
import threading
import time

from lrs.errors import StoreUnavailable
from lrs.services import Services, now_us
from workers.connectors.registry import connectors
from workers.consumers import CONSUMERS, Consumer, Work
from workers.pulse import EVERY, Pulse

log = logging.getLogger("workers")
POLL_SECONDS = 0.05
"""Files are asked for 4 µs (`PRAGMA data_version`), a server no more often than it bears: cheaper than any message."""
BACKOFF_SECONDS = 2.0


def run_forever(services: Services, stop: threading.Event) -> None:
    """Run until `stop` is set. Each kind of work has a thread of its own, so that a slow target never slows routing."""
    owner = f"worker-{os.uname().nodename}-{os.getpid()}-{time.time_ns()}"
    if not services.store.shared:
        _take_over(services, owner)
    pulse = Pulse(services.store.heartbeats, owner, now_us)
    threads = [threading.Thread(target=_loop, args=(consumer, services, owner, stop, pulse), name=consumer.name, daemon=True)
               for consumer in CONSUMERS.values()]
    for thread in threads:
        thread.start()
    beating = False
    while not stop.wait(EVERY if beating else POLL_SECONDS):
        try:
            pulse.tell()
            beating = True
        except StoreUnavailable as error:
            log.warning("heartbeat: %s", error)
    for thread in threads:
        thread.join(services.settings.stop_seconds)


def _take_over(services: Services, owner: str) -> None:
    """This is the only worker of the store: leases of another owner are a dead one's."""
    known = connectors(now_us)
    repeatable = [target.name for target in services.store.work.targets()
                  if target.connector in known and known[target.connector].dedupes]
    services.store.work.expire_leases(repeatable, owner, now_us())


def _loop(consumer: Consumer, services: Services, owner: str, stop: threading.Event, pulse: Pulse) -> None:
    version, name = services.store.version, consumer.name
    work: Work | None = None
    while not stop.is_set():
        pulse.at(name)
        try:
            work = work or consumer.start(services, owner, stop.is_set)
            seen = version()
            done = work()
            if 0 < done < consumer.gathers:
                stop.wait(POLL_SECONDS)
            until = time.monotonic() + consumer.every
            while not done and not stop.is_set() and time.monotonic() < until and (
                    not consumer.woken or seen == version()):
                stop.wait(POLL_SECONDS)
                pulse.at(name)
        except StoreUnavailable as error:
            log.warning("%s: %s; again in %.0f s", name, error, BACKOFF_SECONDS)
            stop.wait(BACKOFF_SECONDS)
        except Exception:
            # one bad statement must not end the worker for all others; the loop says so and goes on trying
            log.exception("%s failed; again in %.0f s", name, BACKOFF_SECONDS)
            stop.wait(BACKOFF_SECONDS)
    if close := getattr(work, "close", None):
        close(services.settings.stop_seconds / 2)
