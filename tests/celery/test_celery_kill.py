"""A worker that is killed between taking a message and acknowledging it: the work is done again, the receiver sees one."""
from __future__ import annotations

import fcntl
import os
import signal
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psutil
import pytest
from celery_site import Site
from real_parts import until

from lrs.store.protocols.work import TargetRow, Wanted

pytestmark = pytest.mark.slow


@pytest.fixture
def site(tmp_path):
    """An LRS for one test alone: who takes a message must be known."""
    made = Site(tmp_path)
    yield made
    made.stop()


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
    assert site.received() == {"1": 1}


@pytest.fixture
def slow():
    """A receiver that takes its time; `came` holds the webhook-ids of the requests it was sent."""
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["content-length"]))
            self.server.came.append(self.headers["webhook-id"])
            time.sleep(1.5)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.came = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_a_worker_that_is_told_to_stop_ends_the_delivery_that_is_under_way_and_records_it(site, slow):
    site.store.work.add_target(TargetRow("slow", "webhook", {"url": f"http://127.0.0.1:{slow.server_port}/", "allow_private": True,
                                                             "secret": "whsec_" + "B" * 43 + "=", "timeout": 10}))
    worker = site.worker("stopped")
    worker.ready(lambda: "ready." in worker.log.read_text(errors="replace"), 60)
    assert site.post(site.client(), 2) == 200
    until(lambda: slow.came, 20, "the receiver has the request")
    assert worker.stop() == 0
    (delivery,) = site.store.work.deliveries(Wanted(target="slow"), 10)
    assert (delivery.state, len(site.store.work.attempts(delivery.id)), len(slow.came)) == ("delivered", 1, 1)
