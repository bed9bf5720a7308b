"""Claims within limits that several workers share; batches, lost workers, replay by filter, pages and upgrades."""
from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from test_work_deliveries import LATER, SECOND, claim, end, publish, python, states, work

from lrs.store.protocols.work import Attempt, Claimed, Cursor, Output, Published, TargetRow, Wanted, Work
from lrs.store.sqlite import deliveries, targets
from lrs.store.sqlite import work as sqlite_work
from lrs.store.sqlite.database import Database
from lrs.store.sqlite.work import SqliteWork
from workers.limits import Pace, TargetLimits

__all__ = ["work"]  # the fixture


def limits(**pace: object) -> TargetLimits:
    return TargetLimits({"webhook": Pace(**pace)})  # type: ignore[arg-type]


def many(work: Work, n: int, target: str = "hris") -> None:
    publish(work, *[("completed", f"{target}{i}", 1) for i in range(n)], targets=(target,))


def test_no_more_calls_of_a_target_are_leased_than_it_may_have_in_flight(work: Work) -> None:
    many(work, 10)
    first = work.claim_due(100, 60, "me", LATER, limits(in_flight=3))
    assert len(first) == 3
    assert work.claim_due(100, 60, "another", LATER, limits(in_flight=3)) == []
    end(work, first[0], "delivered")
    assert len(work.claim_due(100, 60, "another", LATER, limits(in_flight=3))) == 1


