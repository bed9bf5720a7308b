"""The waker: calls cost nothing, many become one message, a broker that is away is left alone for a while."""
from __future__ import annotations

import threading
import time

import pytest

from lrs.config import Settings
from lrs.services import nobody_to_wake
from workers import broker, wake


class Rung:
    """Stands for the broker's bell; keeps when and on which thread it was rung."""

    def __init__(self):
        self.calls, self.fault = [], None

    def ring(self, name):
        self.calls.append((name, time.monotonic(), threading.current_thread()))
        if self.fault:
            raise self.fault


@pytest.fixture
def bell(monkeypatch):
    made = Rung()
    monkeypatch.setattr(broker, "Bell", lambda app: made)
    return made


def wait_for(condition):
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_a_thousand_calls_from_many_threads_become_a_few_messages_none_sent_by_a_caller(bell):
    waker = wake.Waker("redis://127.0.0.1:1/0")
    began = time.monotonic()
    callers = [threading.Thread(target=lambda: [waker.wake() for _ in range(100)]) for _ in range(10)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    wait_for(lambda: bell.calls)
    time.sleep(3 * wake.COALESCE_SECONDS)
    assert len(bell.calls) <= 2 + (time.monotonic() - began) / wake.COALESCE_SECONDS
    assert not {thread for _, _, thread in bell.calls} & {threading.main_thread(), *callers}
    assert {name for name, _, _ in bell.calls} == {"route"}


def test_a_broker_that_is_away_is_asked_once_and_then_left_alone_and_the_caller_never_hears_of_it(bell, monkeypatch):
    monkeypatch.setattr(wake, "AWAY_SECONDS", 0.3)
    bell.fault = OSError("connection refused")
    waker = wake.Waker("redis://127.0.0.1:1/0")
    end = time.monotonic() + 0.5
    while time.monotonic() < end:
        waker.wake()
        time.sleep(0.001)
    assert 1 <= len(bell.calls) <= 2
    bell.fault = None
    waker.wake()
    wait_for(lambda: len(bell.calls) >= 3)


def test_without_a_broker_there_is_nobody_to_wake():
    assert wake.wake_of(Settings()) is nobody_to_wake
    assert wake.wake_of(Settings(broker_url="redis://127.0.0.1:1/0")) is not nobody_to_wake
