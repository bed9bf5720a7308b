"""A fault at any call of MongoDB's driver in what the worker writes: whole or not at all, and nothing twice."""
from __future__ import annotations

import pytest
from test_mongo_faults import FAULTY, Faults, FaultyDatabase
from test_work_deliveries import LATER, claim, publish, states, together

from lrs.errors import StoreUnavailable
from lrs.store.mongo.work import LAYOUT, MongoWork
from lrs.store.protocols.work import Attempt, Cursor, Output, Published, StateRow, TargetRow, Wanted


@pytest.fixture
def faults():
    return Faults()


@pytest.fixture
def work(mongo_place, faults):
    database = FaultyDatabase(mongo_place, faults)
    work = MongoWork(database)
    work.migrate()
    work.add_target(TargetRow("hris", "webhook"))
    yield together(work)
    faults.arm(None)
    database.close()


def fault_of(run):
    """Why it could not be done; '' if it was."""
    try:
        assert run()
    except StoreUnavailable as error:
        return str(error)
    return ""


def content(work):
    with work._database.read() as calls:
        return {name: sorted(calls.find(name, {}), key=repr) for name in LAYOUT.indexes}


def ended(claimed):
    return [Attempt(one.id, one.lease, LATER, "waiting", 1, LATER, "503", 503, target_state="paused") for one in claimed]


def an_advance(work, n):
    publish(work, ("completed", f"told{n}", 1))
    work.record([Attempt(one.id, one.lease, LATER, "delivered", 1, None, "", 200) for one in claim(work)])
    publish(work, ("completed", f"untold{n}", 1), ("completed", f"merged{n}", 1))
    was = work.cursor("route")
    rows = [Published(f"learning.{kind}", key, revision, b'{"user":{"externalId":"7"}}') for kind, key, revision in
            (("completed", f"new{n}", 1), ("revoked", f"told{n}", 2), ("revoked", f"untold{n}", 2))]
    output = Output([StateRow("person:1", "c", b"%d" % n), StateRow("person:2", "c", None)], rows, [(place, "hris") for place in range(3)],
                    [f"merged{n}"], [("person", "8"), ("course", "c2")], [("reread", Cursor())])
    return lambda: work.advance("route", was, Cursor(was.seq + 1, 0), output)


def a_record(work, n):
    work.set_target_state("hris", "active")
    publish(work, ("completed", f"a{n}", 1), ("completed", f"b{n}", 1))
    attempts = ended(claim(work))
    return lambda: work.record(attempts)


def a_claim(work, n):
    work.set_target_state("hris", "active")
    publish(work, ("completed", f"a{n}", 1), ("completed", f"b{n}", 1), ("updated", f"c{n}", 2))
    [lost] = claim(work, 1)
    publish(work, ("completed", f"d{n}", 1))
    attempts = [Attempt(one.id, one.lease, LATER, "delivered", 1, None, "", 200) for one in claim(work, 1)]
    return lambda: work.claim_due(9, 60, "me", lost.lease_until, ended=attempts)


ACTS = {"advance": (an_advance, 13), "record": (a_record, 6), "claim_due": (a_claim, 17)}


@pytest.mark.parametrize("sticky", [False, True], ids=["one call fails", "all later calls fail"])
@pytest.mark.parametrize("done", [False, True], ids=["before it is done", "when it is done and its answer is lost"])
@pytest.mark.parametrize("act", ACTS)
def test_at_every_call_all_is_written_or_nothing(work, faults, act, done, sticky):
    prepare, least = ACTS[act]
    failed = stood = 0
    for at in range(1, 100):
        run = prepare(work, at)
        before = content(work)
        faults.arm(at, done=done, sticky=sticky)
        error = fault_of(run)
        faults.arm(None)
        if not error:
            break
        failed += 1
        assert "connection reset by peer" in error
        if content(work) == before:
            assert run()  # the very same, now that the server answers
        else:
            # only a COMMIT whose answer was lost: all of it stands, and done again it changes nothing
            stood += 1
            assert done
            whole = content(work)
            if act == "claim_due":
                assert claim(work) == []
            else:
                assert not run()
                assert content(work) == whole
        released = [one.id for one in work.deliveries(Wanted(state="leased"), 99)]
        work.expire_leases(["hris"], "nobody", 0)
        work.cancel(Wanted(), why="the next round begins", dry=False)
        for one in work.claim_due(99, 60, "me", LATER + 10**12) if released else ():
            work.record([Attempt(one.id, one.lease, LATER, "delivered", 1, None, "", 200)])
    assert failed == at - 1 >= least
    assert stood == int(done)
    rows = work.feed(0, 10_000)
    assert [row.n for row in rows] == list(range(1, len(rows) + 1))


