"""Targets that hang, fail, slow down or kill their worker, beside targets that are well: real HTTP, real processes."""
from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from test_deliver import Clock, Scripted, only, owe, owed, receiver, services, webhook

from lrs.errors import StoreUnavailable
from lrs.services import Services
from lrs.store.protocols.work import Cursor, Output, Published, TargetRow, Wanted
from workers.connectors.base import Delivered
from workers.connectors.registry import connectors, new_secret
from workers.deliver import Deliverer, deliver_once
from workers.limits import OPENS_AFTER
from workers.schedule import SECOND

__all__ = ["owed", "receiver", "services"]  # fixtures


def now_us() -> int:
    return time.time_ns() // 1000


@pytest.fixture
def clock() -> Clock:
    return Clock()


def backlog(services: Services, target: str, n: int) -> None:
    cursor = services.store.work.cursor("route")
    rows = [Published("learning.completed", key, 1, json.dumps({"event": "learning.completed", "id": key, "revision": 1}).encode())
            for key in (f"{target}-{cursor.seq}-{i}" for i in range(n))]
    assert services.store.work.advance("route", cursor, Cursor(cursor.seq + 1, cursor.change),
                                       Output((), rows, [(i, target) for i in range(n)]))


def hook(services: Services, name: str, url: str, **more: object) -> None:
    services.store.work.add_target(TargetRow(name, "webhook", {"url": url, "secret": new_secret(), "allow_private": True, **more}))


