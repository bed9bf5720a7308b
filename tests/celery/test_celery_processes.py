"""Two workers and two beats on a real Redis: what is posted arrives at once, once, whatever becomes of the broker."""
from __future__ import annotations

import statistics
import sys
import time
from dataclasses import replace

import httpx
import psutil
import pytest
from real_parts import Part, Toxiproxy, free_port, until

from lrs.config import load
from lrs.management.check import check
from workers.broker import Bell, client, queue_name

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def running(site):
    workers = [site.worker("w1"), site.worker("w2")]
    beats = [site.celery(f"beat{n}", "beat") for n in (1, 2)]
    for worker in workers:
        worker.ready(lambda worker=worker: "ready." in worker.log.read_text(errors="replace"), 60)
    yield site
    for part in (*beats, *workers):
        # 1: kombu acknowledges a last message over a connection that Celery has closed; the message comes again
        assert part.stop() in (0, 1), part.log.read_text(errors="replace")[-3000:]
        # a fault of our own; that Redis went away is told by Celery as a warning
        assert "ERROR   workers" not in part.log.read_text(errors="replace")


def test_a_statement_is_delivered_within_moments_of_its_post(running):
    web = running.client()
    assert running.post(web, 0) == 200
    until(lambda: running.came(0), 30, "the first one, whatever the processes had to open")
    took = []
    for person in range(1, 6):
        began = time.monotonic()
        assert running.post(web, person) == 200
        until(lambda person=person: running.came(person), 10, f"person {person} is delivered")
        took.append(time.monotonic() - began)
    print(f"post to receiver: {sorted(round(one, 3) for one in took)} s")
    # the beat alone would need half a second on average for routing and as much for delivering
    assert statistics.median(took) < 1


def test_two_workers_and_two_beats_deliver_each_event_once(running):
    web, people = running.client(), range(10, 70)
    assert {running.post(web, person) for person in people} == {200}
    until(lambda: running.came(*people), 30, "all are delivered")
    until(lambda: not running.store.work.count_by_state().keys() - {"delivered"}, 10, "nothing is owed")
    assert set(running.received().values()) == {1}


def test_with_redis_stopped_a_post_is_answered_and_delivered_once_when_it_is_back(running):
    web = running.client()
    assert running.post(web, 80) == 200
    running.redis.stop()
    assert {running.post(web, person) for person in range(81, 86)} == {200}
    assert not running.came(81)
    running.redis.start()
    until(lambda: running.came(*range(80, 86)), 40, "all are delivered")
    assert set(running.received().values()) == {1}


def test_the_check_says_whether_a_worker_answers(running):
    settings = load({"LRS_DATA": str(running.data), "LRS_BROKER_URL": running.redis.url})
    assert check(settings).findings["broker"] == []
    nobody = replace(settings, broker_url=running.redis.url.replace("/0", "/9"))
    assert ["no worker does" in one.what for one in check(nobody).findings["broker"]] == [True]


def test_with_a_broker_lrs_serve_leaves_the_work_to_celery(running):
    port = free_port()
    served = Part([sys.executable, "-m", "lrs", "serve", "--port", str(port)], running.folder, "serve", running.environ())
    url = f"http://127.0.0.1:{port}"
    try:
        served.ready(lambda: "Ctrl-C" in served.log.read_text())
        children = [" ".join(child.cmdline()) for child in psutil.Process(served.process.pid).children(recursive=True)]
        assert any("lrs.serve.web" in one for one in children)
        assert not any("lrs.serve.worker" in one for one in children)
        body, headers = running.completion(90)
        assert httpx.post(url + "/xapi/statements", content=body, headers=headers).status_code == 200
        until(lambda: running.came(90), 10, "it is delivered")
        assert "celery -A workers.app worker" in served.log.read_text()
    finally:
        assert served.stop() == 0


def test_queues_stay_short_while_no_worker_takes_from_them(site, tmp_path):
    bell = Bell(client(site.redis.url.replace("/0", "/5")))
    assert [bell.ring("upkeep") for _ in range(50)] == [True] + [False] * 49
    assert bell._connection.default_channel.client.llen(queue_name("upkeep")) == 1


def test_a_black_holed_redis_slows_no_post(site, tmp_path):
    toxiproxy = Toxiproxy(tmp_path)
    try:
        front = toxiproxy.proxy("redis", site.redis.port)
        url = f"redis://127.0.0.1:{front}/7"
        web = site.client(url)

        def round_of_posts():
            took = []
            for n in range(60):
                began = time.perf_counter()
                assert site.post(web, 100 + n % 50) == 200
                took.append(time.perf_counter() - began)
            return statistics.median(took)

        round_of_posts()
        healthy, holed = [], []
        for _ in range(3):
            healthy.append(round_of_posts())
            toxiproxy.black_hole("redis")
            with pytest.raises(Exception, match=r"[Tt]imeout"):
                Bell(client(url)).ring("route")
            holed.append(round_of_posts())
            toxiproxy.mend("redis")
        print(f"median POST {min(healthy) * 1000:.1f} ms with Redis, {min(holed) * 1000:.1f} ms with Redis in a black hole")
        assert min(holed) < 3 * min(healthy)
    finally:
        toxiproxy.part.stop()
