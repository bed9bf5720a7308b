"""A worker that is killed between taking a message and acknowledging it: the work is done again, the receiver sees one."""
from __future__ import annotations

import fcntl
import os
import signal

import psutil
import pytest
from real_parts import until

pytestmark = pytest.mark.slow


@pytest.fixture
def lock(site):
    """Takes and gives back the lock that a task needs to write: a task that has begun cannot end while it is held."""
    with (site.data / "work.db.writer").open("a") as file:
        yield lambda how: fcntl.flock(file, how)


def at_work(site, worker):
    """The pool process of this worker that has opened the store for a message that is not acknowledged yet."""
    if not site.redis.client.hlen("unacked"):
        return None
    for process in psutil.Process(worker.process.pid).children():
        try:
            if any(file.path == str(site.data / "work.db.writer") for file in process.open_files()):
                return process
        except psutil.Error:
            continue
    return None


def test_a_killed_pool_process_gives_its_message_back_and_the_event_is_delivered_once(site, lock):
    worker = site.worker("killed-child")
    worker.ready(lambda: "ready." in worker.log.read_text(errors="replace"), 60)
    web = site.client()
    lock(fcntl.LOCK_EX)
    assert site.post(web, 0) == 200
    victim = until(lambda: at_work(site, worker), 15, "a worker is at it")
    os.kill(victim.pid, signal.SIGKILL)
    again = until(lambda: (one := at_work(site, worker)) is not None and one.pid != victim.pid and one, 30,
                  "the message came to another process: there is no beat here that could have sent one")
    lock(fcntl.LOCK_UN)
    until(lambda: site.came(0), 20, "it is delivered")
    assert site.received() == {"0": 1}
    assert again.is_running()
    assert worker.stop() == 0


def test_a_killed_worker_with_all_its_processes_is_replaced_and_the_event_is_delivered_once(site, lock):
    worker = site.worker("killed-whole")
    worker.ready(lambda: "ready." in worker.log.read_text(errors="replace"), 60)
    web = site.client()
    lock(fcntl.LOCK_EX)
    assert site.post(web, 1) == 200
    until(lambda: at_work(site, worker), 15, "a worker is at it")
    family = [*psutil.Process(worker.process.pid).children(recursive=True), psutil.Process(worker.process.pid)]
    for process in family:
        os.kill(process.pid, signal.SIGKILL)
    worker.process.wait()
    assert site.redis.client.hlen("unacked"), "the message was taken and is not acknowledged"
    lock(fcntl.LOCK_UN)
    site.worker("successor")
    site.celery("beat", "beat")
    until(lambda: site.came(1), 30, "it is delivered")
    assert site.received() == {"0": 1, "1": 1}
