"""Workers that are told to stop, and workers that come and go under load: nothing waits for a lease, nothing comes twice."""
from __future__ import annotations

import threading
import time

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
    assert set(site.received().values()) == {1}
    assert third.stop(seconds=60) in (0, 1)
    assert site.store.work.count_by_state() == {"delivered": 190}
