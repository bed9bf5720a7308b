"""Group commit: one of the threads that wait commits, in one transaction, what all of them have to write."""
from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from lrs.errors import StoreUnavailable
from lrs.store.groups import Groups, Waiting
from lrs.store.sqlite.database import Database

Result = TypeVar("Result")
Work = Callable[[sqlite3.Connection], Result]
AT_MOST = 64
"""Requests in one transaction, so that a long queue does not hold the write lock for seconds."""


class _Request(Waiting, Generic[Result]):
    def __init__(self, work: Work[Result]) -> None:
        super().__init__()
        self.work = work
        self.result: Result | None = None


class GroupCommit(Generic[Result]):
    """Requests of many threads, one fsync; each of them all or nothing, and durable when `run` returns."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._groups: Groups[_Request[Result]] = Groups(_group, self._commit)

    def run(self, work: Work[Result]) -> Result:
        """What `work(connection)` returned, committed. An error it raised undoes it alone; a fault of the driver
        (`StoreUnavailable`) undoes the whole group, and every request of it learns so."""
        mine = _Request(work)
        self._groups.run(mine)
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


def _group(waiting: deque[_Request[Result]]) -> list[_Request[Result]]:
    return [waiting.popleft() for _ in range(min(AT_MOST, len(waiting)))]


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
