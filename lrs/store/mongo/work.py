"""The worker's side of a MongoDB store: cursors, achievements and feed here; deliveries and targets beside it."""
from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

from bson import Int64
from pymongo import DeleteOne, ReplaceOne

from lrs.store.mongo import clock, deliveries, numbers, owed, targets
from lrs.store.mongo.claims import TURN
from lrs.store.mongo.clock import Clock
from lrs.store.mongo.database import Calls, Database, Document, Layout, Write
from lrs.store.mongo.deliveries import Deliveries
from lrs.store.mongo.digest import digest
from lrs.store.mongo.examined_work import WorkExamined
from lrs.store.mongo.targets import Targets
from lrs.store.protocols.work import Cursor, FeedRow, Output, Published, StateRow, fingerprint

log = logging.getLogger("store.work")
CURSORS, STATES, FEED = "cursors", "states", "feed"
LAYOUT = Layout(
    {CURSORS: {}, STATES: {"by_subject": [("subject", 1), ("course", 1)], "by_held": [("held", 1)]},
     FEED: {"by_n": [("n", 1)], "by_event": [("event_id", 1)]}, **owed.INDEXES, **targets.INDEXES, **numbers.INDEXES},
    {"numbers": lambda: numbers.seeds(FEED, TURN, "acts")},
    owed.SPARSE | {"by_held"},
)
SEEN_AT_ONCE = 200
"""States read in one call where all of them are looked at."""


class MongoWork(Deliveries, Targets, WorkExamined):
    """`lrs.store.protocols.work.Work` on MongoDB."""

    def __init__(self, database: Database, time: Clock | None = None, leases: Clock | None = None) -> None:
        """`leases`: the time by which leases go."""
        self._database, self._clock = database, time or clock.of(database)
        self._leases = leases or self._clock
        self._heads = owed.Heads(owed.Head)

    def migrate(self) -> None:
        """Create the collections and indexes where they are missing."""
        self._database.migrate(LAYOUT)

    def cursor(self, consumer: str) -> Cursor:
        """Where the consumer stands."""
        with self._database.read() as calls:
            return _cursors(calls, [consumer])[consumer]

    def advance(self, consumer: str, was: Cursor, now: Cursor, output: Output) -> bool:
        """Output and cursor in one transaction; False if the cursor is not `was` any more, or a fence has moved."""
        created = self._clock.now()

        def work(calls: Calls) -> list[Published] | None:
            expected = [(consumer, was), *output.fences]
            standing = _cursors(calls, [name for name, _ in expected])
            if any(standing[name] != cursor for name, cursor in expected):
                return None
            # a fence is written too: two consumers that only looked at each other's cursors would both commit. It is enough that
            # one of the two does, and those that have a fence in common meet there
            for name, cursor in {**{name: cursor for name, cursor in output.fences if name > consumer}, consumer: now}.items():
                calls.update(CURSORS, {"_id": name}, {"$set": {"seq": Int64(cursor.seq), "change": Int64(cursor.change)},
                                                      "$inc": {"writes": Int64(1)}}, upsert=True)
            # last, for whoever conflicts with another has done little so far
            if not _stands(calls, output):
                raise _Overtaken
            calls.write_each(STATES, [_write(state) for state in output.states])
            deliveries.cancel_unsent(calls, output.cancelled)
            given = _publish(calls, output.published)
            there = {one.name for one in targets.every_target(calls)} if output.owed else set()
            owes = [(target, output.published[index], given[index]) for index, target in output.owed
                    if index in given and target in there]
            if owes:
                deliveries.owe(calls, owes, created)
            if output.released:
                deliveries.release_parked(calls, output.released, created)
            return [one for index, one in enumerate(output.published) if index not in given]

        try:
            refused = self._database.write(work)
        except _Overtaken:
            return False
        for one in refused or ():
            # to raise would stop the worker at this statement for ever; what was published is never published otherwise
            log.error("revision %d of achievement %s is in the feed already: the first stands, the second is not sent",
                      one.revision, one.event_id)
        return refused is not None

    def states(self, subjects: Sequence[str]) -> list[StateRow]:
        """Everything known of these subjects."""
        with self._database.read() as calls:
            return [state for states in _states(calls, subjects).values() for state in states]

    def last_published(self, event_id: str) -> Published | None:
        """What the feed last said of this achievement; None where it has no row of it."""
        with self._database.read() as calls:
            said = calls.find(FEED, {"event_id": event_id}, {"n": 0})
        one = max(said, key=lambda one: int(one["revision"]), default=None)
        return Published(one["event"], one["event_id"], int(one["revision"]), one["body"]) if one else None

    def holders(self, seq: int) -> list[str]:
        """The subjects for whom the statement with this seq is evidence. Fetches every state: for rare questions."""
        sought, by_subject = b'{"seq":%d,' % seq, [("subject", 1), ("course", 1)]
        found: set[str] = set()
        after: Document | None = {}
        while after is not None:
            # evidence goes from an identifier ("ifi:") to a person ("person:"), behind it: whatever moves meanwhile is met, where
            # a page is of one moment and no subject is on two
            with self._database.snapshot(), self._database.read() as calls:
                page = calls.find(STATES, after, {"subject": 1, "body": 1}, sort=by_subject, limit=SEEN_AT_ONCE)
                last = page[-1]["subject"] if len(page) == SEEN_AT_ONCE else None
                if last is not None:
                    page += calls.find(STATES, {"subject": last}, {"subject": 1, "body": 1})
            found.update(one["subject"] for one in page if sought in one["body"])
            after = None if last is None else {"subject": {"$gt": last}}
        return sorted(found, key=str.encode)

    def subjects(self, prefix: str, limit: int) -> list[str]:
        """At most `limit` subjects of whom something is known and whose key begins so, in order."""
        found: dict[str, None] = {}
        after: Document = {"$gte": prefix}
        with self._database.read() as calls:
            while len(found) < limit:
                page = [one["subject"] for one in calls.find(STATES, {"subject": {**after, "$lt": prefix + "\U0010ffff"}}, {"subject": 1},
                                                             sort=[("subject", 1), ("course", 1)], limit=min(limit, 1_000))]
                if not page:
                    break
                found.update(dict.fromkeys(page))
                after = {"$gt": page[-1]}
        return list(found)[:max(0, limit)]

    def held(self, limit: int = 100) -> list[StateRow]:
        """States with an achievement that waits for a person."""
        if limit < 1:
            return []
        with self._database.read() as calls:
            return [_state(one) for one in calls.find(STATES, {"held": {"$exists": True}}, sort=[("held", 1)], limit=limit)]

    def count_held(self) -> int:
        """How many there are."""
        with self._database.read() as calls:
            return calls.count(STATES, {"held": {"$exists": True}})

    def feed(self, after: int, limit: int) -> list[FeedRow]:
        """At most `limit` rows with n > after, oldest first."""
        if limit < 1:
            return []
        with self._database.read() as calls:
            # the number first: all rows up to it are seen by a later look of the same session
            bounds = {"$gt": after, "$lte": numbers.last(calls, FEED)}
            return [FeedRow(int(one["n"]), one["body"]) for one in
                    calls.find(FEED, {"n": bounds}, {"n": 1, "body": 1}, sort=[("n", 1)], limit=limit)]

    def feed_length(self) -> int:
        """The number of the last row of the feed: rows are numbered without a gap."""
        with self._database.read() as calls:
            return numbers.last(calls, FEED)

    def data_version(self) -> int:
        """A number that changes when a consumer has come on, or somebody did what gives the worker something to do."""
        with self._database.read() as calls:
            return numbers.last(calls, "acts") + sum(int(one["writes"]) for one in calls.find(CURSORS, {}, {"writes": 1}))


