"""A worker that is told to stop: what is on the wire ends and is recorded, what was claimed and has not begun goes back, due now."""
from __future__ import annotations

import json
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import billiard
import billiard.common
import pytest
from test_deliver import receiver, services, webhook

from lrs.config import Settings
from lrs.services import Services
from lrs.store.open_store import open_store
from lrs.store.protocols.work import Cursor, Output, Published, Wanted
from workers.connectors.base import Answer, Delivered
from workers.deliver import Deliverer
from workers.run import run_forever
from workers.told import Told

__all__ = ["receiver", "services"]  # fixtures

LEASE = 60.0


def now_us() -> int:
    return time.time_ns() // 1000


def backlog(services: Services, n: int) -> None:
    cursor = services.store.work.cursor("route")
    published = [Published("learning.completed", key, 1, json.dumps({"event": "learning.completed", "id": key, "revision": 1}).encode())
                 for key in (f"a{i}" for i in range(n))]
    output = Output((), published, [(i, "hook") for i in range(n)])
    assert services.store.work.advance("route", cursor, Cursor(cursor.seq + 1, cursor.change), output)


def rows(services: Services) -> list[Any]:
    return services.store.work.deliveries(Wanted(), 1000)


class Batches:
    """Takes rows one by one, because each shares its key with the next; what it does in the first call is the test's."""

    name, dedupes, batch_max = "webhook", True, 10

    def __init__(self, first: Any) -> None:
        self.first, self.sent = first, []

    def send_batch(self, deliveries: Any, target: Any) -> list[Answer]:
        self.sent += [one.id for one in deliveries]
        self.first()
        return [Answer(Delivered(), 200) for _ in deliveries]

    def batch_key(self, delivery: Any, target: Any) -> str:
        return "one at a time"


class Single:
    """Takes what it gets."""

    name, dedupes = "webhook", True

    def __init__(self) -> None:
        self.sent: list[str] = []

    def send(self, delivery: Any, target: Any) -> Answer:
        self.sent.append(delivery.id)
        return Answer(Delivered(), 200)


@pytest.fixture
def told() -> threading.Event:
    return threading.Event()


def hands(services: Services, told: threading.Event, connector: Any, owner: str = "told") -> Deliverer:
    return Deliverer(services, owner, now_us, {"webhook": connector}, told=told.is_set)


def test_of_a_batch_the_call_that_is_out_is_recorded_and_the_rest_is_another_workers_at_once(services, told) -> None:
    webhook(services, "http://127.0.0.1:9/")
    backlog(services, 5)
    connector = Batches(told.set)
    mine = hands(services, told, connector)
    mine()
    mine.close(5)
    assert len(connector.sent) == 1
    assert sorted(row.state for row in rows(services)) == ["delivered", *["waiting"] * 4]
    back = [row for row in rows(services) if row.state == "waiting"]
    assert {(row.due <= now_us(), row.attempts) for row in back} == {(True, 0)}
    claimed = services.store.work.claim_due(5, LEASE, "another", now_us())
    assert {one.id for one in claimed} == {row.id for row in back}
    assert not any(one.unclear for one in claimed), "nothing of it was sent: nobody need ask for it"


def test_what_was_claimed_and_whose_call_has_not_begun_goes_back_unsent(services, told) -> None:
    webhook(services, "http://127.0.0.1:9/")
    backlog(services, 3)
    connector = Single()
    mine = hands(services, told, connector)
    claimed = mine.turn([], 3)
    told.set()
    for call in claimed:
        mine._work(call)
    assert (len(claimed), connector.sent) == (3, [])
    assert [(row.state, row.due <= now_us()) for row in rows(services)] == [("waiting", True)] * 3
    mine.close()


def test_who_was_told_claims_nothing_more(services, told) -> None:
    webhook(services, "http://127.0.0.1:9/")
    backlog(services, 3)
    told.set()
    mine = hands(services, told, Batches(lambda: None))
    assert (mine(), mine.deliver_due()) == (0, 0)
    assert {row.state for row in rows(services)} == {"pending"}
    mine.close()


def test_the_embedded_worker_sends_what_is_out_to_its_end_and_nothing_after_it_was_told(services, receiver, tmp_path: Path) -> None:
    webhook(services, receiver.url, in_flight=2, timeout=5)
    backlog(services, 40)
    wait, began = threading.Event(), threading.Event()

    class Answers(list):  # type: ignore[type-arg]
        def __getitem__(self, _: Any) -> Any:
            began.set()
            wait.wait(10)
            return 200, {}, b"ok"

    receiver.answers = Answers([None])
    stop = threading.Event()
    worker = threading.Thread(target=run_forever, args=(Services(Settings(data=tmp_path, stop_seconds=20), open_store(tmp_path)), stop))
    worker.start()
    assert began.wait(20)
    stop.set()
    wait.set()
    worker.join(30)
    assert not worker.is_alive()
    states = [row.state for row in rows(services)]
    assert set(states) == {"delivered", "pending"}, "nothing is leased, so nothing waits for the end of a lease"
    assert states.count("delivered") == len(receiver.got) <= 2


def pool_process(told: Told, path: str) -> None:
    """As billiard's processes are: SIGTERM raises SystemExit wherever the code stands."""
    signal.signal(signal.SIGTERM, billiard.common._shutdown_cleanup)
    with told.deferred():
        signal.raise_signal(signal.SIGTERM)
        Path(path).write_text(f"went on, {told()}")
    Path(path).write_text("not ended")


def test_a_sigterm_in_the_middle_of_a_task_tells_the_process_and_ends_it_when_the_task_has(tmp_path: Path) -> None:
    process = billiard.get_context("fork").Process(target=pool_process, args=(Told(), str(tmp_path / "said")))
    process.start()
    process.join(20)
    assert (tmp_path / "said").read_text() == "went on, True"
    assert process.exitcode not in (None, 0)


def wait_until_told(told: Told) -> None:
    end = time.monotonic() + 20
    while not told():
        time.sleep(0.01)
        if time.monotonic() > end:
            sys.exit(1)


def test_all_processes_of_a_worker_know_at_once_that_it_was_told_to_stop() -> None:
    told = Told()
    processes = [billiard.get_context("fork").Process(target=wait_until_told, args=(told,)) for _ in range(2)]
    for process in processes:
        process.start()
    assert not told()
    told.all()
    for process in processes:
        process.join(20)
    assert ([process.exitcode for process in processes], told()) == ([0, 0], True)


def test_in_the_main_process_a_task_leaves_sigterm_alone() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with Told().deferred():
        assert signal.getsignal(signal.SIGTERM) is before
