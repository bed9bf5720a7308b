"""What checks of a store's promises read of the worker's side in MongoDB."""
from __future__ import annotations

import heapq
import json
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice

from lrs.store.mongo import owed
from lrs.store.mongo.database import Database, Document
from lrs.store.protocols.examined import Achievement, Event, Owed
from lrs.store.protocols.work import Cursor

PAGE = 1_000
STATES_PAGE = 200
RUN = 100_000
"""Achievements sorted at once; more of them are sorted in files."""
Window = tuple[str, int, str, str]


class WorkExamined:
    """`lrs.store.protocols.examined.ExaminedWork` of a `MongoWork`."""

    _database: Database

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """What this thread reads within is of one moment. `StoreUnavailable` where the server ends it before the caller does:
        set its `transactionLifetimeLimitSeconds` higher for a very long feed."""
        with self._database.snapshot():
            yield

    def cursors(self) -> dict[str, Cursor]:
        """Every consumer's cursor."""
        with self._database.read() as calls:
            return {one["_id"]: Cursor(int(one["seq"]), int(one["change"])) for one in calls.find("cursors", {})}

    def events(self) -> Iterator[Event]:
        """The feed, by (id, revision)."""
        for one in self._by_event("feed", ("n", "event_id", "revision", "event")):
            yield Event(int(one["n"]), one["event_id"], int(one["revision"]), one["event"])

    def achievements(self) -> Iterator[Achievement]:
        """Every window of every state, by id."""
        return (Achievement(*row) for row in _sorted(self._windows()))

    def owed(self) -> Iterator[Owed]:
        """Every delivery, by (event id, revision)."""
        for one in self._by_event(owed.NAME, ("target", "event_id", "revision")):
            yield Owed(owed.shown(one["_id"]), one["target"], one["event_id"], int(one["revision"]))

    def _windows(self) -> Iterator[Window]:
        after: Document = {}
        while True:
            with self._database.read() as calls:
                page = calls.find("states", after, {"subject": 1, "course": 1, "body": 1}, sort=[("_id", 1)], limit=STATES_PAGE)
            for one in page:
                for window in json.loads(one["body"]).get("windows", ()):
                    yield window["id"], window.get("revision") or 0, one["subject"], one["course"]
            if len(page) < STATES_PAGE:
                return
            after = {"_id": {"$gt": page[-1]["_id"]}}

    def _by_event(self, name: str, fields: Iterable[str]) -> Iterator[Document]:
        """The documents by event and revision. The index is asked for events alone: those of one event are sorted here."""
        wanted: Document = {"event_id": {"$gte": ""}}
        shown = dict.fromkeys(fields, 1)
        while True:
            with self._database.read() as calls:
                page = calls.find(name, wanted, shown, sort=[("event_id", 1)], limit=PAGE)
                if len(page) == PAGE:
                    last = page[-1]["event_id"]
                    # the page may end in the midst of this event: all of it, and on behind it
                    page = [one for one in page if one["event_id"] != last] + calls.find(name, {"event_id": last}, shown)
                    wanted = {"event_id": {"$gt": last}}
                else:
                    wanted = {}
            yield from sorted(page, key=lambda one: (one["event_id"], one["revision"]))
            if not wanted:
                return


def _sorted(rows: Iterator[Window]) -> Iterator[Window]:
    """In order; what does not fit in one run waits in nameless files."""
    with ExitStack() as files:
        runs: list[Iterable[Window]] = []
        while run := sorted(islice(rows, RUN)):
            if len(run) < RUN:
                runs.append(run)
                break
            file = files.enter_context(tempfile.TemporaryFile("w+"))
            file.writelines(json.dumps(row) + "\n" for row in run)
            file.seek(0)
            runs.append(tuple(json.loads(line)) for line in file)
        yield from heapq.merge(*runs)
