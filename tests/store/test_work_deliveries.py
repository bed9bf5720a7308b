"""Deliveries: owed once, claimed by one worker at a time, in order per achievement, replayed under the same id."""
from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from lrs.errors import StoreUnavailable
from lrs.store.mongo.clock import Clock
from lrs.store.mongo.work import MongoWork
from lrs.store.protocols.work import Attempt, Claimed, Cursor, Output, Published, TargetRow, Wanted, Work
from lrs.store.sqlite.clock import Clock as SqliteClock
from lrs.store.sqlite.clock import Ticks
from lrs.store.webhook_ids import webhook_id

SECOND = 1_000_000
LATER = 4_000_000_000_000_000
"""A time (µs) after every `due` that the store sets by the clock."""


def together(work: Work) -> Work:
    """The machine's clocks go together: what a claim is given as the time is also what went by since boot."""
    up, claim_due = [0], work.claim_due

    def claim_at(n: int, lease_seconds: float, owner: str, now: int, *rest: Any, **more: Any) -> list[Claimed]:
        up[0] = max(up[0], now)
        return claim_due(n, lease_seconds, owner, now, *rest, **more)

    if isinstance(work, MongoWork):
        work._leases = Clock(lambda: up[0], lambda: up[0])
    else:
        work._leases = SqliteClock(Ticks(lambda: up[0], lambda: up[0], lambda: "boot"), follows=False)
    work.claim_due = claim_at
    return work


@pytest.fixture
def work(open_part: Callable[[str], Work]) -> Work:
    made = together(open_part("work"))
    made.add_target(TargetRow("hris", "webhook", {"url": "https://hris.example"}))
    return made


def publish(work: Work, *events: tuple[str, str, int], targets: tuple[str, ...] = ("hris",), **more: object) -> None:
    """Publish (event, id, revision) tuples and owe each to the targets."""
    rows = [Published(f"learning.{kind}", key, revision, json.dumps({
        "event": f"learning.{kind}", "id": key, "revision": revision, "user": {"externalId": "7"}, "course": {"id": "c1"}}).encode())
        for kind, key, revision in events]
    at = work.cursor("route")
    owed = [(index, target) for index in range(len(rows)) for target in targets]
    assert work.advance("route", at, Cursor(at.seq + 1, 0), Output((), rows, owed, **more))  # type: ignore[arg-type]


def claim(work: Work, n: int = 10, now: int = LATER) -> list[Claimed]:
    return work.claim_due(n, 60, "me", now)


def end(work: Work, one: Claimed, state: str, *, status: int | None = 200, due: int | None = None, attempts: int = 1) -> int:
    return work.record([Attempt(one.id, one.lease, LATER, state, attempts, due, "because", status, 12.5, "answer")])


def states(work: Work) -> dict[int, str]:
    return {row.revision: row.state for row in work.deliveries(Wanted(), 100)}


def test_an_event_is_owed_once_to_each_target_under_an_id_that_anybody_can_compute(work: Work) -> None:
    publish(work, ("completed", "a", 1), targets=("hris", "hris"))
    rows = work.deliveries(Wanted(), 10)
    assert [row.id for row in rows] == [webhook_id("hris", "a", 1)]
    assert webhook_id("crm", "a", 1) != webhook_id("hris", "a", 1) != webhook_id("hris", "a", 2)


def test_a_claim_carries_the_payload_and_holds_others_off(work: Work) -> None:
    publish(work, ("completed", "a", 1))
    [one] = claim(work)
    assert (one.event, one.event_id, one.revision, one.attempts, one.unclear) == ("learning.completed", "a", 1, 0, False)
    assert json.loads(one.payload)["id"] == "a"
    assert one.lease_until == LATER + 60 * SECOND
    assert claim(work) == []


def test_an_outcome_is_kept_with_its_attempt(work: Work) -> None:
    publish(work, ("completed", "a", 1))
    [one] = claim(work)
    assert end(work, one, "delivered", status=204) == 1
    assert states(work) == {1: "delivered"}
    [attempt] = work.attempts(one.id)
    assert (attempt.status, attempt.milliseconds, attempt.body, attempt.state) == (204, 12.5, "answer", "delivered")


def test_of_an_answer_at_most_two_kilobytes_are_kept(work: Work) -> None:
    publish(work, ("completed", "a", 1))
    [one] = claim(work)
    work.record([Attempt(one.id, one.lease, LATER, "dead", 1, None, "", 400, 1.0, "x" * 5000)])
    assert len(work.attempts(one.id)[0].body) == 2048


def test_what_waits_is_claimed_when_it_is_due_and_not_before(work: Work) -> None:
    publish(work, ("completed", "a", 1))
    [one] = claim(work)
    end(work, one, "waiting", status=503, due=LATER + 5 * SECOND)
    assert claim(work, now=LATER + 5 * SECOND - 1) == []
    [again] = claim(work, now=LATER + 5 * SECOND)
    assert (again.id, again.attempts, again.unclear) == (one.id, 1, False)


