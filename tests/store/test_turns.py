"""Writers take turns, wait with patience and not for ever, and a file is closed under nobody's hands."""
from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lrs.errors import StoreUnavailable
from lrs.store.sqlite import database
from lrs.store.sqlite.database import Database
from lrs.store.sqlite.turns import Turns

HOLDER = """
import fcntl, os, sys
fcntl.flock(os.open(sys.argv[1], os.O_RDWR), fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def file(tmp_path: Path) -> Database:
    made = Database(tmp_path / "statements.db")
    made.migrate("numbers", ["CREATE TABLE numbers (n INTEGER)"])
    return made


def stuck(path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", HOLDER, f"{path}.writer"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_stuck_process_makes_writers_give_up_and_readers_go_on_and_no_restart_is_needed(
    file: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "PATIENCE", 0.3)
    process = stuck(file.path)
    try:
        for _ in range(2):
            start = time.monotonic()
            with pytest.raises(StoreUnavailable, match="another process holds the write lock"), file.write() as db:
                db.execute("INSERT INTO numbers VALUES (0)")
            assert time.monotonic() - start < 2
        with file.read() as db:
            assert db.execute("SELECT count(*) FROM numbers").fetchone() == (0,)
    finally:
        process.communicate("")
    for n in range(20):
        with file.write() as db:
            db.execute("INSERT INTO numbers VALUES (?)", (n,))
    with file.read() as db:
        assert db.execute("SELECT count(*) FROM numbers").fetchone() == (20,)


def test_a_turn_that_comes_when_nobody_waits_any_more_is_given_back(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    ours, theirs = (os.open(path, os.O_RDWR | os.O_CREAT) for _ in range(2))
    turns = Turns(ours)
    fcntl.flock(theirs, fcntl.LOCK_EX)
    with pytest.raises(StoreUnavailable):
        turns.take(0.05)
    fcntl.flock(theirs, fcntl.LOCK_UN)
    end = time.monotonic() + 5
    while time.monotonic() < end:
        try:
            fcntl.flock(theirs, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            time.sleep(0.01)
    else:
        pytest.fail("the lock was kept by nobody")
    turns.close()
    os.close(theirs)


CLOSING = """
import sys, threading, time
from pathlib import Path
from lrs.errors import StoreUnavailable
from lrs.store.sqlite.database import Database

for turn in range(15):
    file = Database(Path(sys.argv[1]) / f"{turn}.db")
    file.migrate("numbers", ["CREATE TABLE numbers (n INTEGER)"])

    def work(n):
        try:
            while True:
                with file.write() as db:
                    db.execute("INSERT INTO numbers VALUES (?)", (n,))
                with file.read() as db:
                    db.execute("SELECT sum(n) FROM numbers").fetchone()
        except StoreUnavailable:
            pass

    threads = [threading.Thread(target=work, args=(n,), daemon=True) for n in range(8)]
    for thread in threads:
        thread.start()
    time.sleep(0.02)
    file.close()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
"""


def test_a_file_that_is_closed_while_threads_are_at_work_on_it_crashes_nothing(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", CLOSING, str(tmp_path)], capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stderr) == (0, "")