def _cursors(calls: Calls, consumers: Sequence[str]) -> dict[str, Cursor]:
    found = {one["_id"]: Cursor(int(one["seq"]), int(one["change"])) for one in calls.find(CURSORS, {"_id": {"$in": list(consumers)}})}
    return {name: found.get(name, Cursor()) for name in consumers}


class _Overtaken(Exception):
    pass


def _states(calls: Calls, subjects: Iterable[str]) -> dict[str, list[StateRow]]:
    known: dict[str, list[StateRow]] = {subject: [] for subject in subjects}
    for some in owed.chunks(known):
        for one in calls.find(STATES, {"subject": {"$in": some}}, sort=[("subject", 1), ("course", 1)]):
            known[one["subject"]].append(_state(one))
    return known


def _stands(calls: Calls, output: Output) -> bool:
    """Whether what was loaded and heard is so still."""
    if any(fingerprint(states) != output.loaded[subject] for subject, states in _states(calls, output.loaded).items()):
        return False
    said = dict.fromkeys(output.heard, 0)
    for some in owed.chunks(said):
        for one in calls.find(FEED, {"event_id": {"$in": some}}, {"event_id": 1, "revision": 1}):
            said[one["event_id"]] = max(said[one["event_id"]], int(one["revision"]))
    return said == output.heard


def _write(state: StateRow) -> Write:
    name = digest(state.subject, state.course)
    if state.body is None:
        return DeleteOne({"_id": name})
    held = {"held": f"{state.subject}\0{state.course}"} if state.held else {}
    return ReplaceOne({"_id": name}, {"_id": name, "subject": state.subject, "course": state.course, "body": state.body, **held},
                      upsert=True)


def _state(one: Document) -> StateRow:
    return StateRow(one["subject"], one["course"], one["body"], "held" in one)


def _publish(calls: Calls, published: Sequence[Published]) -> dict[int, int]:
    """Append to the feed, numbered without a gap; the numbers by index, without those whose revision stands there already.
    All who publish meet at the number, so nobody who appends something else was overlooked."""
    names = [digest(one.event_id, str(one.revision)) for one in published]
    known: set[bytes] = set()
    for some in owed.chunks(dict.fromkeys(names)):
        known |= {one["_id"] for one in calls.find(FEED, {"_id": {"$in": some}}, {"_id": 1})}
    new = []
    for index, name in enumerate(names):
        if name not in known:
            known.add(name)
            new.append(index)
    if not new:
        return {}
    first = numbers.draw(calls, FEED, len(new))
    given = {index: first + place for place, index in enumerate(new)}
    for some in owed.chunks(new, targets.AT_ONCE):
        calls.insert(FEED, [{"_id": names[index], "n": Int64(given[index]), "event_id": published[index].event_id,
                             "revision": Int64(published[index].revision), "event": published[index].event,
                             "body": published[index].body} for index in some])
    return given
