"""A fault at any call of MongoDB's driver while adding is `StoreUnavailable` or mended, and nothing half done is ever found."""
from __future__ import annotations

import signal
import threading
import time

import pytest
from pymongo.errors import AutoReconnect
from real_mongo import Mongo

from lrs.errors import StoreUnavailable, Undecided
from lrs.statements.record import Query
from lrs.store.mongo.database import Database
from lrs.store.mongo.statements import MongoStatements


class Faults:
    """Which call fails, whether it was done all the same, and with which labels."""

    def __init__(self):
        self.at, self.calls, self.done, self.sticky, self.labels = None, 0, False, False, ()

    def arm(self, at, *, done=False, sticky=False, labels=()):
        self.at, self.calls, self.done, self.sticky, self.labels = at, 0, done, sticky, labels

    def around(self, call):
        self.calls += 1
        if self.at is None or not (self.calls == self.at or (self.sticky and self.calls > self.at)):
            return call()
        if self.done:
            call()
        error = AutoReconnect("connection reset by peer")
        for label in self.labels:
            error._add_error_label(label)
        raise error


class FaultyDatabase(Database):
    def __init__(self, url, faults):
        super().__init__(url)
        self._faults = faults

    def call(self, name, what):
        return self._faults.around(lambda: super(FaultyDatabase, self).call(name, what))

    def commit(self, session):
        return self._faults.around(lambda: super(FaultyDatabase, self).commit(session))


@pytest.fixture
def faults():
    return Faults()


@pytest.fixture
def store(mongo_place, faults):
    database = FaultyDatabase(mongo_place, faults)
    store = MongoStatements(database)
    store.migrate()
    yield store
    faults.arm(None)
    store.close()
    database.close()


def fault_of(store, batch, equal):
    """Why it could not be added; None if it was."""
    try:
        store.add(batch, equal)
    except StoreUnavailable as error:
        return error
    return None


def content(store):
    with store._database.read() as calls:
        return [sorted(calls.find(name, {}), key=repr) for name in ("statements", "shadows", "referrals", "shadow_todo")]


@pytest.mark.parametrize("sticky", [False, True], ids=["one call fails", "all later calls fail"])
@pytest.mark.parametrize("done", [False, True], ids=["before it is done", "when it is done and its answer is lost"])
def test_at_every_call_nothing_half_is_found_and_the_next_add_works(store, faults, make, equal, done, sticky):
    old, late = make(), make()
    store.add([old, make(target=late.id)], equal)
    failed = stood = 0
    for at in range(1, 100):
        before = content(store)
        batch = [make(), make(target=old.id), make(target=old.id, void=True), make(late.id if at == 1 else None)]
        faults.arm(at, done=done, sticky=sticky)
        error = fault_of(store, batch, equal)
        faults.arm(None)
        if error is None:
            break
        failed += 1
        assert "connection reset by peer" in str(error)
        if all(store.get(one.id) for one in batch):
            # only a COMMIT whose answer was lost; sent again, the batch is what stands already
            stood += 1
            assert done
            assert all(one.repeated for one in store.add(batch, equal))
        else:
            assert content(store) == before
    assert failed == at - 1 >= 12
    assert stood == int(done)
    assert store.get(old.id, voided=True)
    assert all(store.get(one.id) for one in batch)


def test_what_the_driver_calls_transient_is_done_again_and_stands_once(store, faults, make, equal):
    old = make()
    store.add([old], equal)
    for at in range(3, 8):
        batch = [make(), make(target=old.id)]
        faults.arm(at, labels=("TransientTransactionError",))
        added = store.add(batch, equal)
        faults.arm(None)
        assert [one.repeated for one in added] == [False, False]
    assert store.count() == 11


@pytest.mark.parametrize("ask", [lambda s: s.get("0" * 32), lambda s: s.page(Query((1,))), lambda s: s.follow(0, 1),
                                 lambda s: s.consistent_through(), lambda s: s.count(), lambda s: s.bearing([1], 0, 1, 1),
                                 lambda s: s.do_shadow_todo()],
                         ids=["get", "page", "follow", "consistent_through", "count", "bearing", "do_shadow_todo"])
