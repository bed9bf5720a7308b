"""Two who change the settings of one thing at the same time both succeed: nobody's change is lost."""
from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lrs.config import load
from lrs.management import connections, targets
from lrs.services import Services
from lrs.store.open_store import Store, open_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path)
    targets.create(opened, who="t", name="hook", connector="webhook", settings={"url": "https://r.example/"}, now_us=0)
    connections.add(Services(load({"LRS_DATA": str(tmp_path)}), opened), who="t", name="zoom", source="zoom",
                    settings={"secret_token": "first-token"})
    yield opened
    opened.close()


def at_once(*several: Callable[[], Any]) -> list[Any]:
    """Call all of them in threads that start together; what they answer."""
    barrier, answers = threading.Barrier(len(several)), []

    def one(call: Callable[[], Any]) -> None:
        barrier.wait()
        answers.append(call())

    threads = [threading.Thread(target=one, args=(call,)) for call in several]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == len(several)
    return answers


def test_different_settings_of_a_target_are_all_changed(store: Store) -> None:
    wanted = {"timeout": 7, "rate_per_second": "9", "burst": 11, "in_flight": 3, "allow_private": True}
    at_once(*(lambda name=name, value=value: targets.change(store, "hook", who="t", settings={name: value}, now_us=0)
              for name, value in wanted.items()))
    found = targets.by_name(store, "hook").settings
    assert {name: found[name] for name in wanted} == wanted


def test_a_secret_that_is_answered_is_one_that_signs_or_that_a_later_one_replaced(store: Store) -> None:
    made = at_once(*(lambda: targets.rotate(store, "hook", who="t", now_us=0) for _ in range(2)))
    assert set(targets.by_name(store, "hook").settings["secret"].split()) == {one["secret"] for one in made}


def test_different_settings_of_a_connection_are_all_changed(store: Store) -> None:
    wanted = {"timeout": 7, "attendance_percent": 60, "retention_days": 9, "account_id": "a"}
    at_once(*(lambda name=name, value=value: connections.change(store, "zoom", {name: value}, who="t")
              for name, value in wanted.items()),
            lambda: connections.rotate(store, "zoom", "second-token", who="t"))
    found = connections.by_name(store, "zoom").settings
    assert {name: found[name] for name in wanted} == wanted
    assert found["secret_token"] == "second-token first-token"


def test_settings_that_somebody_else_changed_are_not_replaced(store: Store) -> None:
    read = targets.by_name(store, "hook").settings
    assert store.work.change_target("hook", {**read, "timeout": 3}, before=read)
    assert not store.work.change_target("hook", {**read, "timeout": 4}, before=read)
    there = connections.by_name(store, "zoom").settings
    assert store.connections.change("zoom", settings={**there, "timeout": 3}, before=there)
    assert not store.connections.change("zoom", settings={**there, "timeout": 4}, before=there)
