"""One SQLite file: durable settings, a write-ahead log that stays small, a lock that readers can ask about."""
import threading
import time

import pytest

from lrs.errors import StoreUnavailable
from lrs.store.sqlite.database import LOOK_SECONDS, Database


@pytest.fixture
def database(tmp_path):
    opened = Database(tmp_path / "one.db")
    opened.migrate("numbers", ["CREATE TABLE numbers (n INTEGER)"])
    yield opened
    opened.close()


def fill(database):
    with database.write() as db:
        db.executemany("INSERT INTO numbers VALUES (?)", [(n,) for n in range(20_000)])


def test_every_commit_is_written_through_to_the_disk(database):
    with database.write() as db:
        assert db.execute("PRAGMA synchronous").fetchone() == (2,)
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_log_beyond_its_bound_is_cut_off(database):
    fill(database)
    log = database.path.with_name("one.db-wal")
    assert log.stat().st_size > 40_000
    assert database.checkpoint(bound_pages=10) == 0
    assert log.stat().st_size == 0


def test_a_log_beyond_its_bound_is_cut_off_although_somebody_writes_without_end(database):
    fill(database)
    writing = threading.Event()

    def write_for_longer_than_a_checkpoint_would_knock() -> None:
        with database.write() as db:
            db.execute("INSERT INTO numbers VALUES (-1)")
            writing.set()
            time.sleep(0.5)  # SQLite's own handler would have given up after 0.2 s

    other = threading.Thread(target=write_for_longer_than_a_checkpoint_would_knock)
    other.start()
    assert writing.wait(5)
    assert database.checkpoint(bound_pages=10) == 0
    other.join()
    assert database.log_bytes() == 0


def test_a_reader_that_stays_holds_up_neither_writers_nor_the_checkpoint_for_long(database):
    fill(database)
    with database.read() as db:
        assert db.execute("SELECT count(*) FROM numbers").fetchone() == (20_000,)
        other = threading.Thread(target=lambda: (fill(database), database.checkpoint(bound_pages=10)))
        other.start()
        other.join(timeout=5)
        assert not other.is_alive()
        assert db.execute("SELECT count(*) FROM numbers").fetchone() == (20_000,)


def test_the_lock_is_idle_unless_somebody_writes(database, tmp_path):
    second = Database(tmp_path / "one.db")
    assert database.idle()
    with database.write():
        assert not database.idle()
        assert not second.idle()
    assert database.idle()
    assert second.idle()
    second.close()


def test_closing_twice_closes_nothing_of_somebody_else(tmp_path):
    one = Database(tmp_path / "one.db")
    one.close()
    files = [(tmp_path / str(n)).open("w") for n in range(4)]  # they get the numbers that were freed
    one.close()
    for file in files:
        file.write("mine")
        file.close()


def test_a_file_that_was_removed_takes_nothing_until_it_is_back(database, tmp_path):
    with database.read() as db:
        assert db.execute("SELECT count(*) FROM numbers").fetchone() == (0,)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name in ("one.db", "one.db-wal", "one.db-shm"):
        (tmp_path / name).rename(elsewhere / name)
    time.sleep(1.1 * LOOK_SECONDS)  # readers notice it no sooner
    for use in (database.read, database.write):
        with pytest.raises(StoreUnavailable, match="removed or replaced"), use():
            pass
    assert not (tmp_path / "one.db").exists()
    Database(tmp_path / "one.db").migrate("numbers", ["CREATE TABLE numbers (n INTEGER)"])
    with pytest.raises(StoreUnavailable, match="removed or replaced"), database.write():
        pass
    for name in ("one.db", "one.db-wal", "one.db-shm"):
        (elsewhere / name).replace(tmp_path / name)
    fill(database)


def test_an_error_in_the_block_undoes_it(database):
    def half():
        with database.write() as db:
            db.execute("INSERT INTO numbers VALUES (1)")
            raise KeyError("no")

    with pytest.raises(KeyError):
        half()
    with database.read() as db:
        assert db.execute("SELECT count(*) FROM numbers").fetchone() == (0,)
