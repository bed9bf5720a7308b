"""Many writers on many machines: no seq appears below what was promised, and no writer that was given up commits."""
from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from lrs.errors import StoreUnavailable
from lrs.statements.record import Query
from lrs.store.intents import LEASE_US, PLACES
from lrs.store.mongo.clock import Clock
from lrs.store.mongo.database import Database
from lrs.store.mongo.statements import MongoStatements

SECOND = 1_000_000
T0 = 1_800_000_000 * SECOND


class Machine:
    """A server's clock and this machine's uptime, as a test moves them."""

    def __init__(self):
        self.server, self.uptime = T0, 5 * SECOND

    def pass_time(self, micros):
        self.server += micros
        self.uptime += micros

    @property
    def clock(self):
        return Clock(lambda: self.server, lambda: self.uptime)


class Interrupted(Database):
    """Does something, once, between the last call of a transaction and its commit."""

    meanwhile = None

    def commit(self, session):
        if self.meanwhile is not None:
            meanwhile, self.meanwhile = self.meanwhile, None
            meanwhile()
        super().commit(session)


@pytest.fixture
def slow(mongo_place):
    """A store whose commits a test can hold up: (store, database)."""
    database = Interrupted(mongo_place)
    store = MongoStatements(database)
    store.migrate()
    yield store, database
    store.close()
    database.close()


@pytest.fixture
def machine():
    return Machine()


def test_while_a_commit_is_on_its_way_nothing_above_it_is_promised(slow, open_mongo, make, equal):
    store, database = slow
    other, reader = open_mongo(), open_mongo()
    store.add([make()], equal)
    late, seen = make(), {}

    def meanwhile():
        seen["other"] = other.add([make()], equal)[0].seq
        seen["through"] = reader.consistent_through()
        seen["page"] = [record.id for record in reader.page(Query()).records]

    database.meanwhile = meanwhile
    (added,) = store.add([late], equal)
    assert seen["through"] < min(added.seq, seen["other"])
    assert late.id not in seen["page"]
    assert reader.consistent_through() >= max(added.seq, seen["other"])
    assert len(reader.follow(0, 10)) == 3


