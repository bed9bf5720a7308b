"""A long backlog in MongoDB: drained in its order, and each look at it asks for little of it."""
from __future__ import annotations

import pytest
from test_mongo_database import Heard
from test_work_deliveries import SECOND, publish

from lrs.store.mongo import owed
from lrs.store.mongo.clock import Clock
from lrs.store.mongo.database import Database
from lrs.store.mongo.work import MongoWork
from lrs.store.protocols.work import Attempt, TargetRow
from workers.limits import Pace, TargetLimits

BEGAN = 1_800_000_000_000_000
LIMITS = TargetLimits({"webhook": Pace(10_000.0, 10_000, 8)})
DAYS = 3 * 86_400


@pytest.fixture
def heard():
    return Heard()


@pytest.fixture
def database(mongo_place, heard):
    database = Database(mongo_place, [heard])
    yield database
    database.close()


@pytest.fixture
def time():
    return [BEGAN]


@pytest.fixture
def work(database, time):
    clock = Clock(lambda: time[0], lambda: time[0])
    work = MongoWork(database, clock, clock)
    work.migrate()
    work.add_target(TargetRow("hris", "webhook"))
    return work


def owe(work, time, count, first=0, apart=SECOND):
    """So many, each due some µs after the one before."""
    for n in range(first, first + count):
        publish(work, ("completed", f"e{n}", 1))
        time[0] += apart


def looks(heard):
    """The conditions of all looks for what is due that were heard."""
    asked = [command["filter"] for name, command in heard.commands if name == "find" and command["find"] == owed.NAME]
    heard.commands.clear()
    return [one for one in asked if "target" in one and "due" in one]


def drained(work, time, heard):
    """What is claimed until nothing is due, in that order; the most that one look matched, but the first, and the most looks of a claim."""
    names, most, times, ended = [], 0, 0, []
    while True:
        heard.commands.clear()
        with work._database.read() as calls:
            claimed = work.claim_due(32, 60, "me", time[0], LIMITS, ended)
            asked = looks(heard)
            if names:
                most, times = max(most, *(calls.count(owed.NAME, one) for one in asked)), max(times, len(asked))
        if not claimed:
            return names, most, times
        names += [one.event_id for one in claimed]
        ended = [Attempt(one.id, one.lease, time[0], "delivered", 1, None, "", 200, says="up") for one in claimed]


def test_a_look_at_a_long_backlog_asks_for_a_page_of_it_or_two(work, time, heard):
    owe(work, time, 700)
    names, most, times = drained(work, time, heard)
    assert names == [f"e{n}" for n in range(700)]
    assert most <= 2 * owed.PAGE
    assert times <= 12


def test_a_backlog_with_a_gap_of_days_is_found_beyond_it(work, time, heard):
    owe(work, time, 300, apart=SECOND // 100)
    time[0] += DAYS * SECOND
    owe(work, time, 300, first=300)
    names, _, times = drained(work, time, heard)
    assert names == [f"e{n}" for n in range(600)]
    assert times <= 50  # the gap is bridged by slices that double


def test_one_who_looked_in_vain_finds_what_became_due_meanwhile_in_slices(work, time, heard):
    assert drained(work, time, heard) == ([], 0, 0)
    owe(work, time, 500)
    assert drained(work, time, heard)[1] <= 2 * owed.PAGE


def test_the_longest_due_is_told_wherever_the_backlog_seemed_to_begin(work, time):
    owe(work, time, 30)
    assert work.oldest_due("hris", time[0]) == BEGAN
    claimed = work.claim_due(4, 60, "me", time[0], LIMITS)
    assert work.oldest_due("hris", time[0]) == BEGAN + 4 * SECOND
    work.give_back(claimed[2:], BEGAN + 1)
    assert work.oldest_due("hris", time[0]) == BEGAN + 1
