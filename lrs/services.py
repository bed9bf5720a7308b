"""What every part of a running LRS is given: settings, store and a way to wake the consumers."""
from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lrs.config import Settings
from lrs.metrics import Metrics
from lrs.traces import Traces

if TYPE_CHECKING:
    from lrs.store.open_store import Store


def store_of(settings: Settings, *, first: bool = True) -> Store:
    """The store that these settings name, opened (see `lrs.store.open_store`): the one rule for all processes."""
    from lrs.store.open_store import open_store

    return open_store(settings.place, settings.incoming, first=first)


def nobody_to_wake() -> None:
    """The `wake` of a process beside which a worker polls the store by itself."""


def now_us() -> int:
    """µs since 1970 UTC by the machine's clock."""
    return time.time_ns() // 1000


@dataclass(frozen=True, slots=True)
class Services:
    """Built once, at the edge (`wsgi.py`, the CLI), and passed down.

    `wake` tells the consumers that something was stored. It is a hint: it never blocks, never raises, and
    nothing is lost if nobody hears it. `now_us` is the clock: µs since 1970 UTC. `metrics` counts, by default in memory;
    `traces` are sent where they are wanted.
    """

    settings: Settings
    store: Store
    wake: Callable[[], None] = nobody_to_wake
    now_us: Callable[[], int] = now_us
    metrics: Metrics = field(default_factory=Metrics)
    traces: Traces | None = None