def test_who_writes_after_a_promise_stays_above_it(open_mongo, make, equal, machine):
    store, other, reader = (open_mongo(time=machine.clock) for _ in range(3))
    store.add([make()], equal)
    for writer in (store, other) * 5:
        machine.pass_time(SECOND)
        through = reader.consistent_through()
        machine.pass_time(-SECOND // 2)  # a new primary, whose clock is behind
        assert writer.add([make()], equal)[0].seq > through


def test_a_server_whose_clock_steps_back_an_hour_breaks_no_promise(open_mongo, make, equal, machine):
    store = open_mongo(time=machine.clock)
    first = store.add([make()], equal)[0].seq
    machine.pass_time(SECOND)
    through = store.consistent_through()
    machine.server -= 3600 * SECOND
    again = open_mongo(time=machine.clock)
    seqs = [one.seq for one in again.add([make() for _ in range(100)], equal)]
    assert first <= through < seqs[0]
    assert seqs == sorted(set(seqs))
    assert again.consistent_through() >= seqs[-1]


def test_a_writer_that_was_given_up_cannot_commit_and_begins_again_above_what_was_promised(open_mongo, make, equal, machine):
    store, reader = (open_mongo(time=machine.clock) for _ in range(2))
    store.add([make()], equal)
    writer, promised = store._commits._writer, []
    opened = writer.open

    def stalled():
        opened()
        if not promised:
            machine.pass_time(LEASE_US + SECOND)
            reader.consistent_through()  # ends the intent
            machine.pass_time(SECOND)
            promised.append(reader.consistent_through())

    writer.open = stalled
    (added,) = store.add([make()], equal)
    assert promised[0] >= T0 + LEASE_US
    assert added.seq > promised[0]
    assert len(reader.follow(0, 10)) == 2


def test_an_intent_of_a_process_that_died_holds_readers_up_for_its_lease_only(open_mongo, make, equal, machine):
    dead, store = (open_mongo(time=machine.clock) for _ in range(2))
    dead._commits._writer.open()
    machine.pass_time(SECOND)
    (added,) = store.add([make()], equal)
    assert store.consistent_through() < added.seq
    machine.pass_time(LEASE_US)
    store.consistent_through()
    assert store.consistent_through() >= added.seq


def test_a_primary_whose_clock_is_behind_keeps_no_intent_of_the_dead(open_mongo, make, equal, machine):
    dead, store = (open_mongo(time=machine.clock) for _ in range(2))
    dead._commits._writer.open()
    machine.pass_time(SECOND)
    (added,) = store.add([make()], equal)
    machine.server -= 3600 * SECOND
    reader = open_mongo(time=machine.clock)
    assert reader.consistent_through() < added.seq
    machine.pass_time(LEASE_US + SECOND)
    reader.consistent_through()
    assert reader.consistent_through() >= added.seq


DYING = """
import os, signal, sys
from lrs.statements.record import Prepared
from lrs.store.mongo.database import Database
from lrs.store.mongo.statements import MongoStatements

class Dying(Database):
    def commit(self, session):
        os.kill(os.getpid(), signal.SIGKILL)

new = Prepared("0" * 31 + "1", (b"", b"|"), b"", (1,), b"{}", "key", "acme")
MongoStatements(Dying(sys.argv[1])).add([new], lambda stored, received: True)
"""


@pytest.mark.slow
def test_a_process_killed_before_its_commit_leaves_nothing_and_holds_nobody_up_for_long(open_mongo, mongo_place, make, equal):
    store = open_mongo()
    # in SecantusDB a transaction that holds the very first entry of an index holds up all that write to it
    (first,) = store.add([make()], equal)
    assert subprocess.run([sys.executable, "-c", DYING, mongo_place], timeout=60).returncode == -signal.SIGKILL
    died = time.monotonic()
    (added,) = store.add([make()], equal)
    assert store.consistent_through() < added.seq
    while store.consistent_through() < added.seq:
        assert time.monotonic() - died < LEASE_US / SECOND + 5
        time.sleep(0.1)
    assert [record.id for record in store.follow(0, 9)] == [first.id, added.id]
    assert store.get("0" * 31 + "1") is None


STOPPED = """
import os, signal, sys
from lrs.statements.record import Prepared
from lrs.store.mongo.database import Database
from lrs.store.mongo.statements import MongoStatements

class Stopped(Database):
    stop = True

    def commit(self, session):
        if self.stop:
            self.stop = False
            os.kill(os.getpid(), signal.SIGSTOP)
        super().commit(session)

new = Prepared("0" * 31 + "1", (b"", b"|"), b"", (1,), b"{}", "key", "acme")
store = MongoStatements(Stopped(sys.argv[1]))
while True:
    try:
        (added,) = store.add([new], lambda stored, received: True)
        break
    except Exception as fault:
        print(fault, file=sys.stderr)
print(added.seq)
"""


@pytest.mark.slow
def test_a_process_that_stood_still_before_its_commit_stores_above_what_was_promised_meanwhile(open_mongo, mongo_place, make, equal):
    store = open_mongo()
    store.add([make()], equal)
    with subprocess.Popen([sys.executable, "-c", STOPPED, mongo_place], stdout=subprocess.PIPE) as process:
        try:
            _, status = os.waitpid(process.pid, os.WUNTRACED)
            assert os.WIFSTOPPED(status)
            (added,) = store.add([make()], equal)
            began = time.monotonic()
            assert store.consistent_through() < added.seq
            while (promised := store.consistent_through()) < added.seq:
                assert time.monotonic() - began < LEASE_US / SECOND + 5
                time.sleep(0.1)
            process.send_signal(signal.SIGCONT)
            said, _ = process.communicate(timeout=30)
        finally:
            process.kill()
    assert int(said) > promised
    while store.consistent_through() < int(said):
        time.sleep(0.1)
    assert [record.seq for record in store.follow(0, 9)][1:] == [added.seq, int(said)]


@pytest.mark.parametrize("ascending", [False, True])
@pytest.mark.parametrize("first", ["the statement", "what refers to it"])
def test_what_one_process_stores_that_refers_to_another_is_on_the_next_page_of_every_other(open_mongo, make, equal, first, ascending):
    here, there = open_mongo(), open_mongo()
    one = make(terms=(1, 2))
    referring = make(terms=(3,), target=one.id)
    query = Query((2,), ascending=ascending)
    assert here.page(query).records == []
    for new in (one, referring) if first == "the statement" else (referring, one):
        there.add([new], equal)
        there.add([make(terms=(4,)) for _ in range(3)], equal)
        here.page(query)
    for store in (here, there):
        in_order = (one.id, referring.id) if ascending == (first == "the statement") else (referring.id, one.id)
        assert tuple(found.id for found in store.page(query).records) == in_order


def test_more_writers_than_places_take_turns_and_no_seq_is_given_twice(open_mongo, make, equal):
    stores = [open_mongo() for _ in range(PLACES + 3)]
    seqs = [one.seq for _ in range(2) for store in stores for one in store.add([make(), make()], equal)]
    assert len(set(seqs)) == len(seqs) == 4 * len(stores)
    assert sorted(seqs) == [record.seq for record in stores[0].follow(0, 1000)]


def test_when_all_places_are_in_use_at_once_the_store_is_busy(open_mongo, make, equal, machine):
    stores = [open_mongo(time=machine.clock) for _ in range(PLACES)]
    for store in stores:
        store._commits._writer.open()
    with pytest.raises(StoreUnavailable, match="places are in use"):
        open_mongo(time=machine.clock).add([make()], equal)


def test_the_quickest_answer_says_the_time(machine):
    delays = iter([900, 20, 500])

    def server():
        delay = next(delays)
        machine.pass_time(delay // 2)
        said = machine.server
        machine.pass_time(delay - delay // 2)
        return said + delay * (delay > 20)

    clock = Clock(server, lambda: machine.uptime)
    assert clock.now() == machine.server


MEETINGS = {
    "a void and its target": (lambda make, a, b, c: make(target=a.id, void=True, terms=(7,)), lambda make, a, b, c: a),
    "a referrer and its target": (lambda make, a, b, c: make(target=a.id, terms=(7,)), lambda make, a, b, c: a),
    "a referrer and the end of its chain": (lambda make, a, b, c: make(target=c.id, terms=(7,)), lambda make, a, b, c: a),
    "two links of a chain": (lambda make, a, b, c: make(target=b.id, terms=(7,)), lambda make, a, b, c: b),
}


@pytest.mark.parametrize("turn", [False, True], ids=["", "the other way round"])
@pytest.mark.parametrize("which", sorted(MEETINGS))
def test_two_that_belong_together_and_are_stored_at_once_find_each_other(slow, open_mongo, make, equal, which, turn):
    store, database = slow
    other = open_mongo()
    a = make(terms=(5,))
    b = make(terms=(6,), target=a.id)
    c = make(terms=(8,), target=a.id)
    if "chain" in which:
        store.add([c] if "end" in which else [a], equal)
    one, two = (say(make, a, b, c) for say in MEETINGS[which])
    first, second = (two, one) if turn else (one, two)
    thread = threading.Thread(target=lambda: other.add([second], equal))

    def meanwhile():
        thread.start()
        thread.join(0.3)

    database.meanwhile = meanwhile
    store.add([first], equal)
    thread.join()
    referrer = one.id
    assert referrer in [record.id for record in store.page(Query((5,))).records]
    if one.voids:
        assert store.get(a.id) is None
        assert store.get(a.id, voided=True)
        assert store.get(one.id).void_effective