@pytest.mark.parametrize("act", ACTS)
def test_what_the_driver_calls_transient_is_done_again_and_stands_once(work, faults, act, caplog):
    prepare, least = ACTS[act]
    for at in range(least - 4, least):
        run = prepare(work, at)
        caplog.clear()
        faults.arm(at, labels=("TransientTransactionError",))
        assert run()
        assert faults.calls > at
        faults.arm(None)
        told = [record.getMessage() for record in caplog.records]
        assert len(told) == len(set(told))  # said once, whatever was repeated
        assert any("paused" in one for one in told) == (act == "record")
    rows = work.feed(0, 10_000)
    assert [row.n for row in rows] == list(range(1, len(rows) + 1))


@pytest.mark.parametrize("data", FAULTY, ids=["not primary at commit", "closed at commit", "conflict", "closed at insert",
                                              "closed at update"])
def test_a_server_that_fails_once_is_asked_again(work, mongo_server, data):
    publish(work, ("completed", "a", 1))
    mongo_server.client.admin.command("configureFailPoint", "failCommand", mode={"times": 1}, data=data)
    try:
        publish(work, ("completed", "b", 1))
        assert work.record([Attempt(one.id, one.lease, LATER, "delivered", 1, None, "", 200) for one in claim(work)]) == 2
    finally:
        mongo_server.client.admin.command("configureFailPoint", "failCommand", mode="off")
    assert [row.n for row in work.feed(0, 9)] == [1, 2]
    assert states(work) == {1: "delivered"}
    assert {len(work.attempts(row.id)) for row in work.deliveries(Wanted(), 9)} == {1}


ASKED = {
    "cursor": lambda w: w.cursor("route"), "states": lambda w: w.states(["a"]), "last_published": lambda w: w.last_published("a"),
    "holders": lambda w: w.holders(1), "subjects": lambda w: w.subjects("a", 1), "held": lambda w: w.held(),
    "count_held": lambda w: w.count_held(), "feed": lambda w: w.feed(0, 1), "feed_length": lambda w: w.feed_length(),
    "data_version": lambda w: w.data_version(), "targets": lambda w: w.targets(), "target": lambda w: w.target("a"),
    "deliveries": lambda w: w.deliveries(Wanted(), 1), "payload": lambda w: w.payload("a"),
    "attempts": lambda w: w.attempts("msg_" + "0" * 32), "oldest_due": lambda w: w.oldest_due("a", 1),
    "count_by_state": lambda w: w.count_by_state(), "is_suspect_due": lambda w: w.is_suspect_due(1),
    "replay": lambda w: w.replay(Wanted(), now=1, dry=False), "cancel": lambda w: w.cancel(Wanted(), why="", dry=False),
    "release": lambda w: w.release(Wanted(), now=1), "give_back": lambda w: w.give_back(claim(w), 1),
    "expire_leases": lambda w: w.expire_leases(["a"], "me", 1), "set_target_state": lambda w: w.set_target_state("a", "active"),
    "change_target": lambda w: w.change_target("a", {}), "add_target": lambda w: w.add_target(TargetRow("b", "webhook")),
    "remove_target": lambda w: w.remove_target("hris", drop="gone"),
}


@pytest.mark.parametrize("ask", ASKED.values(), ids=list(ASKED))
def test_asking_that_fails_is_unavailable_and_nothing_of_the_driver(work, faults, ask):
    faults.arm(1, sticky=True)
    with pytest.raises(StoreUnavailable):
        ask(work)
    faults.arm(None)
    ask(work)
