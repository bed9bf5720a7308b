"""Many processes that route, claim and record at once, and ones that are killed in the middle: in every store."""
from __future__ import annotations

import signal
import time
from collections import Counter

import pytest
from test_work_deliveries import LATER, SECOND, claim, publish, python, work

from lrs.store.protocols.work import Attempt, Cursor, Output, Published, TargetRow, Wanted

__all__ = ["work"]  # the fixture

# a lease that does not end while the test runs, however slow the machine: whoever is given a delivery twice was given it wrongly
SENDER = """
import sys, time
from store_openers import opened_part
from lrs.errors import StoreUnavailable
from lrs.store.protocols.work import Attempt
from workers.limits import Pace, TargetLimits
work, _ = opened_part(sys.argv[1], "work")
limits, ended, idle = TargetLimits({"webhook": Pace(1e6, 1_000_000, 16, 3)}), [], 0
while idle < 20 or ended:
    try:
        claimed = work.claim_due(8, 3600, sys.argv[2], int(sys.argv[3]), limits, ended)
    except StoreUnavailable:
        continue  # as a worker does: what ended is recorded when the store is back
    for one in claimed:
        print(time.monotonic_ns(), one.target, one.event_id, one.revision, one.unclear)
    ended = [Attempt(one.id, one.lease, time.time_ns() // 1000, "delivered", 1, None, "", 200, says="up") for one in claimed]
    idle = 0 if claimed else idle + 1
    if not claimed:
        time.sleep(0.05)
"""
PUBLISHER = """
import sys
from contextlib import suppress
from store_openers import opened_part
from lrs.errors import StoreUnavailable
from lrs.store.protocols.work import Cursor, Output, Published
work, _ = opened_part(sys.argv[1], "work")
name, other, rounds = sys.argv[2], sys.argv[3], int(sys.argv[4])
while (at := work.cursor(name)).seq < rounds:
    n, kind = at.seq // 3, ("completed", "updated", "updated")[at.seq % 3]
    rows = [Published(f"learning.{kind}", f"{name}{n}-{i}", at.seq % 3 + 1, b"{}") for i in range(3)]
    owed = [(i, target) for i in range(3) for target in ("hris", "crm")]
    with suppress(StoreUnavailable):
        work.advance(name, at, Cursor(at.seq + 1, 0), Output((), rows, owed, fences=[(other, work.cursor(other))]))
"""


def test_nothing_is_sent_twice_or_out_of_order_and_the_feed_has_no_gap_while_all_go_on_at_once(work, open_part, place):
    work.add_target(TargetRow("crm", "webhook"))
    rounds = 6 if place.startswith("mongodb") else 15  # what a server in Python does in a few seconds
    publishers = [python(PUBLISHER, place, name, other, str(rounds)) for name, other in (("a", "b"), ("b", "a"), ("a", "b"))]
    senders = [python(SENDER, place, f"w{n}", str(LATER)) for n in range(3)]
    seen, reader = [], open_part("work")
    while len(seen) < rounds * 6:
        seen += [row.n for row in reader.feed(seen[-1] if seen else 0, 7)]
        time.sleep(0.01)  # a reader that never rests takes the server from the others
    said = [process.communicate(timeout=280)[0] for process in (*publishers, *senders)]
    assert [process.returncode for process in (*publishers, *senders)] == [0] * 6
    assert seen == list(range(1, rounds * 6 + 1))
    assert reader.feed(0, 1_000_000)[-1].n == reader.feed_length() == rounds * 6
    sent = sorted((int(at), target, event_id, int(revision), unclear) for lines in said for at, target, event_id, revision, unclear in
                  (line.split() for line in lines.splitlines()))
    times = Counter(one[1:4] for one in sent)
    assert [one for one in sent if times[one[1:4]] > 1] == []
    assert len(sent) == rounds * 12
    assert {one[4] for one in sent} == {"False"}
    for key in {one[1:3] for one in sent}:
        assert [one[3] for one in sent if one[1:3] == key] == [1, 2, 3]
    assert work.count_by_state() == {"delivered": rounds * 12}
    assert {len(work.attempts(row.id)) for row in work.deliveries(Wanted(), 1000)} == {1}


