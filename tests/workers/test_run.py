"""The embedded worker: woken by a write, it routes by itself, survives faults and stops when told."""
from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lrs.completions.model import Course, Person
from lrs.completions.subjects import email_identifiers
from lrs.config import Settings
from lrs.errors import StoreUnavailable
from lrs.ingest.batch import accept
from lrs.ingest.prepare import Provider
from lrs.services import Services
from lrs.store.open_store import open_store
from workers import route, run
from workers.consumers import Consumer

COURSE = "https://courses.example/forklift"


@pytest.fixture
def services(tmp_path: Path) -> Services:
    made = Services(Settings(data=tmp_path), open_store(tmp_path))
    made.store.directory.put_courses([Course(COURSE)])
    made.store.directory.put_people([Person("7", "ada@example.com", identifiers=tuple(email_identifiers("ada@example.com")))])
    return made


@pytest.fixture
def running(services: Services, tmp_path: Path) -> Iterator[threading.Thread]:
    stop = threading.Event()
    thread = threading.Thread(target=run.run_forever, args=(Services(services.settings, open_store(tmp_path)), stop))
    thread.start()
    yield thread
    stop.set()
    thread.join(15)
    assert not thread.is_alive()


def send(services: Services) -> None:
    one = {"id": str(uuid.uuid4()), "actor": {"mbox": "mailto:ada@example.com"}, "object": {"id": COURSE},
           "verb": {"id": "http://adlnet.gov/expapi/verbs/completed"}}
    authority = {"account": {"homePage": "https://lrs.example", "name": "sim"}}
    accept(services, json.dumps(one).encode(), Provider("sim", frozenset(), "sim", authority))


def eventually(holds: Callable[[], bool], seconds: float = 10) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(0.02)
    return False


def test_a_statement_is_routed_without_anybody_calling(services: Services, running: threading.Thread) -> None:
    send(services)
    assert eventually(lambda: len(services.store.work.feed(0, 10)) == 1)


def test_a_kind_that_gathers_lets_more_come_while_little_is_done_and_goes_on_at_once_while_there_is_much() -> None:
    done = iter([3, 99, 100, 500, 1])
    waited: list[tuple[int, float]] = []

    class Stop(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waited.append((slices[-1], timeout or 0.0))
            return self.is_set()

    stop, slices = Stop(), []

    def slice_() -> int:
        slices.append(next(done))
        if slices[-1] == 1:
            stop.set()
        return slices[-1]

    store = type("Store", (), {"version": staticmethod(lambda: 0)})
    pulse = type("Pulse", (), {"at": staticmethod(lambda name: None)})
    consumer = Consumer("route", lambda services, owner, told: slice_, gathers=100)
    run._loop(consumer, type("Services", (), {"store": store}), "me", stop, pulse)  # type: ignore[arg-type]
    assert waited == [(3, run.POLL_SECONDS), (99, run.POLL_SECONDS), (1, run.POLL_SECONDS)]


def test_a_store_that_fails_for_a_while_is_tried_again(services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "BACKOFF_SECONDS", 0.05)
    real, failed = route.route_once, []

    def twice_broken(of: Services, *more: int) -> object:
        if len(failed) < 2:
            failed.append(1)
            raise StoreUnavailable("disk I/O error") if len(failed) == 1 else ValueError("a bug")
        return real(of, *more)

    monkeypatch.setattr(route, "route_once", twice_broken)
    stop = threading.Event()
    thread = threading.Thread(target=run.run_forever, args=(Services(services.settings, open_store(tmp_path)), stop))
    thread.start()
    try:
        send(services)
        assert eventually(lambda: len(services.store.work.feed(0, 10)) == 1)
    finally:
        stop.set()
        thread.join(15)
    assert len(failed) == 2
    assert not thread.is_alive()
