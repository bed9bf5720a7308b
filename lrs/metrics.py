"""What processes count: requests, refusals, attempts. Kept in files that every process maps, so that any of them answers for all."""
from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest, multiprocess, values
from prometheus_client.registry import Collector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""The variable by which prometheus-client finds the folder."""
HOST = socket.gethostname().replace("_", "-")[:60]
ROOM = 2**20
"""Bytes of a file of counts; some 5 000 of them."""
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
RULES_MOST = 500
"""Rules that are counted by name; a rule beyond them, which no code of ours should make, is counted as `other`."""
REQUEST_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
ATTEMPT_BUCKETS = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)

_log = logging.getLogger("lrs.metrics")


@dataclass(frozen=True, slots=True)
class Metric:
    """A line of the table: name as Prometheus shows it, kind, labels, what it says, and who knows it."""

    name: str
    kind: str
    labels: tuple[str, ...]
    sentence: str
    known: str = "store"


METRICS: dict[str, Metric] = {one.name: one for one in (
    Metric("lrs_requests_total", "counter", ("route", "method", "status"), "Requests answered.", "processes"),
    Metric("lrs_request_seconds", "histogram", ("route", "method"),
           "Time from a request's last byte to its answer, waiting for a thread included.", "processes"),
    Metric("lrs_rejections_total", "counter", ("rule",),
           "Refused requests by broken rule; a request that breaks several counts once for each, one without a rule by its code.",
           "processes"),
    Metric("lrs_attempts_total", "counter", ("target", "outcome"),
           "Attempts at targets by what became of the delivery: delivered, waiting (again later), parked, dead, cancelled.", "processes"),
    Metric("lrs_attempt_seconds", "histogram", ("target",), "Time that a target took to answer an attempt.", "processes"),
    Metric("lrs_statements_total", "counter", (), "Statements stored, voided ones included."),
    Metric("lrs_events_total", "counter", (), "Events published to the feed."),
    Metric("lrs_consumer_lag_seconds", "gauge", ("consumer",),
           "Age of the oldest statement that the consumer has not read; 0: none waits."),
    Metric("lrs_consumer_lag_statements", "gauge", ("consumer",), "Statements that the consumer has not read."),
    Metric("lrs_oldest_due_seconds", "gauge", ("target",), "How long the longest due delivery of the target has been due; 0: none is due."),
    Metric("lrs_deliveries", "gauge", ("state",), "Deliveries by state."),
    Metric("lrs_parked_subjects", "gauge", (), "Achievements that wait until their learner is known to the directory."),
    Metric("lrs_breaker_open", "gauge", ("target",), "1 while the target is left alone after failures in a row."),
    Metric("lrs_target_active", "gauge", ("target",), "1 for an active target, 0 for one that is paused or disabled."),
    Metric("lrs_worker_silent_seconds", "gauge", ("consumer",), "Time since any worker was last seen at this kind of work."),
    Metric("lrs_disk_free_bytes", "gauge", (), "Bytes free where the data directory is."),
    Metric("lrs_ready", "gauge", (), "1 when /health/ready answers 200."),
    Metric("lrs_store_up", "gauge", (), "1 when the store answered this scrape; else what it knows is left out."),
)}


def markdown() -> str:
    """The table of metrics as `docs/metrics.md` holds it."""
    lines = [
        "# Metrics",
        "",
        "`GET /metrics` answers in Prometheus' text format. *Store*: read from the store when asked, so it is right whichever process",
        "answers. *Processes*: counted by web and workers and summed over all of them, since the last start of `lrs serve`. Who may",
        "ask, and what to do when an alert fires: [alerts.md](alerts.md). The rules are in `deploy/prometheus/alerts.yml`, a dashboard",
        "for Grafana in `deploy/grafana/dashboard.json`.",
        "",
        "| metric | type | labels | from | meaning |",
        "|---|---|---|---|---|",
    ]
    for one in METRICS.values():
        labels = ", ".join(f"`{label}`" for label in one.labels) or "—"
        lines.append(f"| `{one.name}` | {one.kind} | {labels} | {one.known} | {one.sentence} |")
    return "\n".join(lines) + "\n"


_making = threading.Lock()


@dataclass
class Metrics:
    """The counters of this process; `folder` None keeps them in memory. Thread-safe; to count costs a few µs and never raises.

    Every process that counts into a folder has files of its own there, by host and process id: a container's ids are not
    its neighbour's. A process killed at any instant loses no count.
    """

    folder: Path | None = None
    _registry: CollectorRegistry = field(init=False)

    def __post_init__(self) -> None:
        self._registry = CollectorRegistry()
        if self.folder is not None:
            try:
                self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                _room(self.folder, _identity())
            except OSError as fault:
                _log.warning("what is counted stays in this process: %s", fault)
                self.folder = None
        self._kind: Any = values.MutexValue if self.folder is None else _in_files(str(self.folder))
        with _making:
            values.ValueClass = self._kind
            self._requests: Any = self._make(Counter, "lrs_requests_total")
            self._request_seconds: Any = self._make(Histogram, "lrs_request_seconds", buckets=REQUEST_BUCKETS)
            self._rejections: Any = self._make(Counter, "lrs_rejections_total")
            self._attempts: Any = self._make(Counter, "lrs_attempts_total")
            self._attempt_seconds: Any = self._make(Histogram, "lrs_attempt_seconds", buckets=ATTEMPT_BUCKETS)
        # labels() checks and sorts what it is given, each time
        self._request_of: dict[tuple[str, str, int], tuple[Callable[[], None], Callable[[float], None]]] = {}
        self._rejection_of: dict[str, Callable[[], None]] = {}
        self._attempt_of: dict[tuple[str, str], tuple[Callable[[], None], Callable[[float], None]]] = {}

    def _make(self, kind: type[Counter] | type[Histogram], name: str, **options: Any) -> Any:
        row = METRICS[name]
        return kind(name, row.sentence, row.labels, registry=self._registry, **options)

    def _of(self, metric: Any, *labels: str) -> Any:
        """The metric with these labels. prometheus-client looks up where its values live when it makes them."""
        with _making:
            values.ValueClass = self._kind
            return metric.labels(*labels)

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """A request was answered."""
        known = self._request_of.get((route, method, status))
        if known is None:
            named = method if method in METHODS else "other"
            known = (self._of(self._requests, route, named, str(status)).inc, self._of(self._request_seconds, route, named).observe)
            self._request_of[route, named, status] = known
        known[0]()
        known[1](seconds)

    def rejected(self, rules: Iterable[str]) -> None:
        """A request was refused, for each of these once."""
        for rule in rules:
            known = self._rejection_of.get(rule)
            if known is None:
                named = rule if len(self._rejection_of) < RULES_MOST else "other"
                known = self._of(self._rejections, named).inc
                if named == rule:
                    self._rejection_of[rule] = known
            known()

    def attempted(self, target: str, outcome: str, seconds: float) -> None:
        """An attempt at a target ended so."""
        known = self._attempt_of.get((target, outcome))
        if known is None:
            known = (self._of(self._attempts, target, outcome).inc, self._of(self._attempt_seconds, target).observe)
            self._attempt_of[target, outcome] = known
        known[0]()
        known[1](seconds)

    def exposed(self, others: Collector) -> bytes:
        """What all processes have counted, and what `others` collects, in Prometheus' text format."""
        asked = CollectorRegistry()
        asked.register(others)
        counted = self._registry
        if self.folder is not None:
            counted = CollectorRegistry()
            multiprocess.MultiProcessCollector(counted, str(self.folder))  # type: ignore[no-untyped-call]
        return generate_latest(counted) + generate_latest(asked)


