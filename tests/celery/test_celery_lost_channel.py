"""A broker that goes away at any moment, in any way: every worker takes messages again when it is back, without a restart."""
from __future__ import annotations

import fcntl
import signal
import subprocess
import sys
import time

import pytest
from real_parts import Redis, Toxiproxy, until

pytestmark = pytest.mark.slow
AWAY, SILENT = 4, 12
"""Seconds in which every process meets the fault: some attempts to connect, and longer than `socket_timeout`."""

LOST = '''
import logging, os, signal, sys
from kombu import Connection, Consumer, Producer, Queue
from workers import lost_channel
if sys.argv[3] == "mended":
    lost_channel.mend()
    lost_channel.mend()
connection, got = Connection(sys.argv[1]), []
channels = [connection.default_channel, connection.channel()]
for name, channel in zip("ab", channels):
    Producer(channel).publish({}, routing_key=name, declare=[Queue(name)])
    Consumer(channel, [Queue(name)], callbacks=[lambda body, message: got.append(message)]).consume()
while len(got) < 2:
    connection.drain_events(timeout=5)
try:
    connection.drain_events(timeout=0.2)  # a BRPOP is pending, and messages are not acknowledged
except TimeoutError:
    pass
os.kill(int(sys.argv[2]), signal.SIGKILL)
# as celery.worker.consumer does
try:
    connection.collect(socket_timeout=1)
except Exception:
    pass
connection.close()
for message in got:
    message.ack_log_error(logging.getLogger(), connection.connection_errors)
'''


@pytest.mark.parametrize(("how", "fault"), [("mended", ""), ("as it comes", "'NoneType' object has no attribute 'hostname'")])
def test_a_channel_that_lost_its_connection_with_a_message_in_hand_says_so(tmp_path, how, fault):
    # the second case: when kombu needs no mending any more, `workers.lost_channel` can go
    redis = Redis(tmp_path)
    try:
        done = subprocess.run([sys.executable, "-c", LOST, redis.url, str(redis.part.process.pid), how], text=True,
                              capture_output=True, timeout=60, check=False)
    finally:
        redis.stop()
    assert (done.returncode != 0, fault in done.stderr) == (bool(fault), True), done.stderr[-2000:]


@pytest.fixture(scope="module")
def toxiproxy(tmp_path_factory):
    made = Toxiproxy(tmp_path_factory.mktemp("toxiproxy"))
    yield made
    made.part.stop()


@pytest.fixture(scope="module")
def running(site, toxiproxy):
    """Two workers and a beat that reach Redis through Toxiproxy."""
    front = toxiproxy.proxy("redis", site.redis.port)
    site.broker = f"redis://127.0.0.1:{front}/0"
    site.workers = [site.worker("w1"), site.worker("w2")]
    site.celery("beat", "beat")
    for worker in site.workers:
        worker.ready(lambda worker=worker: "ready." in worker.log.read_text(errors="replace"), 60)
    return site


def killed(site, toxiproxy):
    site.redis.part.stop(signal.SIGKILL)
    time.sleep(AWAY)
    site.redis.start()


def unreachable(site, toxiproxy):
    toxiproxy.switch("redis", False)
    time.sleep(AWAY)
    toxiproxy.switch("redis", True)


def while_tasks_run(fault):
    def both(site, toxiproxy):
        with (site.data / "work.db.writer").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # no task that writes can end
            until(lambda: len(site.redis.client.hkeys("unacked")) >= 3, 30, "tasks are running")
            fault(site, toxiproxy)
    both.__name__ = f"{fault.__name__} while tasks ran"
    return both


def flushed(site, toxiproxy):
    site.redis.client.flushall()


def silent(site, toxiproxy):
    site.redis.part.process.send_signal(signal.SIGSTOP)
    time.sleep(SILENT)
    site.redis.part.process.send_signal(signal.SIGCONT)


def black_holed(site, toxiproxy):
    toxiproxy.black_hole("redis")
    time.sleep(SILENT)
    toxiproxy.mend("redis")


def cut_again_and_again(site, toxiproxy):
    for _ in range(5):
        for kind in ("normal", "pubsub"):
            site.redis.client.client_kill_filter(_type=kind, skipme=True)
            time.sleep(0.4)  # so that the next cut meets connections made anew


FAULTS = (while_tasks_run(killed), while_tasks_run(killed), flushed, silent, unreachable, black_holed, cut_again_and_again)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_both_workers_take_messages_again_after_redis_was(running, toxiproxy, fault):
    fault(running, toxiproxy)
    since = time.time_ns() // 1000
    person = next(running.people)
    assert running.post(running.client(), person) == 200
    until(lambda: running.came(person), 60, "what was posted then is delivered")
    for worker in running.workers:
        until(lambda worker=worker: running.at_work(worker, since), 60, f"{worker.name} takes messages again")
    assert set(running.received().values()) == {1}
    assert [worker.process.poll() for worker in running.workers] == [None, None], "no worker ended"
