"""A target's rate and breaker hold over two workers, whatever becomes of Redis: they are kept in the store, not in it."""
from __future__ import annotations

import json
import signal
import sqlite3

import pytest
from celery_site import Site
from real_parts import until

from lrs.store.protocols.work import Wanted
from workers.limits import OPENS_AFTER

pytestmark = pytest.mark.slow

RATE, BURST, IN_FLIGHT = 15, 4, 3


@pytest.fixture
def site(tmp_path, receiver):
    """One worker that routes, two that deliver, a beat; a target with a pace."""
    made = Site(tmp_path)
    made.store.work.add_target(receiver.target("paced", rate_per_second=RATE, burst=BURST, in_flight=IN_FLIGHT))
    made.store.work.set_target_state("hook", "paused", "not of this test")
    workers = [made.celery("routing", "worker", "-n", "routing", "-Q", "lrs.route", "-c", "1"),
               *(made.celery(name, "worker", "-n", name, "-Q", "lrs.deliver", "-c", "1") for name in ("d1", "d2"))]
    for worker in workers:
        worker.ready(lambda worker=worker: "ready." in worker.log.read_text(errors="replace"), 60)
    made.celery("beat", "beat")
    yield made
    made.stop()


def post(site, people):
    body = json.dumps([json.loads(site.completion(person)[0]) for person in people])
    answer = site.client().post("/xapi/statements", data=body, headers=site.completion(0)[1])
    assert answer.status_code == 200


def owners(site):
    """Who has something leased now."""
    with sqlite3.connect(site.data / "work.db") as db:
        return {owner for (owner,) in db.execute("SELECT DISTINCT owner FROM deliveries WHERE state = 'leased'")}


def lose(redis):
    """kill -9, and back with nothing in it."""
    redis.client.flushall()
    redis.part.stop(signal.SIGKILL)
    redis.start()


def within_pace(receiver):
    # what is in flight was admitted before the window began
    for seconds in (0.2, 1.0, 3.0):
        assert receiver.most_within(seconds) <= BURST + RATE * seconds + IN_FLIGHT


def test_the_rate_of_a_target_holds_over_two_workers_with_redis_flushed_and_killed(site, receiver):
    receiver.seconds, seen = 0.1, set()
    post(site, range(120))
    until(lambda: (seen.update(owners(site)), len(seen) == 2)[1], 60, "both workers deliver")
    site.redis.client.flushall()
    until(lambda: len(receiver.came) >= 60, 60, "the half is delivered")
    lose(site.redis)
    until(lambda: len(receiver.came) >= 120, 90, "all are delivered")
    until(lambda: len(site.store.work.deliveries(Wanted(target="paced", state="delivered"), 200)) == 120, 20, "and recorded")
    assert sorted(receiver.people(), key=int) == [str(n) for n in range(120)]
    assert {one.id for one in receiver.came} == {row.id for row in site.store.work.deliveries(Wanted(target="paced"), 200)}
    within_pace(receiver)


def test_the_breaker_of_a_target_holds_over_two_workers_with_redis_killed(site, receiver):
    receiver.status = 500
    post(site, range(40))

    def health():
        return next(one.health for one in site.store.work.targets() if one.name == "paced")

    until(lambda: health().openings, 60, "the breaker opens")
    opened = len(receiver.came)
    lose(site.redis)
    assert OPENS_AFTER <= opened <= OPENS_AFTER + IN_FLIGHT
    receiver.status = 204
    until(lambda: len(receiver.came) > opened, 60, "a probe is sent")
    # none came while it was open: the first that came is the probe, ten seconds after the last failure
    assert receiver.came[opened].at - receiver.came[opened - 1].at > 9
    until(lambda: len(receiver.people()) >= 40, 90, "all are delivered")
    assert sorted(receiver.people(), key=int) == [str(n) for n in range(40)]
    within_pace(receiver)