def test_an_expired_lease_comes_back_as_unclear_and_its_old_token_changes_nothing(work: Work) -> None:
    publish(work, ("completed", "a", 1))
    [one] = claim(work)
    [again] = claim(work, now=one.lease_until)
    assert again.unclear
    assert again.id == one.id
    assert again.lease != one.lease
    assert end(work, one, "dead") == 0
    assert states(work) == {1: "leased"}
    assert work.attempts(one.id) == []
    assert end(work, again, "delivered") == 1
    assert end(work, again, "dead") == 0
    assert states(work) == {1: "delivered"}


@pytest.mark.parametrize("unclear", [True, False])
def test_a_try_that_may_have_arrived_comes_back_as_unclear(work: Work, unclear: bool) -> None:
    publish(work, ("completed", "a", 1))
    [one] = claim(work)
    work.record([Attempt(one.id, one.lease, LATER, "waiting", 1, LATER, "no answer", unclear=unclear)])
    assert [again.unclear for again in claim(work)] == [unclear]


def test_an_attempt_can_stop_its_whole_target_in_the_same_write(work: Work) -> None:
    publish(work, ("completed", "a", 1), ("completed", "b", 1))
    [one] = claim(work, 1)
    work.record([Attempt(one.id, one.lease, LATER, "waiting", 0, LATER, "401: the key is wrong", 401, target_state="paused")])
    assert [(t.state, t.why) for t in work.targets()] == [("paused", "401: the key is wrong")]
    assert claim(work) == []


def test_what_was_not_sent_is_given_back_at_once(work: Work) -> None:
    publish(work, ("completed", "a", 1))
    claimed = claim(work)
    work.give_back(claimed, LATER)
    [again] = claim(work)
    assert (again.id, again.unclear) == (claimed[0].id, False)


def test_leases_of_a_worker_that_is_gone_are_due_at_once_as_unclear_for_the_named_targets_only(work: Work) -> None:
    work.add_target(TargetRow("crm", "hubspot"))
    publish(work, ("completed", "a", 1), targets=("hris", "crm"))
    assert len(claim(work)) == 2
    assert work.expire_leases(["hris"], "me", LATER) == 0
    assert work.expire_leases(["hris"], "another", LATER) == 1
    [again] = claim(work)
    assert (again.target, again.unclear) == ("hris", True)


@pytest.mark.parametrize("state", ["pending", "leased", "waiting", "parked"])
def test_an_open_revision_holds_back_the_next_one(work: Work, state: str) -> None:
    publish(work, ("completed", "a", 1))
    if state != "pending":
        [one] = claim(work)
        if state != "leased":
            end(work, one, state, status=503, due=LATER + 100 * SECOND)
    publish(work, ("updated", "a", 2), ("completed", "b", 1))
    assert {(c.event_id, c.revision) for c in claim(work)} == {("b", 1)} | ({("a", 1)} if state == "pending" else set())


@pytest.mark.parametrize("state", ["delivered", "dead", "cancelled"])
def test_a_finished_revision_does_not(work: Work, state: str) -> None:
    publish(work, ("completed", "a", 1), ("updated", "a", 2))
    [one] = claim(work)
    end(work, one, state)
    assert [c.revision for c in claim(work)] == [2]


def test_an_update_is_said_as_a_completion_to_a_target_that_never_got_one(work: Work) -> None:
    publish(work, ("completed", "a", 1), ("updated", "a", 2), ("updated", "a", 3))
    end(work, claim(work)[0], "dead", status=400)
    [second] = claim(work)
    assert second.event == json.loads(second.payload)["event"] == "learning.completed"
    end(work, second, "delivered")
    assert claim(work)[0].event == "learning.updated"
    assert json.loads(work.feed(0, 10)[1].body)["event"] == "learning.updated"


def test_a_revoke_cancels_what_was_never_tried_and_is_not_sent_itself(work: Work) -> None:
    publish(work, ("completed", "a", 1))
    publish(work, ("revoked", "a", 2))
    assert states(work) == {1: "cancelled", 2: "cancelled"}
    assert claim(work) == []
    assert len(work.feed(0, 10)) == 2


def test_a_revoke_follows_a_completion_that_was_delivered(work: Work) -> None:
    publish(work, ("completed", "a", 1))
    end(work, claim(work)[0], "delivered")
    publish(work, ("revoked", "a", 2))
    assert [c.event for c in claim(work)] == ["learning.revoked"]


@pytest.mark.parametrize("status", [None, 503])
def test_a_revoke_waits_behind_a_completion_that_may_have_arrived(work: Work, status: int | None) -> None:
    publish(work, ("completed", "a", 1))
    end(work, claim(work)[0], "waiting", status=status, due=LATER + SECOND)
    publish(work, ("revoked", "a", 2))
    assert claim(work) == []
    [first] = claim(work, now=LATER + SECOND)
    end(work, first, "delivered")
    assert [c.event for c in claim(work)] == ["learning.revoked"]


