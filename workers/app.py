"""The Celery app: tasks that run the very functions of the embedded worker; a message is only an alarm clock."""
from __future__ import annotations

import contextlib
import fcntl
import gc
import logging
import os
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import click
from celery import Celery, Task, signals

from lrs import log, traces
from lrs.config import BadSetting, Settings, file_of, load
from lrs.errors import StoreUnavailable
from lrs.metrics import Metrics
from lrs.services import Services, now_us, store_of
from workers import lost_channel
from workers.broker import Bell, configuration, task_name
from workers.consumers import CONSUMERS, Consumer, Work, places
from workers.pulse import Pulse
from workers.told import Told

app = Celery("concord-lrs")

TURN_SECONDS = 20.0
"""After this long a task ends and rings for the next one: no message is held for long."""

BACKOFF_SECONDS = 2.0
"""Pause after a fault, in which messages are taken and nothing is tried."""

LINGER_SECONDS = 0.05
"""Pause between two looks of one who lingers: a target whose rate is used up has tokens again in a moment, and the beat, once a
second, would give it no more than its burst each time."""

_log = logging.getLogger("workers")
_not_before: dict[str, float] = {}
_works: dict[str, Work] = {}


@cache
def settings() -> Settings:
    """The settings of this process (`LRS_*`, `lrs.toml`). Wrong ones end Celery's command with a sentence."""
    try:
        found = load(os.environ, file_of(os.environ))
        if not found.broker_url:
            raise BadSetting("broker_url (LRS_BROKER_URL) is not set: Celery needs the broker's address, such as redis://127.0.0.1:6379/0")
    except BadSetting as fault:
        raise click.ClickException(str(fault)) from None
    return found


app.add_defaults(lambda: configuration(settings().broker_url, settings().route_partitions))


@cache
def services() -> Services:
    """The process's services, opened by its first task."""
    found = settings()
    return Services(found, store_of(found), metrics=Metrics(found.data / "metrics"), traces=traces.opened(found.otel_endpoint))


@cache
def _pulse() -> Pulse:
    return Pulse(services().store.heartbeats, _owner(), now_us)


def _owner() -> str:
    return f"celery-{os.uname().nodename}-{os.getpid()}-{time.time_ns()}"


@cache
def _told() -> Told:
    return Told()


@cache
def _bell() -> Bell:
    return Bell(app)


def _work(name: str) -> Work:
    if name not in _works:
        _works[name] = CONSUMERS[name].start(services(), _owner(), _told())
    return _works[name]


@contextlib.contextmanager
def slot_of(consumer: Consumer, data: Path, partitions: int = 1) -> Iterator[bool]:
    """Hold one of the places at this kind of work; False if all are taken. The kernel frees it when a worker dies."""
    for number in range(places(consumer, partitions)):
        with (data / f"{consumer.name}-{number}.working").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield True
            return
    yield False


def run(consumer: Consumer) -> None:
    """Do this kind of work until nothing is left, or for `TURN_SECONDS`, or until this worker is told to stop. Ends at once
    where others are at it."""
    if time.monotonic() < _not_before.get(consumer.name, 0.0):
        return
    with _told().deferred():
        _run(consumer)


def _run(consumer: Consumer) -> None:
    try:
        with slot_of(consumer, settings().data, settings().route_partitions) as free:
            if not free:
                return
            _pulse().at(consumer.name)
            _pulse().tell()
            left = _turn(consumer, _work(consumer.name))
        if left:
            _ring(consumer.name)
    except StoreUnavailable as fault:
        _not_before[consumer.name] = time.monotonic() + BACKOFF_SECONDS
        _log.warning("%s: %s; again in %.0f s", consumer.name, fault, BACKOFF_SECONDS)
    except Exception:
        # the beat brings it back; a fault that stays must not fill the log
        _not_before[consumer.name] = time.monotonic() + BACKOFF_SECONDS
        _log.exception("%s failed; again in %.0f s", consumer.name, BACKOFF_SECONDS)


def _turn(consumer: Consumer, work: Work) -> bool:
    """Work until nothing is left; where more may come due in a moment, look for it until the beat would. Whether something may
    be left, for another task or another worker."""
    end, last = time.monotonic() + TURN_SECONDS, 0.0
    while (now := time.monotonic()) < end and not _told()():
        if work():
            last = now
            if consumer.rings:
                _ring(consumer.rings)
        elif consumer.lingers and now < last + consumer.every:
            time.sleep(LINGER_SECONDS)
        else:
            return False
    return True


def _ring(name: str) -> None:
    try:
        _bell().ring(name)
    except Exception as fault:
        _log.warning("the broker does not answer (%s); the beat rings when it is back", fault)


def _task(consumer: Consumer) -> Task:
    def task() -> None:
        run(consumer)
    return app.task(task, name=task_name(consumer.name))


TASKS = {name: _task(consumer) for name, consumer in CONSUMERS.items()}


@signals.setup_logging.connect
def _log_as_we_do(**_: Any) -> None:
    log.set_up(settings().log_level, settings().log_json)
    for noisy in ("celery.worker.strategy", "celery.app.trace"):  # a line for every alarm clock
        logging.getLogger(noisy).setLevel(logging.WARNING)


@signals.worker_init.connect
def _begin(**_: Any) -> None:
    _told()  # before the processes are made that are to know of it
    lost_channel.mend()
    with contextlib.suppress(ImportError):
        import cffi

        cffi.FFI()  # else billiard loads a parser of C in each process after its fork, to have it end with this one
    # billiard looks through everything for garbage before each fork
    gc.collect()
    gc.freeze()


@signals.worker_shutting_down.connect
def _tell(**_: Any) -> None:
    """Told to stop: tasks end after what is on the wire, and not with their turn."""
    _told().all()


@signals.worker_process_shutdown.connect
def _close(**_: Any) -> None:
    """Let end what is under way, a slow call to a target for one, and record it."""
    for work in _works.values():
        if close := getattr(work, "close", None):
            close(settings().stop_seconds / 2)
    if services.cache_info().currsize:
        if known := services().traces:
            known.close()
        services().store.close()
