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
from lrs.store.groups import Groups, Waiting
from lrs.store.intents import Fenced
from lrs.store.mongo import database
from lrs.store.mongo.adding import Adding, Same
from lrs.store.mongo.database import Calls, Database
from lrs.store.mongo.intents import Writer

AT_MOST = 64
"""Requests in one transaction, so that a long queue does not outlast its deadline."""
STATEMENTS_AT_MOST = 2_000
"""Statements in one transaction, for the same reason; one request may have more."""


class _Request(Waiting):
    def __init__(self, batch: Sequence[Prepared], same: Same) -> None:
        super().__init__()
        self.batch, self.same = batch, same
        self.result: list[Added] = []


class _Refused(Exception):
    def __init__(self, request: _Request, why: Exception) -> None:
        self.request, self.why = request, why


class GroupCommit:
    """Requests of many threads, one transaction; each of them all or nothing, and durable when `run` returns."""

    def __init__(self, store: Database, writer: Writer) -> None:
        self._database, self._writer = store, writer
        self._groups: Groups[_Request] = Groups(_group, self._in_turn)
        self._turn = threading.Lock()

    def run(self, batch: Sequence[Prepared], same: Same) -> list[Added]:
        """What became of a batch, committed. `Conflict`, `Forbidden` or an error of `same` undoes it alone; a fault of
        the driver (`StoreUnavailable`) undoes the whole group, and every request of it learns so."""
        mine = _Request(batch, same)
        self._groups.run(mine)
        return mine.result

    def leave(self) -> None:
        """Give the writer's place back."""
        with self._turn:
            self._writer.leave()

    def _in_turn(self, group: list[_Request]) -> None:
        with self._turn:
            self._commit(group)

    def _commit(self, group: list[_Request]) -> None:
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

    def _stood(self, left: list[_Request]) -> bool:
        """Try it; False when it must be tried again, with what is left."""
        end = time.monotonic() + database.PATIENCE
        self._writer.open()
        try:
            results, low = self._database.write(lambda calls: self._add(calls, left), self._writer.session)
        except _Refused as refused:
            refused.request.error = refused.why
            left.remove(refused.request)
            if not left:
                self._writer.withdraw()
            return False
        except Fenced:
            self._writer.lost()
            if time.monotonic() > end:
                raise StoreUnavailable("other processes take this writer's place again and again") from None
            return False
        self._writer.stood(low)
        for request, (added, error) in zip(left, results, strict=True):
            request.result, request.error = added, error
        return True

    def _add(self, calls: Calls, group: list[_Request]) -> tuple[list[tuple[list[Added], Exception | None]], int]:
        places = self._writer.places(calls)
        adding = Adding(calls, [request.batch for request in group], self._writer.draw(places))
        results: list[tuple[list[Added], Exception | None]] = []
        for request in group:
            mark = adding.mark()
            try:
                results.append((adding.take(request.batch, request.same), None))
            except PyMongoError:
                raise
            except Exception as error:
                if not adding.back(mark):
                    raise _Refused(request, error) from error
                results.append(([], error))
        adding.write()
        return results, self._writer.settle(places, adding.next, stay=self._groups.more(), referring=adding.referring)


def _group(waiting: deque[_Request]) -> list[_Request]:
    group = [waiting.popleft()]
    size = len(group[0].batch)
    while waiting and len(group) < AT_MOST and size + len(waiting[0].batch) <= STATEMENTS_AT_MOST:
        group.append(waiting.popleft())
        size += len(group[-1].batch)
    return group
