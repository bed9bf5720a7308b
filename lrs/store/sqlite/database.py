"""One SQLite file: snapshots to read, one writer at a time by a kernel lock, migrations."""
from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lrs.errors import StoreUnavailable
from lrs.store.sqlite.turns import Turns

PATIENCE = 5.0
"""Seconds that a writer waits for its turn: whoever holds the file longer is stuck, and waiting threads would serve nobody."""


LOOK_SECONDS = 0.1
"""How often a reader looks whether the file is still where it was; a writer looks each time."""

WRITER_KIB, READER_KIB = 16_384, 512
"""KiB of pages that a connection keeps in memory, of each file. Every request thread reads by one of its own; with four times as
many a page came no faster."""


class Database:
    """A file in WAL mode with synchronous=FULL. Writers take `flock` on `<file>.writer` before BEGIN IMMEDIATE, which
    serves them in fair turns; SQLite's own busy handler starves them (p99 ten times as long)."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._local = threading.local()
        self._mutex = threading.Lock()
        self._opened: list[sqlite3.Connection] = []
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._turns = Turns(self._open_lock())
            # flock belongs to an open file: one of our own writers counts as another only through a second one
            self._probe_file = self._open_lock()
        except OSError as error:
            raise StoreUnavailable(error) from error
        self._probe_mutex = threading.Lock()
        self._writer: sqlite3.Connection | None = None
        self._closed = False
        self._identity: tuple[int, int] | None = None
        self._stuck_at = -1
        self._looked = 0.0

    def _open_lock(self) -> int:
        return os.open(f"{self.path}.writer", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def connect(self) -> sqlite3.Connection:
        """A new connection, set up as every one of this file is."""
        try:
            connection = sqlite3.connect(self.path, timeout=5, isolation_level=None, check_same_thread=False, cached_statements=256)
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("PRAGMA wal_autocheckpoint=65536")
            connection.execute("PRAGMA foreign_keys=ON")
            connection.execute(f"PRAGMA cache_size=-{READER_KIB}")
            self._identity = self._identity or self._at_path()
        except sqlite3.Error as error:
            raise StoreUnavailable(error) from error
        self._opened.append(connection)
        return connection

    def _connect_to_write(self) -> sqlite3.Connection:
        connection = self.connect()
        # what a transaction changes beyond this is written to the log before its end, and again when it is changed once more
        connection.execute(f"PRAGMA cache_size=-{WRITER_KIB}")
        return connection

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """A snapshot of the file on this thread's own connection; a nested call joins it."""
        connection = self._reader()
        try:
            if connection.in_transaction:
                yield connection
                return
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            raise StoreUnavailable(error) from error

    def row(self, sql: str, values: Sequence[object] = ()) -> tuple[Any, ...] | None:
        """The one row, or none, that a SELECT finds: it is a snapshot by itself, and costs a third of `read`."""
        connection = self._reader()
        try:
            # all of them, or the snapshot would stay open
            found = connection.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise StoreUnavailable(error) from error
        return found[0] if found else None

    def _reader(self) -> sqlite3.Connection:
        # what is read is lost to nobody, and each look at the path lets another thread take Python's lock
        if self._closed or time.monotonic() > self._looked + LOOK_SECONDS:
            self._must_be_open()
            self._looked = time.monotonic()
        connection: sqlite3.Connection | None = getattr(self._local, "reader", None)
        if connection is None:
            connection = self._local.reader = self.connect()
        return connection

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A transaction, committed (durable) when the block ends well and rolled back when it raises."""
        with self._turn():
            connection = self._writer = self._writer or self._connect_to_write()
            try:
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                connection.execute("COMMIT")
            except sqlite3.Error as error:
                raise StoreUnavailable(error) from error
            finally:
                if connection.in_transaction:
                    self._roll_back(connection)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Nobody else writes meanwhile, in whichever process."""
        if not self._mutex.acquire(timeout=PATIENCE):
            raise StoreUnavailable(f"a writer of this process holds {self.path.name} for more than {PATIENCE:g} s")
        try:
            self._must_be_open()
            self._turns.take(PATIENCE)
            try:
                yield
            finally:
                self._turns.give()
        finally:
            self._mutex.release()

    def _must_be_open(self) -> None:
        if self._closed:
            raise StoreUnavailable(f"{self.path.name} is closed")
        # a file that was removed goes on taking commits until it is closed, and then they are gone
        if self._identity is not None and self._at_path() != self._identity:
            raise StoreUnavailable(f"{self.path} was removed or replaced while in use: put it back, or start again on what is there")

    def _at_path(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self.path)
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def _roll_back(self, connection: sqlite3.Connection) -> None:
        try:
            connection.execute("ROLLBACK")
        except sqlite3.Error:
            # a connection that cannot roll back keeps its transaction open: closing it is the only way out
            self._writer = None
            self._opened.remove(connection)
            connection.close()

    def reading(self) -> bool:
        """Whether this thread is inside `read`, so that its snapshot is older than now."""
        connection = getattr(self._local, "reader", None)
        return connection is not None and connection.in_transaction

    def idle(self) -> bool:
        """Whether no process and no thread holds the write lock at this moment."""
        with self._probe_mutex:
            try:
                fcntl.flock(self._probe_file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                return False
            fcntl.flock(self._probe_file, fcntl.LOCK_UN)
            return True

    def log_bytes(self) -> int:
        """How large the write-ahead log's file is."""
        try:
            return os.stat(f"{self.path}-wal").st_size
        except OSError:
            return 0

    def checkpoint(self, bound_pages: int = 16_384) -> int:
        """Move what the write-ahead log holds into the file; returns the pages still waiting. Writers are not held
        up until the log exceeds the bound (64 MiB); then they wait, at most 0.2 s, for it to start afresh, unless a reader has kept
        the log where it was since the last call (a backup): it would be in vain."""
        self._must_be_open()
        connection = getattr(self._local, "checkpoints", None)
        if connection is None:
            connection = self._local.checkpoints = self.connect()
        try:
            connection.execute("PRAGMA busy_timeout=200")
            _, pages, done = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            stuck, self._stuck_at = done < pages and done == self._stuck_at, done
            # what is left is copied while everybody waits
            if pages > bound_pages and not stuck and pages - done < bound_pages:
                # writers who follow each other hold SQLite's own lock at every moment: only in a turn it can be had
                with self._turn():
                    _, pages, done = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.Error as error:
            raise StoreUnavailable(error) from error
        return int(pages - done)

    def migrate(self, name: str, scripts: Sequence[str]) -> None:
        """Run those scripts of `name` that this file has not seen, in order, each in its own transaction."""
        with self.write() as db:
            db.execute("CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY, n INTEGER NOT NULL) WITHOUT ROWID")
            row = db.execute("SELECT n FROM migrations WHERE name = ?", (name,)).fetchone()
            done = row[0] if row else 0
            for script in scripts[done:]:
                for statement in script.split(";"):
                    if statement.strip():
                        db.execute(statement)
            if done < len(scripts):
                db.execute("INSERT OR REPLACE INTO migrations VALUES (?, ?)", (name, len(scripts)))

    def data_version(self) -> int:
        """A number that changes when another connection has committed; costs microseconds."""
        connection = getattr(self._local, "version", None)
        if connection is None:
            connection = self._local.version = self.connect()
        try:
            return int(connection.execute("PRAGMA data_version").fetchone()[0])
        except sqlite3.Error as error:
            raise StoreUnavailable(error) from error

    def close(self) -> None:
        """Close every connection; the object is of no use afterwards, and closing it again changes nothing. A thread that is
        still at work on one keeps it: to close it under its hands would crash the process."""
        self._closed = True
        if not self._mutex.acquire(timeout=PATIENCE):
            return
        try:
            for connection in self._opened:
                if not connection.in_transaction:
                    connection.close()
            self._opened.clear()
            if self._probe_file >= 0:  # its number may be another file's by now
                self._turns.close()
                os.close(self._probe_file)
                self._probe_file = -1
        finally:
            self._mutex.release()
