"""Group commit: one of this process's threads that wait commits, in one transaction, what all of them have to write."""
from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence

import pymongo
from pymongo.errors import PyMongoError

from lrs.errors import StoreUnavailable, Undecided
from lrs.statements.record import Added, Prepared
from lrs.store.batches import Batch, Refused, Taken, taken, tell
from lrs.store.groups import Groups
from lrs.store.intents import Fenced
from lrs.store.mongo import database
from lrs.store.mongo.adding import Adding
from lrs.store.mongo.database import Calls, Database
from lrs.store.mongo.intents import Writer
from lrs.store.protocols.statements import Same

AT_MOST = 64
"""Requests in one transaction, so that a long queue does not outlast its deadline."""
STATEMENTS_AT_MOST = 2_000
"""Statements in one transaction, for the same reason; one request may have more."""


class GroupCommit:
    """Requests of many threads, one transaction; each of them all or nothing, and durable when `run` returns."""

    def __init__(self, store: Database, writer: Writer) -> None:
        self._database, self._writer = store, writer
        self._groups: Groups[Batch] = Groups(_group, self._in_turn)
        self._turn = threading.Lock()

    def run(self, batch: Sequence[Prepared], same: Same) -> list[Added]:
        """What became of a batch, committed. `Conflict`, `Forbidden` or an error of `same` undoes it alone; a fault of
        the driver (`StoreUnavailable`) undoes the whole group, and every request of it learns so."""
        mine = Batch(batch, same)
        self._groups.run(mine)
        return mine.result

    def leave(self) -> None:
        """Give the writer's place back."""
        with self._turn:
            self._writer.leave()

    def _in_turn(self, group: list[Batch]) -> None:
        with self._turn:
            self._commit(group)

    def _commit(self, group: list[Batch]) -> None:
        left = list(group)
        try:
            with pymongo.timeout(database.PATIENCE):
                while left and not self._stood(left):
                    pass
        except BaseException as error:
            self._writer.withdraw()
            for request in left:
                request.error = Undecided(error.original) if isinstance(error, Undecided) else \
                    StoreUnavailable(getattr(error, "original", error))
            if not isinstance(error, (StoreUnavailable, PyMongoError)):
                raise

    def _stood(self, left: list[Batch]) -> bool:
        """Try it; False when it must be tried again, with what is left."""
        end = time.monotonic() + database.PATIENCE
        self._writer.open()
        try:
            results, low = self._database.write(lambda calls: self._add(calls, left), self._writer.session)
        except Refused as refused:
            refused.leave(left)
            if not left:
                self._writer.withdraw()
            return False
        except Fenced:
            self._writer.lost()
            if time.monotonic() > end:
                raise StoreUnavailable("other processes take this writer's place again and again") from None
            return False
        self._writer.stood(low)
        tell(left, results)
        return True

    def _add(self, calls: Calls, group: list[Batch]) -> tuple[Taken, int]:
        places = self._writer.places(calls)
        adding = Adding(calls, [one.statements for one in group], self._writer.draw(places))
        results = taken(adding, group, PyMongoError)
        return results, self._writer.settle(places, adding.next, stay=self._groups.more(), referring=adding.referring)


def _group(waiting: deque[Batch]) -> list[Batch]:
    group = [waiting.popleft()]
    size = len(group[0].statements)
    while waiting and len(group) < AT_MOST and size + len(waiting[0].statements) <= STATEMENTS_AT_MOST:
        group.append(waiting.popleft())
        size += len(group[-1].statements)
    return group