@lru_cache
def _in_files(folder: str) -> Any:
    """The class of values that live in this folder. One a process and folder: its files must not be mapped twice."""
    made_for = os.getpid()

    def identity() -> str:
        nonlocal made_for
        if made_for != os.getpid():  # after a fork
            made_for = os.getpid()
            with contextlib.suppress(OSError):
                _room(Path(folder), _identity())
        return _identity()

    made: Any = values.MultiProcessValue(identity)

    def value(*args: Any, **named: Any) -> Any:
        os.environ[FOLDER] = folder
        return made(*args, **named)

    # what prometheus-client asks of the class
    value._multiprocess = True  # type: ignore[attr-defined]
    return value


def _identity() -> str:
    return f"{HOST}-{os.getpid()}"


def _room(folder: Path, identity: str) -> None:
    """Have the disk give the room of this process's files now: a full disk ends a process that writes to a hole in a mapped
    file. Raises OSError where it does not."""
    for kind in ("counter", "histogram"):
        with (folder / f"{kind}_{identity}.db").open("ab") as file:
            os.posix_fallocate(file.fileno(), 0, ROOM)


def cleared(folder: Path) -> None:
    """Forget what processes counted that are gone: their names may come again. Call it where no other process of this LRS
    on this host can be alive but those whose ids are in use."""
    for file in folder.glob("*.db"):
        name = file.stem.partition("_")[2]
        pid = name.rpartition("-")[2]
        if name.startswith(f"{HOST}-") and pid.isdigit() and not _alive(int(pid)):
            file.unlink(missing_ok=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
