"""Two workers and a beat on a real RabbitMQ: the same path as on Redis, and the same promise while it is away."""
from __future__ import annotations

import time

import pytest
from celery_site import Site
from real_parts import until
from real_rabbitmq import RabbitMQ

from lrs.config import load
from lrs.management.check import check
from workers.broker import Bell, client, queue_name

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def rabbitmq(tmp_path_factory):
    made = RabbitMQ(tmp_path_factory.mktemp("broker"))
    yield made
    made.stop()


@pytest.fixture(scope="module")
def running(tmp_path_factory, rabbitmq):
    site = Site(tmp_path_factory.mktemp("site"), rabbitmq.url)
    workers = [site.worker("w1"), site.worker("w2")]
    beat = site.celery("beat", "beat")
    for worker in workers:
        worker.ready(lambda worker=worker: "ready." in worker.log.read_text(errors="replace"), 60)
    site.workers = workers
    yield site
    for part in (beat, *workers):
        assert part.stop(seconds=60) == 0, part.log.read_text(errors="replace")[-3000:]
        assert "ERROR   workers" not in part.log.read_text(errors="replace")
    site.stop()


def test_queues_stay_short_while_no_worker_takes_from_them(rabbitmq):
    bell = Bell(client(rabbitmq.url))  # for a kind of work that no worker knows
    rung = [bell.ring("unheard") for _ in range(50)]
    # RabbitMQ may count a message a moment after it took it
    assert (rung[0], any(rung[10:])) == (True, False)
    assert bell._connection.default_channel.queue_purge(queue_name("unheard")) == sum(rung)


def test_two_workers_deliver_each_event_once(running):
    web, people = running.client(), range(40)
    assert {running.post(web, person) for person in people} == {200}
    until(lambda: running.came(*people), 40, "all are delivered")
    until(lambda: not running.store.work.count_by_state().keys() - {"delivered"}, 10, "nothing is owed")
    assert set(running.received().values()) == {1}


def test_the_check_says_whether_a_worker_answers(running):
    settings = load({"LRS_DATA": str(running.data), "LRS_BROKER_URL": running.broker})
    assert check(settings).findings["broker"] == []


def test_with_rabbitmq_killed_a_post_is_answered_and_delivered_once_when_it_is_back_by_both_workers(running, rabbitmq):
    web = running.client()
    assert running.post(web, 50) == 200
    rabbitmq.kill()
    assert {running.post(web, person) for person in range(51, 56)} == {200}
    time.sleep(5)  # workers and beat meet a broker that is away, several times
    rabbitmq.start()
    back = time.time_ns() // 1000
    until(lambda: running.came(*range(50, 56)), 60, "all are delivered")
    for worker in running.workers:
        until(lambda worker=worker: running.at_work(worker, back), 60, f"{worker.name} takes messages again")
    assert set(running.received().values()) == {1}
    assert [worker.process.poll() for worker in running.workers] == [None, None]
