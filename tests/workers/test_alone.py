"""Suspects are sent by a process of their own, one by one; a poison kills that process and no other, and is dead in the end."""
from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable

import pytest
from test_deliver import owe, receiver, services, webhook

from lrs.services import now_us
from lrs.store.protocols.work import Wanted
from workers import alone
from workers.alone import Apart, Hands
from workers.connectors.registry import connectors
from workers.deliver import Deliverer

__all__ = ["receiver", "services"]  # fixtures


@pytest.fixture
def suspects(services, receiver, monkeypatch):
    """Three deliveries that were lost in company, twice."""
    monkeypatch.setattr(alone, "LOOK_EVERY", 0.0)
    monkeypatch.setenv("LRS_CONFIG", "lrs.toml")  # what `lrs serve` sets, also where there is none
    webhook(services, receiver.url)
    for n in range(3):
        owe(services, "hook", {"event": "learning.completed", "id": f"ach-{n}", "revision": 1})
    for _ in range(2):
        assert len(services.store.work.claim_due(9, 60, "killed", now_us())) == 3
        services.store.work.expire_leases(["hook"], "me", now_us())
    assert services.store.work.claim_due(9, 60, "w", now_us()) == []
    return services


def due_now(services) -> None:
    """The retry schedule's waits are over."""
    with sqlite3.connect(services.settings.data / "work.db", isolation_level=None) as db:
        db.execute("UPDATE deliveries SET due = 1 WHERE state = 'waiting'")


def hands(services) -> Hands:
    made = Deliverer(services, "worker", now_us, connectors(now_us))
    return Hands(made, Apart(services, made))


def until(holds: Callable[[], bool], each: Callable[[], object]) -> None:
    end = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < end
        each()
        time.sleep(0.02)


def test_suspects_that_harm_nobody_are_delivered_by_another_process_each_once(suspects, receiver):
    due_now(suspects)
    both = hands(suspects)
    until(lambda: suspects.store.work.count_by_state() == {"delivered": 3}, both)
    both.close(10)
    assert len(receiver.got) == len({headers["webhook-id"] for headers, _ in receiver.got}) == 3


def test_a_poison_kills_the_process_apart_three_times_and_is_dead_and_the_innocent_are_delivered(suspects, receiver):
    killed: list[int] = []
    mourned: list[int] = []

    def harm() -> None:
        with sqlite3.connect(suspects.settings.data / "work.db") as db:
            [(owner, count)] = db.execute(
                "SELECT owner, count(*) FROM deliveries WHERE state = 'leased' AND owner LIKE 'alone-%'").fetchall()
        assert count == 1
        killed.append(int(owner.split("-")[-2]))
        os.kill(killed[-1], signal.SIGKILL)

    class Got(list):
        def append(self, one):
            super().append(one)
            if json.loads(one[1])["id"] == "ach-1":
                harm()

    receiver.got = Got()
    both = hands(suspects)

    def go_on() -> None:
        due_now(suspects)
        both()
        if len(mourned) < len(killed):  # its lease is over; that of the next one is not
            mourned.append(killed[-1])
            suspects.store.work.expire_leases(["hook"], "worker", now_us())
    until(lambda: suspects.store.work.count_by_state() == {"dead": 1, "delivered": 2}, go_on)
    both.close(10)
    assert len(killed) == len(set(killed)) == 3
    assert os.getpid() not in killed
    [dead] = suspects.store.work.deliveries(Wanted(state="dead"), 9)
    assert dead.event_id == "ach-1"
    assert f"-{killed[-1]}-" in dead.why
    story = [one.why for one in suspects.store.work.attempts(dead.id)]
    assert all(any(f"-{pid}-" in why for why in story) for pid in killed)


PARENT = """
import sys, time
from lrs.config import load
from lrs.services import Services, now_us
from lrs.store.open_store import open_store
from workers.alone import Apart
from workers.connectors.registry import connectors
from workers.deliver import Deliverer
services = Services(load({"LRS_DATA": sys.argv[1]}, None), open_store(sys.argv[1]))
apart = Apart(services, Deliverer(services, "parent", now_us, connectors(now_us)))
apart()
print(apart._process.pid, flush=True)
time.sleep(600)
"""


def test_the_process_apart_ends_with_its_parent(suspects, receiver):
    due_now(suspects)
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(suspects.settings.data)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()

    def gone() -> bool:
        try:
            os.kill(child, 0)
        except ProcessLookupError:
            return True
        with open(f"/proc/{child}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] == "Z"
    until(gone, lambda: None)
