"""Group commit: whoever holds the baton commits, in one transaction, all that has queued up."""
from __future__ import annotations

import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from lrs.errors import StoreUnavailable
from lrs.store.sqlite.database import Database

Result = TypeVar("Result")
Work = Callable[[sqlite3.Connection], Result]
AT_MOST = 64
"""Requests in one transaction, so that a long queue does not hold the write lock for seconds."""


class _Request(Generic[Result]):
    def __init__(self, work: Work[Result]) -> None:
        self.work = work
        self.done = False
        self.result: Result | None = None
        self.error: BaseException | None = None


class GroupCommit(Generic[Result]):
    """Requests of many threads, one fsync; each of them all or nothing, and durable when `run` returns."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: deque[_Request[Result]] = deque()
        self._baton = threading.Lock()

    def run(self, work: Work[Result]) -> Result:
        """What `work(connection)` returned, committed. An error it raised undoes it alone; a fault of the driver
        (`StoreUnavailable`) undoes the whole group, and every request of it learns so."""
        mine = _Request(work)
        self._waiting.append(mine)
        while not mine.done:
            with self._baton:
                if not mine.done:
                    self._commit([self._waiting.popleft() for _ in range(min(AT_MOST, len(self._waiting)))])
        if mine.error is not None:
            raise mine.error
        return mine.result  # type: ignore[return-value]

    def _commit(self, group: list[_Request[Result]]) -> None:
        try:
            with self._database.write() as db:
                for request in group:
                    _attempt(db, request)
        except BaseException as error:
            for request in group:
                request.error = StoreUnavailable(getattr(error, "original", error))
            if not isinstance(error, StoreUnavailable):
                raise
        finally:
            for request in group:
                request.done = True


def _attempt(db: sqlite3.Connection, request: _Request[Result]) -> None:
    db.execute("SAVEPOINT request")
    try:
        request.result = request.work(db)
    except sqlite3.Error:
        raise
    except Exception as error:
        request.error = error
        db.execute("ROLLBACK TO request")
    db.execute("RELEASE request")
