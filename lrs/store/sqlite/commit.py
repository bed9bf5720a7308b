"""Group commit: one of the threads that wait commits, in one transaction, what all of them have to write."""
from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Sequence
from contextlib import suppress

from lrs.errors import StoreUnavailable
from lrs.statements.record import Added, Prepared
from lrs.store.batches import Batch, Refused, Taken, taken, tell
from lrs.store.groups import Groups
from lrs.store.protocols.statements import Same
from lrs.store.sqlite import rows
from lrs.store.sqlite.adding import Adding
from lrs.store.sqlite.clock import Clock
from lrs.store.sqlite.database import Database
from lrs.store.sqlite.postings import Bound

AT_MOST = 64
"""Requests in one transaction, so that a long queue does not hold the write lock for seconds."""


class _Nothing(Exception):
    """None of the group is taken: the file stays as it was."""


class GroupCommit:
    """Requests of many threads, one fsync; each of them all or nothing, and durable when `run` returns."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._bound = Bound()
        self._groups: Groups[Batch] = Groups(_group, self._commit)

    def run(self, batch: Sequence[Prepared], same: Same) -> list[Added]:
        """What became of a batch, committed. `Conflict`, `Forbidden` or an error of `same` undoes it alone; a fault of
        the driver (`StoreUnavailable`) undoes the whole group, and every request of it learns so."""
        mine = Batch(batch, same)
        self._groups.run(mine)
        return mine.result

    def _commit(self, group: list[Batch]) -> None:
        left = list(group)
        try:
            while left and not self._stood(left):
                pass
        except BaseException as error:
            for request in left:
                request.error = StoreUnavailable(getattr(error, "original", error))
            if not isinstance(error, StoreUnavailable):
                raise

    def _stood(self, left: list[Batch]) -> bool:
        """Try it; False when it must be tried again, with what is left."""
        try:
            with suppress(_Nothing), self._database.write() as db:
                results = self._add(db, left)
                if all(error is not None for _, error in results):
                    raise _Nothing
        except Refused as refused:
            refused.leave(left)
            return False
        tell(left, results)
        return True

    def _add(self, db: sqlite3.Connection, group: Sequence[Batch]) -> Taken:
        size = sum(len(one.statements) for one in group)
        time = self._clock.advance(db, size)
        adding = Adding(db, [one.statements for one in group], max(time, rows.highest(db) + 1))
        results = taken(adding, group, sqlite3.Error)
        self._bound.added(db, size)
        if adding.next > time + size:  # else the clock has seen to it
            self._clock.cover(db, adding.next)
        return results


def _group(waiting: deque[Batch]) -> list[Batch]:
    return [waiting.popleft() for _ in range(min(AT_MOST, len(waiting)))]