CLAIMER = """
import sys
from store_openers import opened_part
work, _ = opened_part(sys.argv[1], "work")
print(*(one.id for one in work.claim_due(2, 60, "killed", int(sys.argv[2]))), flush=True)
sys.stdin.read()
"""


def test_what_a_process_held_that_was_killed_between_claim_and_record_comes_back_once_as_unclear(work, open_part, place):
    publish(work, *[("completed", f"a{n}", 1) for n in range(3)])
    process = python(CLAIMER, place, str(LATER))
    held = set(process.stdout.readline().split())
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert len(held) == 2
    beside = open_part("work")
    [other] = claim(beside)
    assert other.id not in held
    assert claim(beside) == []
    # for `work` its lease ended long ago
    again = [one for one in claim(work) if one.id != other.id]
    assert {one.id for one in again} == held
    assert all(one.unclear for one in again)


def test_a_long_queue_of_which_much_is_held_back_is_claimed_in_its_order(work):
    """More than any page of a look: those of one moment, behind earlier revisions that are parked."""
    publish(work, *[("completed", f"a{n}", 1) for n in range(120)])
    for one in claim(work, 1000):
        work.record([parked(one)])
    publish(work, *[("updated", f"a{n}", 2) for n in range(120)], *[("completed", f"b{n}", 1) for n in range(130)])
    assert [one.event_id for one in claim(work, 125)] == [f"b{n}" for n in range(125)]
    assert [one.event_id for one in claim(work, 125)] == [f"b{n}" for n in range(125, 130)]
    assert claim(work, 1) == []
    assert work.release(Wanted(state="parked"), now=LATER) == 120
    assert [(one.event_id, one.revision) for one in claim(work, 1000)] == [(f"a{n}", 1) for n in range(120)]


def parked(one):
    return Attempt(one.id, one.lease, LATER, "parked", 0, None, "unknown person")


@pytest.mark.parametrize("n", [3, 121])
def test_what_an_operator_does_to_many_reaches_all(work, n, monkeypatch):
    monkeypatch.setattr("lrs.store.mongo.deliveries.AT_ONCE", 50)
    rows = [Published("learning.completed", f"e{i}", 1, b'{"user":{"externalId":"7"}}') for i in range(n)]
    assert work.advance("route", Cursor(), Cursor(1, 0), Output((), rows, [(i, "hris") for i in range(n)]))
    assert work.cancel(Wanted(person="7"), why="by hand", dry=True) == n
    assert work.cancel(Wanted(person="7"), why="by hand", dry=False) == n
    assert work.cancel(Wanted(person="7"), why="by hand", dry=False) == 0
    assert work.count_by_state() == {"cancelled": n}
    assert work.replay(Wanted(state="cancelled"), now=LATER, dry=True) == n
    assert work.replay(Wanted(state="cancelled"), now=LATER, dry=False) == n
    claimed = claim(work, n)
    assert len(claimed) == n
    work.give_back(claimed, LATER + 60 * SECOND)
    assert claim(work, now=LATER) == []
    work.set_target_state("hris", "active")
    assert [one.event_id for one in claim(work, 10)] == [f"e{i}" for i in range(min(n, 10))]


def test_a_page_behind_a_cursor_that_no_page_gave_and_ids_that_are_none_find_what_their_order_says(work):
    publish(work, ("completed", "a", 1))
    [row] = work.deliveries(Wanted(), 10)
    for below, found in (("zzz", [row]), ("", []), ("msg_", []), ("msg_zzz", [row]), (row.id, [])):
        assert work.deliveries(Wanted(), 10, (row.created, below)) == found
    assert work.deliveries(Wanted(), 10, (row.created + 1, "")) == [row]
    assert work.deliveries(Wanted(since=row.created, until=row.created + 1), 10, (row.created + 1, "")) == [row]
    assert work.deliveries(Wanted(ids=("nobody", row.id.upper())), 10) == []
    assert work.deliveries(Wanted(ids=("nobody", row.id)), 10) == [row]
    assert work.deliveries(Wanted(), 0) == []
    assert work.payload("nobody") is None
    assert work.attempts("nobody") == []
