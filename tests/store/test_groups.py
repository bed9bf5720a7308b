"""Requests in groups: everyone is done once, in groups, whatever becomes of them."""
from __future__ import annotations

import threading
import time
from collections import deque

import pytest

from lrs.store.groups import Groups, Waiting

MOST = 4


class Asked(Waiting):
    def __init__(self, name: int) -> None:
        super().__init__()
        self.name = name


def some(waiting: deque[Asked]) -> list[Asked]:
    return [waiting.popleft() for _ in range(min(MOST, len(waiting)))]


def through(groups: Groups[Asked], names: range) -> dict[int, BaseException | None]:
    """What became of each, asked for by a thread of its own; one that nobody tells is missing."""
    ended: dict[int, BaseException | None] = {}

    def ask(name: int) -> None:
        try:
            groups.run(Asked(name))
            ended[name] = None
        except Exception as error:
            ended[name] = error

    threads = [threading.Thread(target=ask, args=(name,), daemon=True) for name in names]
    for thread in threads:
        thread.start()
    end = time.monotonic() + 10
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    return ended


def test_everyone_is_done_once_and_who_comes_meanwhile_goes_together() -> None:
    worked: list[list[int]] = []

    def work(group: list[Asked]) -> None:
        worked.append([one.name for one in group])
        time.sleep(0.005)  # as a commit takes its time: others come meanwhile

    assert through(Groups(some, work), range(40)) == dict.fromkeys(range(40))
    assert sorted(name for group in worked for name in group) == list(range(40))
    assert all(len(group) <= MOST for group in worked)
    assert len(worked) < 40


def test_no_two_groups_are_worked_on_at_once() -> None:
    at_it = threading.Lock()

    def work(group: list[Asked]) -> None:
        assert at_it.acquire(blocking=False)
        time.sleep(0.002)  # long enough to be met by another
        at_it.release()

    assert through(Groups(some, work), range(40)) == dict.fromkeys(range(40))


def test_an_error_is_told_to_the_request_that_has_it() -> None:
    def work(group: list[Asked]) -> None:
        for one in group:
            one.error = ValueError(str(one.name)) if one.name % 3 == 0 else None

    ended = through(Groups(some, work), range(12))
    assert {name for name, error in ended.items() if error is not None} == {0, 3, 6, 9}
    assert all(str(error) == str(name) for name, error in ended.items() if error is not None)


def test_work_that_breaks_off_stops_nobody_who_waits() -> None:
    def work(group: list[Asked]) -> None:
        time.sleep(0.005)  # others come meanwhile
        for one in group:
            one.error = RuntimeError("broken off")
        raise RuntimeError("a bug")

    groups = Groups(some, work)
    assert len(through(groups, range(20))) == 20
    assert len(through(groups, range(3))) == 3


@pytest.mark.parametrize("waiting", [0, 1])
def test_whether_more_wait_is_known_while_a_group_is_worked_on(waiting: int) -> None:
    began, go_on = threading.Event(), threading.Event()
    seen: list[bool] = []

    def work(group: list[Asked]) -> None:
        began.set()
        assert go_on.wait(10)
        seen.append(groups.more())

    groups = Groups(some, work)
    threads = [threading.Thread(target=groups.run, args=(Asked(name),)) for name in range(1 + waiting)]
    for thread in threads:
        thread.start()
        assert began.wait(10)
    while waiting and not groups.more():
        time.sleep(0.001)  # until the second is in line
    go_on.set()
    for thread in threads:
        thread.join(10)
    assert seen == [True, False][1 - waiting:]
