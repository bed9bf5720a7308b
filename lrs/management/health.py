"""What the store knows of how things stand: the reasons not to be ready, and the figures of the metrics that nobody counts."""
from __future__ import annotations

import contextlib
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from lrs.errors import StoreUnavailable
from lrs.management.check_machine import DISK_LEAST
from lrs.metrics import METRICS
from lrs.services import Services
from lrs.store.open_store import Store
from workers import partitions

SECOND = 1_000_000
SILENT_US = 30 * SECOND
"""µs without a sign of a worker after which nobody is at work."""
NEEDED = ("route", "deliver")
"""The kinds of work without which what is promised does not go on. The others may take long over one slice."""
SHARE = 50
"""What counts rows is done again no sooner than after so many times as long as it took: it never costs more than 2 %."""

Cursors = dict[str, Callable[[Store], int]]
CURSORS: Cursors = {
    "route": lambda store: partitions.routed(store).seq,
    "definitions": lambda store: store.definitions.of(())[0],
}
"""Who follows the log of statements, and how far each has come."""


def reasons(services: Services) -> list[dict[str, str]]:
    """Why this LRS is not ready, each with a code and a sentence; none when it is."""
    settings, store, now = services.settings, services.store, services.now_us()
    found: list[dict[str, str]] = []

    def say(code: str, why: str) -> None:
        found.append({"code": code, "why": why})

    try:
        free = shutil.disk_usage(settings.data).free
        if free < DISK_LEAST:
            say("disk_full", f"{free // 2**20} MiB are free where {settings.data} is; at least {DISK_LEAST // 2**20} are needed")
    except OSError as fault:
        say("disk_unreadable", f"{settings.data} cannot be looked at: {fault.strerror}")
    try:
        store.statements.consistent_through()
        for consumer, age in lags(store, now).items():
            if age > settings.ready_lag_seconds:
                say("behind", f"{consumer} has not read statements that are {age:.0f} s old; the limit ready_lag_seconds is "
                              f"{settings.ready_lag_seconds}")
        silent = silences(store, now)
        for consumer in NEEDED:
            if consumer not in silent:
                say("no_worker", f"no worker was ever seen at {consumer}")
            elif silent[consumer] * SECOND > SILENT_US:
                say("worker_silent", f"no worker was seen at {consumer} for {silent[consumer]:.0f} s")
    except StoreUnavailable as fault:
        say("store_unavailable", f"the store does not answer: {fault}")
    return found


def lags(store: Store, now: int) -> dict[str, float]:
    """The age, s, of the oldest statement that each consumer has not read; 0 where it has read all."""
    found: dict[str, float] = {}
    for consumer, cursor in CURSORS.items():
        first = store.statements.follow(cursor(store), 1)
        found[consumer] = max(0.0, (now - first[0].seq) / SECOND) if first else 0.0
    return found


def silences(store: Store, now: int) -> dict[str, float]:
    """Seconds since any worker was seen at each kind of work at which one ever was."""
    latest: dict[str, int] = {}
    for one in store.heartbeats.list():
        latest[one.consumer] = max(one.at, latest.get(one.consumer, 0))
    return {consumer: max(0.0, (now - at) / SECOND) for consumer, at in latest.items()}


class Standing(Collector):
    """The metrics that the store knows, read from it when asked. One an app: it remembers what is costly to count."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._mutex = threading.Lock()
        self._counted: dict[str, Any] = {}
        self._next = 0.0

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        """The families. Where the store does not answer: that, and what else is known without it. Never raises."""
        services = self._services
        try:
            free = shutil.disk_usage(services.settings.data).free
            yield _family("lrs_disk_free_bytes", {(): free})
        except OSError:
            pass
        yield _family("lrs_ready", {(): not reasons(services)})
        try:
            figures = self._figures()
        except StoreUnavailable:
            yield _family("lrs_store_up", {(): 0})
            return
        yield _family("lrs_store_up", {(): 1})
        for name, values in figures.items():
            yield _family(name, values)

    def _figures(self) -> dict[str, dict[tuple[str, ...], float]]:
        store, now = self._services.store, self._services.now_us()
        targets = store.work.targets()
        due = {target.name: store.work.oldest_due(target.name, now) for target in targets if target.state == "active"}
        return {
            **self._counts(),
            "lrs_events_total": {(): store.work.feed_length()},
            "lrs_consumer_lag_seconds": _by(lags(store, now)),
            "lrs_oldest_due_seconds": _by({name: (now - at) / SECOND if at is not None else 0.0 for name, at in due.items()}),
            "lrs_breaker_open": _by({target.name: target.health.open_until > now for target in targets}),
            "lrs_target_active": _by({target.name: target.state == "active" for target in targets}),
            "lrs_worker_silent_seconds": _by(silences(store, now)),
        }

    def _counts(self) -> dict[str, dict[tuple[str, ...], float]]:
        """What reads many rows."""
        store = self._services.store
        with self._mutex:
            if time.monotonic() >= self._next:
                began = time.monotonic()
                states = dict.fromkeys(("pending", "leased", "waiting", "parked", "delivered", "dead", "cancelled"), 0)
                with contextlib.suppress(StoreUnavailable):  # very many are not counted in the time of a call: what was known stands
                    self._counted = {
                        "lrs_statements_total": {(): store.statements.count()},
                        "lrs_consumer_lag_statements": _by(
                            {name: store.statements.count_after(cursor(store)) for name, cursor in CURSORS.items()}),
                        "lrs_deliveries": _by({**states, **store.work.count_by_state()}),
                        "lrs_parked_subjects": {(): store.work.count_held()},
                    }
                ended = time.monotonic()
                self._next = ended + SHARE * (ended - began)
            return self._counted


def _by(values: dict[str, Any]) -> dict[tuple[str, ...], float]:
    return {(name,): float(value) for name, value in values.items()}


def _family(name: str, values: dict[Any, Any]) -> CounterMetricFamily | GaugeMetricFamily:
    row = METRICS[name]
    kind = CounterMetricFamily if row.kind == "counter" else GaugeMetricFamily
    family: CounterMetricFamily | GaugeMetricFamily = kind(name, row.sentence, labels=row.labels)
    for labels, value in values.items():
        family.add_metric(labels, float(value))
    return family
