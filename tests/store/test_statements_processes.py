"""Several processes on the same store: one wins an id, and a follower by Consistent-Through misses nothing."""
import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from lrs.statements.record import Query
from lrs.store.sqlite import rows

WRITER = Path(__file__).with_name("statements_writer.py")


def start(place, threads, each, seed=""):
    return subprocess.Popen([sys.executable, WRITER, place, str(threads), str(each), seed], stdout=subprocess.PIPE)


def result(process):
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    return json.loads(out)


def test_of_two_processes_that_add_the_same_ids_one_wins_each(open_statements, place):
    store = open_statements()
    one, two = [result(process) for process in [start(place, 4, 50, "same") for _ in range(2)]]
    assert set(one["accepted"]) | set(two["accepted"]) == set(one["accepted"] + one["refused"])
    assert not set(one["accepted"]) & set(two["accepted"])
    assert len(one["accepted"]) + len(two["accepted"]) == store.count() == 200


@pytest.mark.parametrize("way", ["follow", "pages by consistent-through"])
def test_a_follower_misses_nothing_while_eight_threads_in_two_processes_write(open_statements, place, way):
    store = open_statements()
    each = 40 if place.startswith("mongodb") else 150  # what a server in Python does in a few seconds
    writers = [start(place, 8, each) for _ in range(2)]
    seen, at, results = [], 0, []
    waiting = threading.Thread(target=lambda: results.extend(map(result, writers)))
    waiting.start()
    last = False
    while True:
        if way == "follow":
            # asked before, so that all it covers is in what follows
            through = store.consistent_through()
            records = store.follow(at, 500)
            at = records[-1].seq if records else max(at, through)
        else:
            page = store.page(Query(since=at, ascending=True, limit=500))
            records = page.records
            at = page.more if page.more is not None else page.consistent_through
        seen += [record.id for record in records]
        if last and not records:
            break
        last = not waiting.is_alive()
    waiting.join()
    acknowledged = [name for one in results for name in one["accepted"]]
    assert len(seen) == len(set(seen))
    assert len(acknowledged) == 2 * 8 * each
    assert set(acknowledged) == set(seen)


def test_a_reader_inside_an_older_snapshot_promises_nothing_newer(open_sqlite, make, equal):
    store, writer = open_sqlite(), open_sqlite()
    store.add([make()], equal)
    with store._database.read() as db:
        db.execute("SELECT count(*) FROM statements").fetchone()
        (late,) = writer.add([make()], equal)
        assert store.consistent_through() < late.seq
        assert late.id not in [record.id for record in store.follow(0, 10)]
    assert store.consistent_through() >= late.seq


def test_a_reader_while_somebody_writes_promises_what_it_sees(open_sqlite, make, equal):
    store, writer = open_sqlite(), open_sqlite()
    (first,) = store.add([make()], equal)
    with writer._database.write():
        assert store.consistent_through() == first.seq
    assert store.consistent_through() > first.seq


def test_who_waits_for_the_lock_is_stamped_when_he_has_it(open_sqlite, make, equal):
    store, other = open_sqlite(), open_sqlite()
    store.add([make()], equal)
    added = []
    waiting = threading.Thread(target=lambda: added.extend(store.add([make()], equal)))
    with other._database.write() as db:
        waiting.start()
        time.sleep(0.1)  # long enough for him to stand at the lock
        released = other._clock.advance(db)
    waiting.join()
    assert added[0].seq >= released


def test_what_is_stored_after_the_snapshot_is_not_promised_by_it(open_sqlite, make, equal, monkeypatch):
    store, writer = open_sqlite(), open_sqlite()
    store.add([make()], equal)
    highest, late = rows.highest, []

    def meanwhile(db):
        seen = highest(db)
        if not late:
            late.append(None)
            late[0] = writer.add([make()], equal)[0].seq
        return seen

    monkeypatch.setattr(rows, "highest", meanwhile)
    page = store.page(Query(()))
    assert len(page.records) == 1
    assert page.consistent_through < late[0]


def test_who_comes_to_write_while_the_clock_is_read_is_noticed(open_sqlite, make, equal, monkeypatch):
    store, writer = open_sqlite(), open_sqlite()
    (first,) = store.add([make()], equal)
    now, inside = store._now, []

    def meanwhile():
        inside.append(writer._database.write())
        drawn = writer._clock.advance(inside[0].__enter__())
        return max(now(), drawn + 1)

    monkeypatch.setattr(store, "_now", meanwhile)
    through = store.consistent_through()
    inside[0].__exit__(None, None, None)
    assert through == first.seq