@pytest.mark.parametrize(("state", "status"), [("waiting", 429), ("waiting", 401), ("parked", None)])
def test_a_revoke_cancels_what_the_target_surely_did_not_take(work: Work, state: str, status: int | None) -> None:
    publish(work, ("completed", "a", 1))
    end(work, claim(work)[0], state, status=status, due=LATER)
    publish(work, ("revoked", "a", 2))
    assert (states(work)[2], claim(work)) == ("cancelled", [])


@pytest.mark.parametrize("status", [401, 410])
def test_a_revoke_that_is_owed_while_its_completion_is_being_sent_goes_out_only_if_that_may_have_arrived(
        work: Work, status: int) -> None:
    for key, answered, after in (("a", status, []), ("b", 400, ["learning.revoked"])):
        publish(work, ("completed", key, 1))
        [being_sent] = claim(work)
        publish(work, ("revoked", key, 2))
        end(work, being_sent, "dead", status=answered)
        assert [one.event for one in claim(work)] == after


def test_a_paused_target_keeps_what_it_is_owed_until_it_is_resumed(work: Work) -> None:
    assert work.set_target_state("hris", "paused", "wrong key")
    publish(work, ("completed", "a", 1))
    assert claim(work) == []
    [target] = work.targets()
    assert (target.state, target.why, target.settings) == ("paused", "wrong key", {"url": "https://hris.example"})
    work.set_target_state("hris", "active")
    assert len(claim(work)) == 1


def test_there_is_no_state_for_a_target_that_is_not_there(work: Work) -> None:
    assert not work.set_target_state("nobody", "paused")
    assert work.target("nobody") is None


def test_parked_ones_are_released_by_hand_or_when_their_person_or_course_changes(work: Work) -> None:
    for released in (None, ("person", "7"), ("course", "c1")):
        publish(work, ("completed", f"a{released}", 1))
        [one] = claim(work)
        end(work, one, "parked", status=None)
        assert claim(work) == []
        if released is None:
            assert work.release(Wanted(target="hris"), now=LATER) == 1
        else:
            publish(work, released=[("person", "8"), ("course", "c2")])
            assert claim(work) == []
            publish(work, released=[released])
        [again] = claim(work)
        assert again.id == one.id
        end(work, again, "delivered")


def test_a_replay_counts_first_and_sends_under_the_same_id(work: Work) -> None:
    publish(work, ("completed", "a", 1), ("completed", "b", 1), ("completed", "c", 1))
    first, second, third = claim(work)
    end(work, first, "delivered", attempts=4)
    end(work, second, "dead", status=400)
    for wanted, n in ((Wanted(), 2), (Wanted(ids=(first.id,)), 1), (Wanted(state="dead"), 1), (Wanted(target="crm"), 0),
                      (Wanted(since=LATER), 0), (Wanted(since=0, until=LATER), 2), (Wanted(until=1), 0)):
        assert work.replay(wanted, now=LATER, dry=True) == n
    assert claim(work) == []
    assert work.replay(Wanted(), now=LATER, dry=False) == 2
    again = claim(work)
    assert {c.id for c in again} == {first.id, second.id}
    assert {c.id: (c.attempts, c.unclear) for c in again} == {first.id: (0, True), second.id: (0, False)}
    assert third.id not in {c.id for c in again}


def test_a_replay_leaves_what_was_taken_back(work: Work) -> None:
    publish(work, ("completed", "a", 1))
    publish(work, ("revoked", "a", 2))
    assert work.replay(Wanted(), now=LATER, dry=False) == 0


def test_no_two_threads_get_the_same_delivery(work: Work, open_part: Callable[[str], Work]) -> None:
    publish(work, *[("completed", f"a{n}", 1) for n in range(120)])
    got: list[str] = []

    def run(owner: str) -> None:
        mine, claimed = open_part("work"), [None]
        while claimed:
            with suppress(StoreUnavailable):  # as a worker does: the next time
                claimed = mine.claim_due(7, 60, owner, LATER)
                got.extend(one.id for one in claimed)

    threads = [threading.Thread(target=run, args=(f"w{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == len(set(got)) == 120


def python(code: str, *given: str) -> subprocess.Popen[str]:
    """A process that runs this, and finds `store_openers`."""
    path = os.pathsep.join([str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")]), os.getcwd()])
    return subprocess.Popen([sys.executable, "-c", code, *given], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path})


CLAIMER = """
import sys
from store_openers import opened_part
work, _ = opened_part(sys.argv[1], "work")
while claimed := work.claim_due(5, 60, sys.argv[2], int(sys.argv[3])):
    print(*(one.id for one in claimed), sep="\\n")
"""


def test_no_two_processes_get_the_same_delivery(work: Work, place: str) -> None:
    publish(work, *[("completed", f"a{n}", 1) for n in range(120)])
    running = [python(CLAIMER, place, owner, str(LATER)) for owner in ("one", "two")]
    got = [line for process in running for line in process.communicate(timeout=60)[0].split()]
    assert [process.returncode for process in running] == [0, 0]
    assert len(got) == len(set(got)) == 120