def states(services: Services, target: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for row in services.store.work.deliveries(Wanted(target=target), 100_000):
        found[row.state] = found.get(row.state, 0) + 1
    return found


@pytest.fixture
def quick():
    """A receiver in a process of its own that answers in 5 ms on kept connections."""
    process = subprocess.Popen([sys.executable, str(Path(__file__).parent / "deliver_receiver.py"), "0.005"],
                               stdout=subprocess.PIPE, text=True)
    yield f"http://127.0.0.1:{process.stdout.readline().strip()}/"
    process.kill()
    process.wait()
    process.stdout.close()


@pytest.fixture
def silent():
    """An address that takes connections and never says a word."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    listener.close()


def drained(services: Services, hands: Deliverer, target: str, n: int) -> float:
    """Seconds until n deliveries to a target are delivered, by the worker's own loop."""
    began = time.monotonic()
    while states(services, target).get("delivered", 0) < n:
        if not hands():
            time.sleep(0.02)
        assert time.monotonic() - began < 60
    return time.monotonic() - began


def test_a_target_that_hangs_does_not_slow_one_that_is_well(services, quick, silent):
    hook(services, "alone", quick)
    hook(services, "well", quick)
    hands = Deliverer(services, "me", now_us, connectors(now_us))
    backlog(services, "well", 20)
    drained(services, hands, "well", 20)  # warm
    backlog(services, "alone", 200)
    alone = drained(services, hands, "alone", 200)
    for n in range(3):
        hook(services, f"sick{n}", silent, timeout=3)
        backlog(services, f"sick{n}", 1000)
    backlog(services, "well", 200)
    beside = drained(services, hands, "well", 220)
    hands.close(10)
    assert beside < 2 * alone + 0.3
    assert beside < 3, "it waited for a time-out"
    for n in range(3):
        assert states(services, f"sick{n}").get("delivered", 0) == 0


def test_calls_that_outlast_a_slice_are_recorded_when_they_end(services, silent):
    hook(services, "sick", silent, timeout=1)
    backlog(services, "sick", 2)
    hands = Deliverer(services, "me", now_us, connectors(now_us))
    began = time.monotonic()
    hands()
    assert time.monotonic() - began < 0.9
    assert states(services, "sick") == {"leased": 2}
    hands.close(5)
    assert states(services, "sick") == {"waiting": 2}
    assert {row.attempts for row in services.store.work.deliveries(Wanted(), 10)} == {1}


@pytest.mark.slow
def test_a_backlog_of_fifteen_hundred_is_made_whole_and_again_under_the_same_ids(services, quick):
    # how many a second is what the bench measures
    hook(services, "hook", quick)
    backlog(services, "hook", 1500)
    hands = Deliverer(services, "me", now_us, connectors(now_us))
    for _ in range(2):
        services.store.work.replay(Wanted(target="hook"), now=now_us(), dry=False)
        while hands():
            pass
        assert states(services, "hook") == {"delivered": 1500}
    hands.close()
    came, ids = httpx.get(quick).text.split()
    assert (int(came), int(ids)) == (3000, 1500)



def test_a_breaker_keeps_a_dead_target_from_using_up_attempts(services, receiver, clock):
    webhook(services, receiver.url)
    backlog(services, "hook", 30)
    clock.now = now_us() + SECOND
    receiver.answers = [(503, {}, b"down")]
    known = connectors(clock)
    deliver_once(services, clock, known)
    assert len(receiver.got) <= OPENS_AFTER + 3
    tried = len(receiver.got)
    clock.now += 9 * SECOND
    deliver_once(services, clock, known)
    assert len(receiver.got) == tried
    clock.now += 2 * SECOND
    deliver_once(services, clock, known)
    assert len(receiver.got) == tried + 1  # the probe
    receiver.answers = [(200, {}, b"")]
    clock.now += 700 * SECOND
    deliver_once(services, clock, known)
    assert states(services, "hook") == {"delivered": 30}
    assert services.store.work.target("hook").health.openings == 0


def test_429_holds_back_everything_for_that_target(services, receiver, clock):
    webhook(services, receiver.url, in_flight=1)
    backlog(services, "hook", 5)
    clock.now = now_us() + SECOND
    receiver.answers = [(429, {"Retry-After": "40"}, b""), (200, {}, b"")]
    known = connectors(clock)
    deliver_once(services, clock, known)
    clock.now += 39 * SECOND
    deliver_once(services, clock, known)
    assert len(receiver.got) == 1
    clock.now += SECOND
    deliver_once(services, clock, known)
    assert states(services, "hook") == {"delivered": 5}
    assert {row.attempts for row in services.store.work.deliveries(Wanted(), 10)} == {1}


def test_five_days_of_only_failures_disable_the_target_and_keep_what_it_is_owed(services, receiver, clock, caplog):
    webhook(services, receiver.url)
    receiver.answers = [(503, {}, b"down")]
    known = connectors(clock)
    clock.now = now_us()
    began = clock.now
    backlog(services, "hook", 4)
    while services.store.work.target("hook").state == "active":
        clock.now += 3 * 3600 * SECOND
        deliver_once(services, clock, known, rng=lambda: 0.5)
        if not states(services, "hook").get("waiting"):
            owe(services, "hook", {"event": "learning.completed", "id": f"later-{clock.now}", "revision": 1})
        assert clock.now - began < 8 * 86_400 * SECOND
    assert clock.now - began >= 5 * 86_400 * SECOND
    assert "target hook disabled: nothing was delivered for 5 days" in caplog.text
    owe(services, "hook", {"event": "learning.completed", "id": "kept", "revision": 1})
    assert deliver_once(services, clock, known) == 0
    receiver.answers = [(200, {}, b"")]
    services.store.work.set_target_state("hook", "active")
    clock.now = max(clock.now, now_us() + SECOND)
    deliver_once(services, clock, known)
    [kept] = [row for row in services.store.work.deliveries(Wanted(), 100) if row.event_id == "kept"]
    assert kept.state == "delivered"


def test_a_fault_of_our_own_says_nothing_of_the_target(owed, clock):
    class Broken(Scripted):
        def send(self, delivery, target):
            raise KeyError("boom")

    clock.now = max(clock.now, only(owed).due)
    deliver_once(owed, clock, {"webhook": Broken(None, [])}, rng=lambda: 0.5)
    assert only(owed).attempts == 1
    assert owed.store.work.target("hook").health.failures == 0


WORKER = """
import os, signal, sys, time
from lrs.config import load
from lrs.errors import StoreUnavailable
from lrs.services import Services
from lrs.store.open_store import open_store
from workers.connectors.registry import connectors
from workers.deliver import Deliverer, deliver_once
now = lambda: time.time_ns() // 1000
where, folder = sys.argv[1], sys.argv[2]
store = open_store(folder)
if where == "claimed":
    Deliverer._work = lambda self, call: os.kill(os.getpid(), signal.SIGKILL)
if where == "sent":
    real = store.work.claim_due
    def turn(n, seconds, owner, at, limits, ended=(), **more):
        if ended:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(n, seconds, owner, at, limits, ended, **more)
    store.work.claim_due = turn
deliver_once(Services(load({"LRS_DATA": folder}, None), store), now, connectors(now), owner="w-" + where)
"""


@pytest.mark.parametrize(("where", "came"), [("claimed", 0), ("sent", 1)])
def test_a_worker_that_is_killed_loses_nothing_and_the_webhook_id_stays(services, receiver, where, came):
    webhook(services, receiver.url)
    owe(services, "hook")
    killed = subprocess.run([sys.executable, "-c", WORKER, where, str(services.settings.data)], timeout=60, env=os.environ)
    assert killed.returncode == -signal.SIGKILL
    assert (len(receiver.got), only(services).state) == (came, "leased")
    assert services.store.work.expire_leases(["hook"], "me", now_us()) == 1
    assert deliver_once(services, now_us, connectors(now_us), owner="me") == 1
    assert only(services).state == "delivered"
    assert {headers["webhook-id"] for headers, _ in receiver.got} == {only(services).id}
    assert len(receiver.got) == came + 1


def test_a_killed_call_to_a_target_without_keys_is_asked_for_and_written_once(owed, clock):
    clock.now = max(clock.now, only(owed).due)
    connector = Scripted(True, [Delivered()])
    owed.store.work.claim_due(1, 60, "killed while it sent", clock.now)
    owed.store.work.expire_leases(["hook"], "another", clock.now)
    deliver_once(owed, clock, {"webhook": connector}, rng=lambda: 0.5)
    assert (only(owed).state, connector.calls) == ("delivered", ["find"])


def test_what_ended_while_the_store_was_away_is_recorded_when_it_is_back(services, receiver, monkeypatch):
    webhook(services, receiver.url)
    owe(services, "hook")
    hands, real, failed = Deliverer(services, "me", now_us, connectors(now_us)), services.store.work.claim_due, []

    def once_away(*args, **more):
        if args[-1] and not failed:
            failed.append(1)
            raise StoreUnavailable("disk full")
        return real(*args, **more)

    monkeypatch.setattr(services.store.work, "claim_due", once_away)
    with pytest.raises(StoreUnavailable):
        hands.deliver_due()
    hands.deliver_due()
    hands.close()
    assert (only(services).state, len(receiver.got)) == ("delivered", 1)


def test_a_replay_by_range_sends_as_many_as_the_dry_count_said(services, receiver):
    webhook(services, receiver.url)
    backlog(services, "hook", 7)
    known = connectors(now_us)
    deliver_once(services, now_us, known)
    middle = now_us()
    backlog_later = [{"event": "learning.completed", "id": f"late-{n}", "revision": 1} for n in range(3)]
    for event in backlog_later:
        owe(services, "hook", event)
    deliver_once(services, now_us, known)
    for wanted in (Wanted(until=middle), Wanted(since=middle), Wanted(target="hook", state="delivered")):
        before = len(receiver.got)
        counted = services.store.work.replay(wanted, now=now_us(), dry=True)
        assert services.store.work.replay(wanted, now=now_us(), dry=False) == counted
        deliver_once(services, now_us, known)
        assert len(receiver.got) - before == counted
