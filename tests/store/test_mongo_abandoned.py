"""What a killed process leaves open on the server holds the others up for seconds, not for the minute that the server keeps it."""
from __future__ import annotations

import subprocess
import sys
import time
from contextlib import closing

from bson import Int64

from lrs.store.mongo import abandoned
from lrs.store.open_store import open_store
from lrs.store.protocols.work import Cursor, Output

LEFT_OPEN = """
import os, signal, sys
from lrs.store.mongo import work
from lrs.store.open_store import open_store
from lrs.store.protocols.work import Cursor, Output
work._publish = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
open_store(sys.argv[1]).work.advance("route", Cursor(), Cursor(1), Output())
"""


def test_a_transaction_that_a_killed_process_left_open_is_ended(mongo_place, mongo_server, monkeypatch):
    monkeypatch.setattr(abandoned, "ENDED_AFTER_US", 500_000)
    with closing(open_store(mongo_place)) as store:
        assert subprocess.run([sys.executable, "-c", LEFT_OPEN, mongo_place], timeout=60, check=False).returncode == -9
        began = time.monotonic()
        assert store.work.advance("route", Cursor(), Cursor(2), Output())
        assert time.monotonic() - began < 5
        assert store.work.cursor("route") == Cursor(2)
        processes = mongo_server.client.get_database(mongo_place.rpartition("/")[2].partition("?")[0])[abandoned.NAME]
        assert processes.count_documents({}) == 1, "who is gone is forgotten"
    assert processes.count_documents({}) == 0, "and so is who ended in good order"


STATEMENT_LEFT_OPEN = """
import os, signal, sys
from lrs.statements.record import Prepared
from lrs.store.mongo.adding import Adding
from lrs.store.open_store import open_store
written = Adding.write
Adding.write = lambda adding: (written(adding), os.kill(os.getpid(), signal.SIGKILL))
one = Prepared(sys.argv[2], (b"", b"|body"), b"body", (1,), b"{}", "key", "acme", None, None, False)
open_store(sys.argv[1]).statements.add([one], lambda stored, received: True)
"""


def test_a_killed_writer_s_transaction_is_ended_though_its_place_is_another_s(mongo_place, mongo_server, monkeypatch, make, equal):
    monkeypatch.setattr(abandoned, "ENDED_AFTER_US", 500_000)
    one = make()
    with closing(open_store(mongo_place)) as store:
        assert subprocess.run([sys.executable, "-c", STATEMENT_LEFT_OPEN, mongo_place, one.id], timeout=60, check=False).returncode == -9
        writers = mongo_server.client.get_database(mongo_place.rpartition("/")[2].partition("?")[0])["writers"]
        writers.update_many({"_id": {"$gte": 0}}, {"$set": {"low": Int64(0)}, "$unset": {"session": ""}})
        time.sleep(0.6)
        began = time.monotonic()
        assert not store.statements.add([one], equal)[0].repeated
        assert time.monotonic() - began < 5


def test_a_process_whose_transaction_was_taken_for_abandoned_does_it_again(mongo_place, monkeypatch):
    monkeypatch.setattr(abandoned, "ENDED_AFTER_US", -60_000_000)  # everybody, and oneself
    with closing(open_store(mongo_place)) as slow, closing(open_store(mongo_place)) as other:
        tries = []

        def work(calls):
            tries.append(calls.update("numbers", {"_id": "feed"}, {"$inc": {"n": 1}}))
            if len(tries) == 1:
                other.work._database.guard.end()

        slow.work._database.write(work)
        assert len(tries) == 2
        assert slow.work.feed_length() == 1


def test_who_was_forgotten_tells_all_its_sessions_again(mongo_place, mongo_server, monkeypatch):
    with closing(open_store(mongo_place)) as store:
        store.work.advance("route", Cursor(), Cursor(1), Output())
        processes = mongo_server.client.get_database(mongo_place.rpartition("/")[2].partition("?")[0])[abandoned.NAME]
        [before] = processes.find()
        processes.delete_many({})
        monkeypatch.setattr(abandoned, "SEEN_EVERY_US", 0)
        store.work.advance("route", Cursor(1), Cursor(2), Output())
        [after] = processes.find()
        assert {bytes(one["id"]) for one in before["sessions"]} <= {bytes(one["id"]) for one in after["sessions"]}
