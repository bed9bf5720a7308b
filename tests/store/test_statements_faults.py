"""A fault at any call of the driver while adding is `StoreUnavailable`, and nothing half done is ever found."""
import sqlite3
import threading

import pytest

from lrs.errors import Conflict, StoreUnavailable
from lrs.statements.record import Query
from lrs.store.sqlite.database import Database
from lrs.store.sqlite.statements import SqliteStatements

FAULTS = ["database or disk is full", "database is locked", "disk I/O error", "attempt to write a readonly database"]


class Faulty:
    """A connection whose n-th call fails; `sticky`: so does every later one, ROLLBACK included."""

    def __init__(self, connection, faults):
        self._connection, self._faults = connection, faults

    def _call(self, name, *arguments):
        self._faults.count()
        return getattr(self._connection, name)(*arguments)

    def execute(self, *arguments):
        return self._call("execute", *arguments)

    def executemany(self, *arguments):
        return self._call("executemany", *arguments)

    def __getattr__(self, name):
        return getattr(self._connection, name)


class Faults:
    def __init__(self):
        self.at, self.calls, self.why, self.sticky = None, 0, "", False

    def arm(self, at, why="", sticky=False):
        self.at, self.calls, self.why, self.sticky = at, 0, why, sticky

    def count(self):
        self.calls += 1
        if self.at is not None and (self.calls == self.at or (self.sticky and self.calls > self.at)):
            raise sqlite3.OperationalError(self.why)


class FaultyDatabase(Database):
    """The file, its connections wrapped."""

    def __init__(self, path, faults):
        self._faults = faults
        super().__init__(path)

    def connect(self):
        connection = Faulty(super().connect(), self._faults)
        self._opened[-1] = connection
        return connection


@pytest.fixture
def faults():
    return Faults()


@pytest.fixture
def store(tmp_path, faults):
    database = FaultyDatabase(tmp_path / "statements.db", faults)
    store = SqliteStatements(database)
    store.migrate()
    yield store
    faults.arm(None)
    database.close()


def fault_of(store, batch, equal):
    """Why it could not be added; None if it was."""
    try:
        store.add(batch, equal)
    except StoreUnavailable as error:
        return error
    return None


def content(store):
    with store._database.read() as db:
        return [db.execute(f"SELECT * FROM {table}").fetchall() for table in ("statements", "terms_waiting", "terms_recent", "shadow_todo")]


@pytest.mark.parametrize("sticky", [False, True], ids=["one call fails", "all later calls fail"])
@pytest.mark.parametrize("why", FAULTS)
def test_at_every_call_nothing_half_is_found_and_the_next_add_works(store, faults, make, equal, why, sticky):
    old = make()
    late = make()
    store.add([old, make(target=late.id)], equal)
    failed = 0
    for at in range(1, 200):
        before = content(store)
        batch = [make(), make(target=old.id), make(target=old.id, void=True), make(late.id if at == 1 else None)]
        faults.arm(at, why, sticky)
        error = fault_of(store, batch, equal)
        faults.arm(None)
        if error is None:
            break
        failed += 1
        assert why in str(error)
        assert content(store) == before
        assert all(store.get(one.id) is None for one in batch)
    assert failed == at - 1 >= 20
    assert store.get(old.id, voided=True)
    assert all(store.get(one.id) for one in batch)


def test_a_failed_commit_is_told_to_every_request_of_the_group(store, faults, make, equal):
    told, start = [], threading.Barrier(8)
    faults.arm(1, "disk I/O error", sticky=True)

    def send():
        start.wait()
        with pytest.raises(StoreUnavailable):
            store.add([make()], equal)
        told.append(1)

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    faults.arm(None)
    assert len(told) == 8
    assert store.count() == 0


@pytest.mark.parametrize("ask", [lambda s: s.get("0" * 32), lambda s: s.page(Query((1,))), lambda s: s.follow(0, 1),
                                 lambda s: s.consistent_through(), lambda s: s.count()],
                         ids=["get", "page", "follow", "consistent_through", "count"])
def test_reading_that_fails_is_unavailable_too(store, faults, ask):
    store.count()
    faults.arm(1, "disk I/O error", sticky=True)
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
    assert store.count() == 1


def test_a_folder_that_is_a_file_is_unavailable(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable):
        Database(tmp_path / "file" / "statements.db")


def test_a_batch_refused_half_way_leaves_nothing(store, make, equal):
    known = make()
    store.add([known], equal)
    before = content(store)
    # those that refer to others are written before the next one is looked at
    batch = [make(), make(target=known.id), make(target=known.id, void=True), make(known.id, body=b"another")]
    with pytest.raises(Conflict):
        store.add(batch, equal)
    assert content(store) == before
