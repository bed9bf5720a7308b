"""Group commit: one of the threads that wait commits, in one transaction, what all of them have to write."""
from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Sequence
from contextlib import suppress

from lrs.errors import StoreUnavailable
from lrs.statements.record import Added, Prepared
from lrs.store.groups import Groups, Waiting
from lrs.store.sqlite import rows
from lrs.store.sqlite.adding import Adding, Same
from lrs.store.sqlite.clock import Clock
from lrs.store.sqlite.database import Database
from lrs.store.sqlite.postings import Bound

AT_MOST = 64
"""Requests in one transaction, so that a long queue does not hold the write lock for seconds."""


class _Request(Waiting):
    def __init__(self, batch: Sequence[Prepared], same: Same) -> None:
        super().__init__()
        self.batch, self.same = batch, same
        self.result: list[Added] = []


class _Refused(Exception):
    def __init__(self, request: _Request, why: Exception) -> None:
        self.request, self.why = request, why


class _Nothing(Exception):
    """None of the group is taken: the file stays as it was."""


class GroupCommit:
    """Requests of many threads, one fsync; each of them all or nothing, and durable when `run` returns."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._bound = Bound()
        self._groups: Groups[_Request] = Groups(_group, self._commit)

    def run(self, batch: Sequence[Prepared], same: Same) -> list[Added]:
        """What became of a batch, committed. `Conflict`, `Forbidden` or an error of `same` undoes it alone; a fault of
        the driver (`StoreUnavailable`) undoes the whole group, and every request of it learns so."""
        mine = _Request(batch, same)
        self._groups.run(mine)
        return mine.result

    def _commit(self, group: list[_Request]) -> None:
        left = list(group)
        try:
            while left and not self._stood(left):
                pass
        except BaseException as error:
            for request in left:
                request.error = StoreUnavailable(getattr(error, "original", error))
            if not isinstance(error, StoreUnavailable):
                raise

    def _stood(self, left: list[_Request]) -> bool:
        """Try it; False when it must be tried again, with what is left."""
        try:
            with suppress(_Nothing), self._database.write() as db:
                results = self._add(db, left)
                if all(error is not None for _, error in results):
                    raise _Nothing
        except _Refused as refused:
            refused.request.error = refused.why
            left.remove(refused.request)
            return False
        for request, (added, error) in zip(left, results, strict=True):
            request.result, request.error = added, error
        return True

    def _add(self, db: sqlite3.Connection, group: Sequence[_Request]) -> list[tuple[list[Added], Exception | None]]:
        size = sum(len(request.batch) for request in group)
        time = self._clock.advance(db, size)
        adding = Adding(db, [request.batch for request in group], max(time, rows.highest(db) + 1))
        results: list[tuple[list[Added], Exception | None]] = []
        for request in group:
            mark = adding.mark()
            try:
                results.append((adding.take(request.batch, request.same), None))
            except sqlite3.Error:
                raise
            except Exception as error:
                if not adding.back(mark):
                    raise _Refused(request, error) from error
                results.append(([], error))
        adding.write()
        self._bound.added(db, size)
        if adding.next > time + size:  # else the clock has seen to it
            self._clock.cover(db, adding.next)
        return results


def _group(waiting: deque[_Request]) -> list[_Request]:
    return [waiting.popleft() for _ in range(min(AT_MOST, len(waiting)))]
