"""kill -9 of any process at any instant: nothing acknowledged is lost, nothing owed is lost, nothing is doubled."""
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import httpx
import psutil
import pytest
from every_store import every_store
from ports import LRS, free_port, listens, until
from real_parts import get
from running import SECRET

from lrs.auth import credentials
from lrs.completions.model import Person
from lrs.directory.csv import identifiers_of
from lrs.store.open_store import open_store
from lrs.store.protocols.work import TargetRow

KILLS = {"sqlite": 8, "mongo": 2}
"""A start of all processes takes twice the time on a database that is a test's; the campaign kills hundreds of times."""
HERE = Path(__file__).parent


def alive(process):
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def role(process):
    """web or worker, None for anything else."""
    try:
        return next((part.rsplit(".", 1)[-1] for part in process.cmdline() if part.startswith("lrs.serve.")), None)
    except psutil.Error:
        return None


class Served:
    """`lrs serve` that is killed and started again."""

    def __init__(self, data, store, port, log):
        self.data, self.port, self.url, self.log = data, port, f"http://127.0.0.1:{port}", log
        self.environ = {**os.environ, "LRS_STORE": store}
        self.process = None

    def start(self):
        self.process = subprocess.Popen([sys.executable, "-c", LRS, "--data", str(self.data), "serve", "--port", str(self.port)],
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, env=self.environ)
        self.wait()

    def wait(self):
        until(self.ready, 60, "the LRS answers")

    def ready(self):
        try:
            there = {role(c) for c in self.children()} == {"web", "worker"}
            return there and get(self.url + "/health/ready", timeout=10).status_code == 200
        except (httpx.TransportError, psutil.Error):
            return False

    def children(self):
        """Web and worker, as far as they live."""
        return [c for c in psutil.Process(self.process.pid).children(recursive=True) if alive(c) and role(c)]

    def listeners(self):
        """Processes that hold the port, for the message of a failure."""
        return [(c.pid, psutil.Process(c.pid).cmdline(), psutil.Process(c.pid).status()) for c in psutil.net_connections("tcp")
                if c.pid and c.laddr and c.laddr.port == self.port]

    def kill(self, who):
        """Kill web, worker, the supervisor, or all; then have it running again."""
        children = self.children()
        victims = {"supervisor": [], "all": children}.get(who, [c for c in children if role(c) == who])
        if who in ("supervisor", "all"):
            os.kill(self.process.pid, signal.SIGKILL)
        for victim in victims:
            with contextlib.suppress(ProcessLookupError):
                os.kill(victim.pid, signal.SIGKILL)
        if who in ("supervisor", "all"):
            self.process.wait()
            until(lambda: not any(map(alive, children)), 30, "its children die with it")
            # a child that was only just being started ends as soon as it sees that its parent is gone
            until(lambda: not listens(self.port), 5, f"nothing is left listening; {self.listeners()}")
            self.start()
        else:
            assert victims, f"no {who} process among {[c.cmdline() for c in children]}"
            until(lambda: not any(map(alive, victims)), 10, "the victim is gone")
            self.wait()


@pytest.fixture
def serve(tmp_path):
    """Makes a `Served`; whatever happens, nothing of it runs on."""
    made = []
    with (tmp_path / "serve.log").open("wb") as log:
        def start(data, store):
            made.append(Served(data, store, free_port(), log))
            made[-1].start()
            return made[-1]
        yield start
    for served in made:
        served.process.kill()
        served.process.wait()


@pytest.mark.slow
@every_store
def test_nothing_is_lost_and_nothing_doubled_by_killing(tmp_path, receiver, serve, place):
    seed = int(os.environ.get("LRS_TEST_SEED", random.randrange(10**6)))
    print(f"LRS_TEST_SEED={seed}")
    chance = random.Random(seed)
    data = tmp_path / "data"
    store = open_store(place or data)
    store.directory.put_people([
        Person(f"{n}", f"person{n}@acme.example", identifiers=tuple(identifiers_of(f"{n}", [f"person{n}@acme.example"])))
        for n in range(50)])
    store.work.add_target(TargetRow("hook", "webhook", {"url": receiver + "/", "secret": SECRET, "allow_private": True, "timeout": 5}))
    made = credentials.create(store.credentials, name="load", public_url="http://lrs.example", scopes=["all", "feeds/read"])
    key, secret = made.credential.key, made.secret
    acknowledged = tmp_path / "acknowledged"
    served = serve(data, place)
    with (tmp_path / "recorder.log").open("wb") as recorder_log:
        recorder = subprocess.Popen([sys.executable, str(HERE / "recorder.py"), served.url, key, secret, str(acknowledged), "3"],
                                    stdin=subprocess.PIPE, stderr=recorder_log)
        killed = Counter()
        for _ in range(KILLS["mongo" if place else "sqlite"]):
            time.sleep(chance.uniform(0.02, 0.4))
            who = chance.choice(["web", "worker", "supervisor", "all"])
            served.kill(who)
            killed[who] += 1
        time.sleep(0.5)
        until(lambda: acknowledged.read_bytes().count(b"\n") > 100, 60, "enough is acknowledged to tell")
        recorder.stdin.close()
        assert recorder.wait(60) == 0, (tmp_path / "recorder.log").read_text()
    ids = acknowledged.read_text().split()
    print(f"{sum(killed.values())} kills {dict(killed)}, {len(ids)} statements acknowledged")
    assert len(ids) > 100
    assert len(ids) == len(set(ids))

    assert [name for name in ids if store.statements.get(name) is None] == [], "lost"
    # what a writer of MongoDB had under way when it was killed holds the log's readers back for five seconds
    until(lambda: store.statements.consistent_through() >= store.statements.last_seq(), 20, "the log is read to its end")
    stored = []
    after = 0
    while records := store.statements.follow(after, 500):
        stored += [record.id for record in records]
        after = records[-1].seq
    assert len(stored) == len(set(stored)), "a statement is stored twice"
    assert set(ids) <= set(stored), f"lost: {sorted(set(ids) - set(stored))[:5]}"
    with httpx.Client(auth=(key, secret), headers={"X-Experience-API-Version": "1.0.3"}, timeout=10) as client:
        for name in chance.sample(ids, 50):
            answer = client.get(served.url + "/xapi/statements", params={"statementId": name})
            assert (answer.status_code, answer.json()["id"]) == (200, name)

    def all_delivered():
        states = store.work.count_by_state()
        return set(states) == {"delivered"} and states["delivered"] == len(stored)

    until(all_delivered, 90, f"every delivery is made; now {store.work.count_by_state()} of {len(stored)}")
    received = httpx.get(receiver + "/sandbox/received", timeout=10).json()
    events = [row["event"]["id"] for row in received]
    assert len(events) == len(set(events)), "an event came under two webhook-ids"
    assert len(events) == len(stored), "every completion came"
    repeats = sum(row["times"] - 1 for row in received)
    print(f"{len(events)} events received, {repeats} repeats, each under its own webhook-id")

    feed, cursor = [], 0
    while rows := store.work.feed(cursor, 1000):
        feed += rows
        cursor = rows[-1].n
    assert [row.n for row in feed] == list(range(1, len(feed) + 1)), "the feed has a gap"
    assert {json.loads(row.body)["id"] for row in feed} == set(events)

    served.process.terminate()
    served.process.wait(40)
    assert not listens(served.port)
    store.close()
