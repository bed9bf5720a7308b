"""Workers that are told to stop, and workers that come and go under load: nothing waits for a lease, nothing comes twice."""
from __future__ import annotations

import json
import signal
import sqlite3
import threading
import time

import psutil
import pytest
from celery_site import Site
from real_parts import until

from lrs.store.protocols.work import Wanted

pytestmark = pytest.mark.slow


@pytest.fixture
def site(tmp_path):
    made = Site(tmp_path)
    yield made
    made.stop()


def test_what_is_still_under_way_when_the_grace_is_over_goes_back_at_once_under_its_id(site, receiver):
    (site.folder / "lrs.toml").write_text("stop_seconds = 2\n")
    site.store.work.add_target(receiver.target("slow", timeout=60))  # its leases last for three and a half minutes
    receiver.hold.clear()
    worker = site.worker("stopped")
    worker.ready(lambda: "ready." in worker.log.read_text(errors="replace"), 60)
    assert site.post(site.client(), 3) == 200
    until(lambda: receiver.came, 20, "the receiver has the request")
    assert worker.stop(seconds=60) in (0, 1)
    (delivery,) = site.store.work.deliveries(Wanted(target="slow"), 10)
    assert (delivery.state, delivery.due <= time.time_ns() // 1000) == ("waiting", True)
    receiver.hold.set()
    site.worker("successor")
    site.celery("beat", "beat")
    until(lambda: site.store.work.deliveries(Wanted(target="slow", state="delivered"), 10), 60, "the next worker delivers it")
    assert {one.id for one in receiver.came} == {delivery.id}


def test_workers_that_come_and_go_under_load_lose_and_double_nothing(site):
    web, posted, stop = site.client(), [], threading.Event()

    def load():
        for person in range(190):
            if stop.wait(0.1):
                return
            assert site.post(web, person) == 200
            posted.append(person)

    def up(name, *words):
        worker = site.celery(name, "worker", "-n", name, *words)
        worker.ready(lambda: "ready." in worker.log.read_text(errors="replace"), 60)
        return worker

    def moves():
        before = len(site.received())
        until(lambda: len(site.received()) > before or len(posted) == 190, 30, "deliveries go on")

    site.celery("beat", "beat")
    first = up("first", "--autoscale=7,1")
    thread = threading.Thread(target=load, daemon=True)
    thread.start()
    moves()
    second = up("second", "-c", "3")
    assert first.stop(seconds=60) in (0, 1)
    moves()
    third = up("third", "--autoscale=7,1")
    assert second.stop(seconds=60) in (0, 1)
    moves()
    thread.join(60)
    until(lambda: site.came(*posted), 40, "all are delivered")
    assert len(posted) == 190
    assert {person: failed(site, person) for person, times in site.received().items() if times > 1} == {}
    assert third.stop(seconds=60) in (0, 1)
    assert site.store.work.count_by_state() == {"delivered": 190}


def test_who_is_told_to_stop_ends_what_is_on_the_wire_and_the_rest_is_the_next_ones_at_once(site, receiver):
    site.store.work.set_target_state("hook", "paused", "not of this test")
    site.store.work.add_target(receiver.target("backlog", in_flight=4, timeout=60))  # leases of three and a half minutes
    receiver.seconds = 0.3
    first = site.worker("first")
    first.ready(lambda: "ready." in first.log.read_text(errors="replace"), 60)
    site.celery("beat", "beat")
    body = json.dumps([json.loads(site.completion(person)[0]) for person in range(120)])
    assert site.client().post("/xapi/statements", data=body, headers=site.completion(0)[1]).status_code == 200
    mine = {process.pid for process in psutil.Process(first.process.pid).children()}
    until(lambda: held(site, mine), 40, "the first one is at it")
    first.process.terminate()
    until(lambda: not held(site, mine), 5, "what was out has ended: long before its turn is over")
    while first.process.poll() is None:
        assert not held(site, mine), "it takes nothing more"
        time.sleep(0.05)
    left = [row for row in site.store.work.deliveries(Wanted(target="backlog"), 200) if row.state != "delivered"]
    assert left, "it did not wait for the backlog"
    assert all(row.state in ("pending", "waiting") and row.due <= time.time_ns() // 1000 for row in left), "and the rest is due"
    site.worker("second")
    until(lambda: len(receiver.people()) >= 120, 60, "the next one delivers the rest")
    until(lambda: len(site.store.work.deliveries(Wanted(target="backlog", state="delivered"), 200)) == 120, 20, "and records it")
    assert len(receiver.came) == 120, "each came once"


def test_a_pool_process_that_autoscaling_ends_at_any_moment_leaves_nothing_to_a_lease(site, receiver):
    site.store.work.set_target_state("hook", "paused", "not of this test")
    site.store.work.add_target(receiver.target("scaled", timeout=60))
    receiver.seconds = 0.05
    worker = site.celery("scaled", "worker", "-n", "scaled", "-Q", "lrs.route,lrs.deliver", "-c", "3")
    worker.ready(lambda: "ready." in worker.log.read_text(errors="replace"), 60)
    site.celery("beat", "beat")
    body = json.dumps([json.loads(site.completion(person)[0]) for person in range(190)])
    assert site.client().post("/xapi/statements", data=body, headers=site.completion(0)[1]).status_code == 200
    for part in range(1, 7):
        until(lambda part=part: len(receiver.came) >= 25 * part, 60, "deliveries go on")
        for process in psutil.Process(worker.process.pid).children():
            if process.status() != psutil.STATUS_ZOMBIE and (part % 2 or held(site, {process.pid})):
                process.terminate()  # what `--autoscale` does to who is idle, or was a moment ago
    until(lambda: len(set(receiver.people())) == 190, 90, "all are delivered")
    until(lambda: len(site.store.work.deliveries(Wanted(target="scaled", state="delivered"), 200)) == 190, 20, "and recorded")
    assert len(receiver.came) == 190, "each came once"
    with sqlite3.connect(site.data / "work.db") as db:
        assert db.execute("SELECT count(*) FROM deliveries WHERE lost > 0").fetchone() == (0,), "none was left to its lease"


def test_a_worker_that_is_told_to_stop_while_redis_is_away_stops(site):
    worker = site.worker("alone")
    worker.ready(lambda: "ready." in worker.log.read_text(errors="replace"), 60)
    site.redis.part.stop(signal.SIGKILL)
    time.sleep(3)  # until it has met the loss, and tries to connect
    began = time.monotonic()
    assert worker.stop(seconds=90) in (0, 1)
    assert time.monotonic() - began < 60


def failed(site, person):
    """What became of the attempts at this person's delivery before the last."""
    (row,) = site.store.work.deliveries(Wanted(target="hook", person=person), 10)
    return [one.why for one in site.store.work.attempts(row.id)]


def held(site, pids):
    """How many deliveries are leased to these processes."""
    with sqlite3.connect(site.data / "work.db", timeout=30) as db:
        return sum(int(owner.split("-")[-2]) in pids for (owner,) in db.execute("SELECT owner FROM deliveries WHERE state = 'leased'"))
