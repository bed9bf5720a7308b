"""Transactions that a killed process has left open: a server keeps them, and all that they have written, for a minute and more."""
from __future__ import annotations

import os
import threading

import pymongo
from bson import Int64
from pymongo.client_session import ClientSession
from pymongo.errors import PyMongoError

from lrs.errors import StoreUnavailable
from lrs.store.mongo import database
from lrs.store.mongo.clock import Clock
from lrs.store.mongo.database import Database, Document, Layout

NAME = "processes"
LAYOUT = Layout({NAME: {}})
SEEN_EVERY_US = 2_000_000
"""How old what a process says of itself may become before it says it again."""
ENDED_AFTER_US = SEEN_EVERY_US + int(database.PATIENCE * 1_000_000) + 1_000_000
"""No transaction is open for so long: who was not seen since has left behind what it has open."""
ENDING_SECONDS = 1.0


class Abandoned:
    """The sessions of this process, told to the others before there is a transaction in them, and the end of those that others left.

    Wrong about a process that only stood still, it costs that process a repetition: a transaction that was ended does not commit.
    """

    def __init__(self, store: Database, clock: Clock) -> None:
        self._database, self._clock = store, clock
        self._name = os.urandom(16)
        self._mutex = threading.Lock()
        self._looking = threading.Lock()
        self._sessions: dict[bytes, Document] = {}
        self._seen = self._looked = 0

    def tell(self, session: ClientSession) -> None:
        """Say that this session is ours and that we are there; writes only where that is new, or was said long ago."""
        said, now = dict(session.session_id), self._clock.now()
        with self._mutex:
            if bytes(said["id"]) in self._sessions and now - self._seen < SEEN_EVERY_US:
                return
            sessions = {**self._sessions, bytes(said["id"]): said}
            with self._database.alone() as calls:
                # all of them each time: who was not seen for long is forgotten, and may be there all the same
                calls.update(NAME, {"_id": self._name}, {"$set": {"seen": Int64(now), "sessions": list(sessions.values())}}, upsert=True)
            self._sessions, self._seen = sessions, now

    def end(self) -> None:
        """Have the server undo what processes that are gone have left open. For whoever is held up; never raises."""
        now = self._clock.now()
        with self._looking:
            if now - self._looked < SEEN_EVERY_US / 4:
                return
            self._looked = now
        try:
            with pymongo.timeout(ENDING_SECONDS):
                with self._database.alone() as calls:
                    gone = calls.find(NAME, {"seen": {"$lt": Int64(now - ENDED_AFTER_US)}}, limit=100)
                for one in gone:
                    if one["_id"] != self._name:
                        self._end(one)
        except (StoreUnavailable, PyMongoError):
            return

    def _end(self, one: Document) -> None:
        for session in one["sessions"]:
            self._database.end_session(session, ENDING_SECONDS)
        with self._database.alone() as calls:
            calls.delete(NAME, {"_id": one["_id"], "seen": one["seen"]})

    def leave(self) -> None:
        """This process ends in good order, and leaves nothing open."""
        try:
            with self._database.alone() as calls:
                calls.delete(NAME, {"_id": self._name})
        except StoreUnavailable:
            return
