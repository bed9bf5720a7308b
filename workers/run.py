"""The embedded worker: routes, delivers and keeps house in a loop, woken by the store's own change counter."""
from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable

from lrs.errors import StoreUnavailable
from lrs.services import Services
from workers.connectors.registry import connectors
from workers.deliver import deliver_once
from workers.route import route_once

log = logging.getLogger("workers")
POLL_SECONDS = 0.05
"""`PRAGMA data_version` costs 4 µs: asking twenty times a second is cheaper than any message."""
IDLE_SECONDS = 1.0
"""The longest sleep: deliveries come due by time, not by a write."""
CHECKPOINT_SECONDS = 5.0
BACKOFF_SECONDS = 2.0


def run_forever(services: Services, stop: threading.Event) -> None:
    """Run until `stop` is set. Deliveries have a thread of their own, so that a slow target never slows routing."""
    known, owner = connectors(now_us), f"worker-{os.getpid()}-{time.time_ns()}"
    # this is the only worker of the store: leases of another owner are a dead one's
    repeatable = [target.name for target in services.store.work.targets()
                  if target.connector in known and known[target.connector].dedupes]
    services.store.work.expire_leases(repeatable, owner, now_us())
    threads = [
        threading.Thread(target=_loop, args=(name, work, services, stop), name=name, daemon=True)
        for name, work in (
            ("route", lambda: _route(services)),
            ("deliver", lambda: deliver_once(services, now_us, known, owner=owner)),
            ("upkeep", lambda: _upkeep(services)),
        )
    ]
    for thread in threads:
        thread.start()
    stop.wait()
    for thread in threads:
        thread.join(services.settings.stop_seconds)


def now_us() -> int:
    """µs since 1970 UTC."""
    return time.time_ns() // 1000


def _route(services: Services) -> int:
    routed = route_once(services)
    return routed.statements + routed.changes + routed.lost


def _upkeep(services: Services) -> int:
    """Merge young index rows and write left-over reference rows, in short slices; returns what was done."""
    return services.store.statements.merge_postings() + services.store.statements.do_shadow_todo()


def _loop(name: str, work: Callable[[], int], services: Services, stop: threading.Event) -> None:
    statements, rest = services.store.statements, services.store.work
    checkpointed = time.monotonic()
    while not stop.is_set():
        try:
            seen = (statements.data_version(), rest.data_version())
            done = work()
            if name == "upkeep" and time.monotonic() - checkpointed > CHECKPOINT_SECONDS:
                checkpointed = time.monotonic()
                for file in services.store.files:
                    file.checkpoint()
            until = time.monotonic() + IDLE_SECONDS
            while not done and not stop.is_set() and time.monotonic() < until and (
                    name == "upkeep" or seen == (statements.data_version(), rest.data_version())):
                stop.wait(POLL_SECONDS)
        except StoreUnavailable as error:
            log.warning("%s: %s; again in %.0f s", name, error, BACKOFF_SECONDS)
            stop.wait(BACKOFF_SECONDS)
        except Exception:
            # one bad statement must not end the worker for all others; the loop says so and goes on trying
            log.exception("%s failed; again in %.0f s", name, BACKOFF_SECONDS)
            stop.wait(BACKOFF_SECONDS)