def test_the_bucket_of_a_target_is_one_for_all_workers_and_fills_with_time(work: Work, open_part: Callable[[str], Work]) -> None:
    other = open_part("work")
    many(work, 40)
    pace = limits(rate_per_second=2.0, burst=5, in_flight=16)
    assert len(work.claim_due(3, 60, "me", LATER, pace)) == 3
    assert len(other.claim_due(100, 60, "another", LATER, pace)) == 2
    assert work.claim_due(100, 60, "me", LATER + SECOND // 4, pace) == []
    assert len(other.claim_due(100, 60, "another", LATER + SECOND, pace)) == 2


CLAIMER = """
import sys
from store_openers import opened_part
from workers.limits import Pace, TargetLimits
work, _ = opened_part(sys.argv[1], "work")
limits = TargetLimits({"webhook": Pace(1000.0, 1000, 4)})
for _ in range(30):
    print(len(work.claim_due(3, 60, sys.argv[2], int(sys.argv[3]), limits)))
"""


def test_processes_that_claim_at_once_share_the_limit_exactly(work: Work, place: str) -> None:
    many(work, 50)
    running = [python(CLAIMER, place, f"w{n}", str(LATER)) for n in range(3)]
    got = [int(line) for process in running for line in process.communicate(timeout=60)[0].split()]
    assert sum(got) == 4


def test_places_are_shared_out_whatever_the_backlog_of_one(work: Work) -> None:
    work.add_target(TargetRow("crm", "webhook"))
    many(work, 100)
    many(work, 3, "crm")
    pace = limits(in_flight=16)
    assert sorted(one.target for one in work.claim_due(4, 60, "me", LATER, pace)) == ["crm", "crm", "hris", "hris"]
    assert sorted(one.target for one in work.claim_due(2, 60, "me", LATER, pace)) == ["crm", "hris"]


def test_a_single_place_goes_to_the_target_that_waits_longest(work: Work) -> None:
    work.add_target(TargetRow("crm", "webhook"))
    many(work, 4)
    many(work, 4, "crm")
    served = []
    for n in range(6):
        [one] = work.claim_due(1, 60, "me", LATER + n, limits())
        served.append(one.target)
        end(work, one, "delivered")
    assert served in (["crm", "hris"] * 3, ["hris", "crm"] * 3)


def test_a_target_that_has_only_blocked_ones_takes_no_place_from_another(work: Work) -> None:
    work.add_target(TargetRow("crm", "webhook"))
    publish(work, ("completed", "a", 1), ("updated", "a", 2))
    end(work, claim(work)[0], "parked", status=None)
    many(work, 1, "crm")
    assert [one.target for one in work.claim_due(1, 60, "me", LATER, limits())] == ["crm"]


def test_one_call_carries_several_deliveries_under_one_lease_but_never_two_of_one_achievement(work: Work) -> None:
    publish(work, ("completed", "a", 1), ("updated", "a", 2), ("completed", "b", 1), ("completed", "c", 1))
    claimed = work.claim_due(1, 60, "me", LATER, limits(batch_max=100, in_flight=1))
    assert [(one.event_id, one.revision) for one in claimed] == [("a", 1), ("b", 1), ("c", 1)]
    assert len({one.lease for one in claimed}) == 1
    assert work.claim_due(1, 60, "me", LATER, limits(batch_max=100, in_flight=1)) == []


def test_what_ended_is_recorded_in_the_commit_of_the_next_claim(work: Work) -> None:
    many(work, 2)
    [one] = work.claim_due(1, 60, "me", LATER, limits(in_flight=1))
    ended = [Attempt(one.id, one.lease, LATER, "delivered", 1, None, "", 200, says="up")]
    [two] = work.claim_due(1, 60, "me", LATER, limits(in_flight=1), ended)
    assert two.id != one.id
    assert work.count_by_state() == {"delivered": 1, "leased": 1}


def test_an_open_breaker_uses_up_no_attempt_and_a_resumed_target_starts_afresh(work: Work) -> None:
    many(work, 10)
    for n in range(5):
        [one] = work.claim_due(1, 60, "me", LATER + n, limits())
        work.record([Attempt(one.id, one.lease, LATER + n, "waiting", 1, LATER + n, "503", 503, says="down")], limits())
    assert work.claim_due(9, 60, "me", LATER + SECOND, limits()) == []
    assert sum(row.attempts for row in work.deliveries(Wanted(), 100)) == 5
    work.set_target_state("hris", "active")
    assert len(work.claim_due(9, 60, "me", LATER + SECOND, limits())) == 4


def test_an_alert_is_logged_when_a_target_is_stopped(work: Work, caplog: pytest.LogCaptureFixture) -> None:
    many(work, 1)
    [one] = claim(work)
    work.record([Attempt(one.id, one.lease, LATER, "waiting", 0, LATER, "answered 410", 410, target_state="disabled")], limits())
    assert "target hris disabled: answered 410" in caplog.text


def lose(work: Work, now: int, pace: TargetLimits, alone: bool = False, owner: str = "w") -> tuple[list[Claimed], int]:
    """Claim what is due, in the hands of a worker that is killed; what it was, and when its lease has ended."""
    return work.claim_due(9, 60, owner, now, pace, alone=alone), now + 60 * SECOND


def test_losses_in_company_prove_nothing_however_many_workers_end(work: Work) -> None:
    many(work, 6)
    now, pace = LATER, limits(in_flight=16)
    for _ in range(2):
        lost, now = lose(work, now, pace)
        assert len(lost) == 6
    for n in range(20):  # workers go on dying, of which none may have them any more
        assert lose(work, now + n * 60 * SECOND, pace)[0] == []
    assert {row.state for row in work.deliveries(Wanted(), 10)} == {"waiting"}


def test_a_poison_delivery_is_dead_after_three_workers_that_had_nothing_else_and_its_neighbours_are_delivered(work: Work) -> None:
    many(work, 4)
    now, pace = LATER, limits(batch_max=10)
    poison = work.claim_due(1, 60, "w", now, pace)[0].id
    killed = []
    for n in range(200):
        now += 61 * SECOND
        for alone in (False, True):
            claimed = work.claim_due(9, 60, f"w{n}", now, pace, alone=alone)
            if poison in {one.id for one in claimed}:
                killed.append((alone, len(claimed)))
                break  # the worker is killed, and all that it had is lost
            for one in claimed:
                assert not alone or len(claimed) == 1
                end(work, one, "delivered")
    assert killed == [(False, 4), (True, 1), (True, 1), (True, 1)]
    rows = {row.id: (row.state, row.why) for row in work.deliveries(Wanted(), 10)}
    state, why = rows.pop(poison)
    assert (state, why.partition(",")[0]) == ("dead", "3 workers ended while they were sending it and nothing else")
    assert {state for state, _ in rows.values()} == {"delivered"}
    story = work.attempts(poison)
    assert [one.state for one in story] == ["waiting", "waiting", "waiting", "dead"]
    assert all(re.search(r"w\d* \(its lease ended 20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ\)", one.why) for one in story)
    assert work.replay(Wanted(ids=(poison,)), now=now, dry=False) == 1
    assert [one.id for one in claim(work, now=now)] == [poison]


def test_a_suspect_goes_by_the_retry_schedule_from_when_its_loss_is_found(work: Work) -> None:
    many(work, 1)
    now, pace = LATER, limits()
    for _ in range(2):
        _, now = lose(work, now, pace)
    for wait in (5, 300, 1800):
        now += 7 * SECOND  # nobody looked in the meantime
        assert lose(work, now, pace)[0] == []
        assert work.deliveries(Wanted(), 1)[0].due == now + wait * SECOND
        assert lose(work, now + wait * SECOND - 1, pace, alone=True)[0] == []
        lost, now = lose(work, now + wait * SECOND, pace, alone=True)
        assert len(lost) == 1
    assert lose(work, now, pace)[0] == []
    assert states(work) == {1: "dead"}


def suspects(work: Work, n: int, pace: TargetLimits) -> int:
    """Make so many; when they are due."""
    many(work, n)
    now = LATER
    for _ in range(2):
        lost, now = lose(work, now, pace, owner="killed")
        assert len(lost) == n
    assert lose(work, now, pace)[0] == []
    return now + 5 * SECOND


def test_one_suspect_is_in_flight_over_all_workers_and_its_owner_has_nothing_beside_it(work: Work) -> None:
    pace = limits(in_flight=16)
    now = suspects(work, 3, pace)
    publish(work, *[("completed", f"fresh{n}", 1) for n in range(5)])
    busy = work.claim_due(2, 60, "busy", now, pace)
    assert [one.unclear for one in busy] == [False, False]
    assert work.claim_due(9, 60, "busy", now, pace, alone=True) == []
    [alone] = work.claim_due(9, 60, "idle", now, pace, alone=True)
    assert alone.unclear
    assert work.claim_due(9, 60, "idle", now, pace) == []
    assert work.claim_due(9, 60, "another", now, pace, alone=True) == []
    assert len(work.claim_due(9, 60, "another", now, pace)) == 3  # all others go on at full speed
    end(work, alone, "delivered")
    assert len(work.claim_due(9, 60, "idle", now, pace, alone=True)) == 1


def test_a_suspect_with_an_outcome_is_as_good_as_new(work: Work) -> None:
    pace = limits(in_flight=16)
    now = suspects(work, 1, pace)
    [alone] = work.claim_due(9, 60, "idle", now, pace, alone=True)
    end(work, alone, "waiting", status=503, due=now)
    for _ in range(2):
        lost, now = lose(work, now, pace)
        assert len(lost) == 1
    assert lose(work, now, pace)[0] == []
    assert states(work) == {1: "waiting"}


def test_a_suspect_holds_back_the_later_revisions_of_its_own_achievement_only(work: Work) -> None:
    pace = limits(in_flight=16)
    now = suspects(work, 1, pace)
    publish(work, ("updated", "hris0", 2), ("completed", "b", 1))
    assert [one.event_id for one in work.claim_due(9, 60, "w", now, pace)] == ["b"]
    [alone] = work.claim_due(9, 60, "idle", now, pace, alone=True)
    end(work, alone, "delivered")
    assert [(one.event_id, one.revision) for one in work.claim_due(9, 60, "w", now, pace)] == [("hris0", 2)]


def test_a_suspect_keeps_to_the_limits_of_its_target(work: Work) -> None:
    pace = limits(in_flight=1)
    many(work, 1)
    now = LATER
    for _ in range(2):
        _, now = lose(work, now, pace)
    publish(work, ("completed", "fresh", 1))
    now += 5 * SECOND
    assert [one.unclear for one in work.claim_due(9, 60, "w", now, pace)] == [False]
    now += 5 * SECOND
    assert work.claim_due(9, 60, "idle", now, pace, alone=True) == []
    work.set_target_state("hris", "paused")
    assert work.claim_due(9, 60, "idle", now + 90 * SECOND, pace, alone=True) == []


def test_a_credential_event_is_never_told_as_learning(work: Work) -> None:
    def credential(kind: str, revision: int, key: str = "badge") -> None:
        body = json.dumps({"event": f"credential.{kind}", "id": key, "revision": revision}).encode()
        at = work.cursor("route")
        work.advance("route", at, Cursor(at.seq + 1, 0), Output((), [Published(f"credential.{kind}", key, revision, body)], [(0, "hris")]))

    credential("awarded", 1)
    [one] = claim(work)
    assert one.event == "credential.awarded"
    end(work, one, "delivered")
    credential("revoked", 2)
    [two] = claim(work)
    assert two.event == json.loads(two.payload)["event"] == "credential.revoked"
    credential("awarded", 1, "never sent")
    credential("revoked", 2, "never sent")
    assert sorted(row.state for row in work.deliveries(Wanted(), 10)) == ["cancelled", "cancelled", "delivered", "leased"]


def test_settings_of_a_target_change_and_its_state_stays(work: Work) -> None:
    work.set_target_state("hris", "paused", "by hand")
    assert work.change_target("hris", {"url": "https://new.example"})
    target = work.target("hris")
    assert target is not None
    assert (target.settings, target.state, target.why) == ({"url": "https://new.example"}, "paused", "by hand")
    assert not work.change_target("nobody", {})


def test_deliveries_are_listed_and_replayed_by_event_person_and_course(work: Work) -> None:
    rows = [Published("learning.completed", f"e{n}", 1, json.dumps(
        {"user": {"externalId": str(n % 2)}, "course": {"id": f"c{n % 3}"}}).encode()) for n in range(12)]
    assert work.advance("route", Cursor(), Cursor(1, 0), Output((), rows, [(n, "hris") for n in range(12)]))
    for one in work.claim_due(99, 60, "me", LATER):
        end(work, one, "delivered")
    for wanted, n in ((Wanted(person="1"), 6), (Wanted(course="c2"), 4), (Wanted(person="0", course="c0"), 2),
                      (Wanted(event="learning.completed"), 12), (Wanted(event="learning.revoked"), 0)):
        assert len(work.deliveries(wanted, 100)) == n
        assert work.replay(wanted, now=LATER, dry=True) == n
        assert work.replay(wanted, now=LATER, dry=False) == n
        sent = work.claim_due(99, 60, "me", LATER)
        assert len(sent) == n
        for one in sent:
            end(work, one, "delivered")


def test_a_replay_counts_what_it_sends_also_where_there_are_later_revisions_and_revokes(work: Work) -> None:
    publish(work, ("completed", "a", 1))
    first = claim(work)[0]
    end(work, first, "delivered")
    publish(work, ("updated", "a", 2))
    end(work, claim(work)[0], "delivered")
    publish(work, ("completed", "b", 1))
    publish(work, ("revoked", "b", 2))
    for wanted in (Wanted(ids=(first.id,)), Wanted(state="cancelled"), Wanted(target="hris")):
        counted = work.replay(wanted, now=LATER, dry=True)
        assert work.replay(wanted, now=LATER, dry=False) == counted
        sent = []
        while claimed := claim(work):
            sent += claimed
            for one in claimed:
                end(work, one, "delivered")
        assert len(sent) == counted
        assert [one.revision for one in sent if one.event_id == "a"] in ([1, 2], [])
        assert states(work)


def test_pages_show_each_delivery_once_while_others_come(work: Work) -> None:
    many(work, 25)
    seen: list[str] = []
    before = None
    while page := work.deliveries(Wanted(), 7, before):
        seen += [row.id for row in page]
        before = (page[-1].created, page[-1].id)
        publish(work, ("completed", f"new{len(seen)}", 1))
    assert len(seen) == len(set(seen)) == 25


def test_a_file_of_an_older_version_is_upgraded_with_what_it_holds(tmp_path: Path) -> None:
    database = Database(tmp_path / "work.db")
    old = SqliteWork(database)
    database.migrate("work", sqlite_work.SCRIPTS)
    database.migrate("deliveries", deliveries.SCRIPTS[:2])
    database.migrate("targets", targets.SCRIPTS[:1])
    with database.write() as db:
        db.execute("INSERT INTO targets VALUES ('hris', 'webhook', '{}', 'active', '')")
        db.execute("INSERT INTO deliveries (id, target, event, event_id, revision, payload, state, due, created) "
                   "VALUES ('m', 'hris', 'learning.completed', 'a', 1, X'7b7d', 'pending', 1, 1)")
        with pytest.raises(sqlite3.OperationalError):
            db.execute("SELECT lost FROM deliveries")
    old.migrate()
    old.migrate()
    [target] = old.targets()
    assert target.health.tokens is None
    assert [one.id for one in old.claim_due(9, 60, "me", LATER, limits())] == ["m"]


def test_what_another_makes_due_before_all_that_is_known_to_wait_goes_first(work: Work, open_part: Callable[[str], Work]) -> None:
    other = open_part("work")
    many(work, 4)
    for one, due in zip(claim(work), (100, 200, 300, 400), strict=True):
        end(work, one, "waiting", status=503, due=LATER + due * SECOND)
    for due, now in ((50, 350), (40, 350), (30, 60)):  # at last its own clock was set back, too
        [first] = claim(work, 1, LATER + 350 * SECOND)
        assert end(other, first, "waiting", status=503, due=LATER + due * SECOND) == 1
        [again] = claim(work, 1, LATER + now * SECOND)
        assert first.event_id == again.event_id == "hris0"
        end(work, again, "waiting", status=503, due=LATER + 10 * SECOND)
    end(work, claim(work, 1, LATER + 60 * SECOND)[0], "delivered")
    assert [one.event_id for one in claim(work, now=LATER + 350 * SECOND)] == ["hris1", "hris2"]
