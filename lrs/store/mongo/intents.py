"""Who may be writing: an intent stands before a seq is drawn, and says which seqs may still appear.

Every writer (a process) holds one of 16 places and draws only seqs ≡ place (mod 16). `low` of its document is 0, or no
seq that it has under way is below it. The argument for what is promised is in docs/adr/0007-mongodb.md.
"""
from __future__ import annotations

import os
import threading
from contextlib import suppress
from functools import cached_property

import pymongo
from bson import Int64
from pymongo.client_session import ClientSession
from pymongo.errors import PyMongoError

from lrs.errors import StoreUnavailable
from lrs.store.mongo.clock import Clock
from lrs.store.mongo.database import Calls, Database, Document

PLACES = 16
GIVEN = -1
"""The `_id` of the document that holds a time below which no seq is drawn any more."""
BEAT_US = 100_000
"""How old what is promised may become before a reader has it raised."""
LEASE_US = 5_000_000
"""How long an intent may stand without a commit before a reader ends it, and with it the writer's right to commit."""
ENDING_SECONDS = 0.1
"""How long a reader tries to end one: he has an answer without it."""
NOBODY = b""
INDEXES: dict[str, dict[str, list[tuple[str, int]]]] = {"writers": {}}


def seeds() -> list[Document]:
    """The documents of an empty store."""
    places = [{"_id": place, "owner": NOBODY, "low": Int64(0), "high": Int64(0), "seen": Int64(0)} for place in range(PLACES)]
    return [{"_id": GIVEN, "given": Int64(0)}, *places]


class Fenced(Exception):
    """The place was taken from this writer: what it was about to commit must not be; it may begin again."""


class Writer:
    """The intent of one process. Used by one thread at a time."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._token = os.urandom(16)
        self._place: int | None = None
        self._low = 0

    @cached_property
    def session(self) -> ClientSession:
        """The session in which this writer's transactions are, and no other."""
        return self._database.session()

    def open(self) -> None:
        """Have an intent that stands with the majority. Raises `StoreUnavailable` when all places are in use."""
        if self._low:
            return
        now = self._clock.now()
        with self._database.alone() as calls:
            if self._place is not None and self._take(calls, self._place, {"owner": self._token}, now):
                return
            self.lost()
            free = calls.find("writers", {"low": {"$lt": now - LEASE_US}})
            for place in sorted(free, key=lambda one: (one["owner"] != NOBODY, one["seen"])):
                if self._take(calls, place["_id"], {"owner": place["owner"], "low": place["low"]}, now):
                    return
        raise StoreUnavailable(f"all {PLACES} writers' places are in use at this moment", 1)

    def _take(self, calls: Calls, place: int, guard: Document, now: int) -> bool:
        # known before it is asked: where the answer is lost, `withdraw` must find the place
        self._place = place
        change = {"owner": self._token, "low": Int64(now), "seen": Int64(now), "session": dict(self.session.session_id)}
        # the second filter: the driver repeats a write whose answer was lost, and the first may have been done
        if calls.update("writers", {"_id": place, **guard}, {"$set": change}) or calls.one("writers", {"_id": place, **change}):
            self._low = now
            return True
        return False

    def draw(self, calls: Calls) -> int:
        """The first seq of a transaction; the next ones follow in steps of PLACES. Raises `Fenced`."""
        known = calls.find("writers", {})
        mine = next((one for one in known if one["_id"] == self._place), None)
        if mine is None or (mine["owner"], mine["low"]) != (self._token, self._low):
            raise Fenced
        least = max(self._clock.now(), self._low, *(promised(one) + 1 for one in known))
        return int(least + (mine["_id"] - least) % PLACES)

    def settle(self, calls: Calls, after: int, *, stay: bool) -> int:
        """In the transaction: no seq below `after` will come any more; `stay` keeps the intent, for more. The new low.
        Raises `Fenced`."""
        low = after if stay else 0
        change = {"low": Int64(low), "high": Int64(after - PLACES), "seen": Int64(self._clock.now())}
        if not calls.update("writers", {"_id": self._place, "owner": self._token, "low": Int64(self._low)}, {"$set": change}):
            raise Fenced
        return low

    def stands(self, low: int) -> None:
        """The transaction has been committed with this low."""
        self._low = low

    def withdraw(self) -> None:
        """What was under way has failed, or its end is not known. End the intent: this write and that transaction are
        both on the writer's document, so after it the transaction stands or never will. Where it fails, a reader ends it."""
        self._low = 0
        if self._place is None:
            return
        try:
            with self._database.alone() as calls:
                calls.update("writers", {"_id": self._place, "owner": self._token}, {"$set": {"low": Int64(0)}})
        except StoreUnavailable:
            pass

    def lost(self) -> None:
        """Another has the place now."""
        self._place, self._low = None, 0

    def leave(self) -> None:
        """Give the place back."""
        if self._place is not None:
            try:
                with self._database.alone() as calls:
                    calls.update("writers", {"_id": self._place, "owner": self._token}, {"$set": {"low": Int64(0), "owner": NOBODY}})
            except StoreUnavailable:
                pass
            self.lost()


def promised(writer: Document) -> int:
    """The time up to which a document of `writers` says that nothing new is drawn."""
    return int(writer["given"] if writer["_id"] == GIVEN else writer["high"])


class Horizon:
    """What is certain to be complete. One a process; safe from many threads."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._mutex = threading.Lock()
        self._reached = self._ended = 0

    def through(self, calls: Calls) -> int:
        """µs: all with a seq up to it are seen by every later call of these, and none can appear any more.

        The order decides: first what has been promised or drawn, then, in a later look, whose intents stand.
        """
        now = self._clock.now()
        reached = max(promised(one) for one in calls.find("writers", {}))
        if now - reached > BEAT_US and self._beat(calls, now):
            reached = now
        standing = [one for one in calls.find("writers", {}) if one.get("low")]
        dead = [one for one in standing if now - one["low"] > LEASE_US]
        if dead and now - self._ended > BEAT_US:
            self._ended = now
            self._end(calls, min(dead, key=lambda one: int(one["low"])))
        certain = min([reached, *(int(one["low"]) - 1 for one in standing)])
        with self._mutex:
            # a promise holds for ever, so what is promised never falls back
            self._reached = max(self._reached, certain)
            return self._reached

    def _beat(self, calls: Calls, now: int) -> bool:
        try:
            calls.update("writers", {"_id": GIVEN}, {"$max": {"given": Int64(now)}})
        except PyMongoError:
            return False  # a store that takes no writes still answers reads: it just promises nothing new
        return True

    def _end(self, calls: Calls, intent: Document) -> None:
        # a transaction that its process left open holds the document, and whoever writes it, for a minute and more
        with suppress(StoreUnavailable):
            self._database.end_session(intent["session"], ENDING_SECONDS)
        with suppress(PyMongoError), pymongo.timeout(ENDING_SECONDS):
            calls.update("writers", {"_id": intent["_id"], "owner": intent["owner"], "low": intent["low"]},
                         {"$set": {"low": Int64(0), "owner": NOBODY}})
