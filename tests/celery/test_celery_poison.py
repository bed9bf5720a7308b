"""A delivery that ends whatever sends it, among others: it is dead with a reason, the rest go on."""
from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path

import pytest
from celery_site import Site
from real_parts import until

from lrs.store.protocols.work import Wanted

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
POISON = '''
import os
import workers.connectors.webhook.connector as module
import workers.deliver as deliver
deliver.MARGIN = 1.0  # leases of four seconds
sends = module.WebhookConnector.send
def harm(delivery):
    raise LookupError("no such field")
def send(self, delivery, target):
    person = delivery.payload["user"]["externalId"]
    if person == "13":
        with open(os.environ["POISONED"], "a") as file:
            print(os.getpid(), file=file, flush=True)
        os._exit(1)
    if person == "14":
        harm(delivery)
    return sends(self, delivery, target)
module.WebhookConnector.send = send
'''


@pytest.fixture
def site(tmp_path, monkeypatch):
    """An LRS whose worker processes meet a webhook connector that one delivery kills, and another makes raise."""
    (tmp_path / "patch").mkdir()
    (tmp_path / "patch" / "sitecustomize.py").write_text(POISON)
    monkeypatch.setenv("POISONED", str(tmp_path / "poisoned"))
    made = Site(tmp_path, timeout=1)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(tmp_path / "patch"), str(ROOT))))
    yield made
    made.stop()


def test_a_delivery_that_kills_its_worker_each_time_is_dead_with_a_reason_and_the_rest_go_on(site, receiver):
    site.store.work.add_target(receiver.target("hook2", timeout=1))
    site.store.work.set_target_state("hook", "paused", "not of this test")
    worker, _ = site.worker(), site.celery("beat", "beat")
    worker.ready(lambda: "ready." in worker.log.read_text(errors="replace"), 60)
    web = site.client()
    for person in range(10, 30):
        assert site.post(web, person) == 200

    def dead():
        with sqlite3.connect(site.data / "work.db", isolation_level=None, timeout=30) as db:  # the waits of the schedule are over
            db.execute("UPDATE deliveries SET due = 1 WHERE state = 'waiting' AND target = 'hook2'")
        time.sleep(0.3)
        return site.store.work.deliveries(Wanted(target="hook2", state="dead"), 10)

    rest = {str(n) for n in range(10, 30)} - {"13", "14"}
    until(lambda: len(dead()) == 2 and rest <= set(receiver.people()), 270, "the poison is dead, the rest are delivered")
    by_person = {person: site.store.work.deliveries(Wanted(target="hook2", person=person), 10)[0] for person in ("13", "14")}
    assert (by_person["13"].state, "workers ended while they were sending it and nothing else" in by_person["13"].why) == ("dead", True)
    assert not {"13", "14"} & set(receiver.people())
    assert "LookupError in connector webhook: no such field" in by_person["14"].why
    assert "in harm: raise LookupError" in by_person["14"].why or "in harm" in by_person["14"].why
    killed = (site.folder / "poisoned").read_text().split()
    assert len(killed) == len(set(killed)) == 5, "twice in company, three times alone, each a process of its own"
    assert worker.process.poll() is None
    assert site.post(web, 40) == 200
    until(lambda: "40" in receiver.people(), 30, "the worker goes on")