def test_asking_that_fails_is_unavailable_too(store, faults, ask):
    faults.arm(1, sticky=True)
    with pytest.raises(StoreUnavailable):
        ask(store)
    faults.arm(None)
    ask(store)


def test_an_error_in_the_decision_fails_that_request_alone(store, make, equal):
    one = make()
    store.add([one], equal)

    def broken(stored, received):
        raise ValueError("cannot compare")

    with pytest.raises(ValueError, match="cannot compare"):
        store.add([make(), one], broken)
    with pytest.raises(ValueError, match="cannot compare"):
        store.add([make(), make(target=one.id), one], broken)
    assert store.count() == 1


FAULTY = [
    {"failCommands": ["commitTransaction"], "errorCode": 10107, "errorLabels": ["RetryableWriteError"]},
    {"failCommands": ["commitTransaction"], "closeConnection": True},
    {"failCommands": ["insert"], "errorCode": 112, "errorLabels": ["TransientTransactionError"]},
    {"failCommands": ["insert"], "closeConnection": True},
    {"failCommands": ["update"], "closeConnection": True},
]


@pytest.mark.parametrize("data", FAULTY, ids=["not primary at commit", "closed at commit", "conflict", "closed at insert",
                                              "closed at update"])
def test_a_server_that_fails_once_is_asked_again(open_mongo, mongo_server, make, equal, data):
    store = open_mongo()
    store.add([make()], equal)
    batch = [make(), make()]
    mongo_server.client.admin.command("configureFailPoint", "failCommand", mode={"times": 1}, data=data)
    try:
        assert [one.repeated for one in store.add(batch, equal)] == [False, False]
    finally:
        mongo_server.client.admin.command("configureFailPoint", "failCommand", mode="off")
    assert store.count() == 3
    assert [record.id for record in store.page(Query(ascending=True)).records][1:] == [one.id for one in batch]


def test_a_commit_that_is_never_answered_is_undecided_and_may_be_sent_again(store, mongo_server, make, equal, monkeypatch):
    monkeypatch.setattr("lrs.store.mongo.database.PATIENCE", 1.0)
    store.add([make()], equal)
    batch = [make(), make()]
    data = {"failCommands": ["commitTransaction"], "closeConnection": True}
    mongo_server.client.admin.command("configureFailPoint", "failCommand", mode="alwaysOn", data=data)
    try:
        assert isinstance(fault_of(store, batch, equal), Undecided)
    finally:
        mongo_server.client.admin.command("configureFailPoint", "failCommand", mode="off")
    assert store.count() in (1, 3)
    end = time.monotonic() + 30  # what stands open on the server is ended by whoever it holds up
    while fault_of(store, batch, equal):
        assert time.monotonic() < end
        store.consistent_through()
    assert store.count() == 3


@pytest.mark.slow
def test_a_server_that_is_killed_and_started_again_has_what_it_acknowledged_and_no_half_batch(tmp_path, make, equal, monkeypatch):
    monkeypatch.setattr("lrs.store.mongo.database.PATIENCE", 2.0)
    server = Mongo(tmp_path)
    database = Database(server.url("killed"))
    store = MongoStatements(database)
    store.migrate()
    acknowledged, unknown, refused, stop = [], [], [], threading.Event()

    def write():
        while not stop.is_set():
            batch = [make() for _ in range(5)]
            fault = fault_of(store, batch, equal)
            (unknown if isinstance(fault, Undecided) else refused if fault else acknowledged).append([one.id for one in batch])

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    stop.wait(1.5)
    server.part.stop(signal.SIGKILL)
    stop.wait(0.5)
    server.start()
    stop.wait(2)
    stop.set()
    for thread in threads:
        thread.join()
    there = {name: store.get(name) is not None for batch in (*acknowledged, *unknown, *refused) for name in batch}
    assert len(acknowledged) > 10
    assert all(there[name] for batch in acknowledged for name in batch)
    assert all(len({there[name] for name in batch}) == 1 for batch in unknown)
    assert not any(there[name] for batch in refused for name in batch), "its sender was told that nothing was stored"
    assert store.add([make()], equal)
    database.close()
    server.stop()
