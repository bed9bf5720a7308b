"""The log of statements in MongoDB."""
from __future__ import annotations

from collections.abc import Sequence

import pymongo

from lrs.statements.record import Added, Page, Prepared, Query, Record
from lrs.store.mongo import clock, intents, postings, references, rows
from lrs.store.mongo.clock import Clock
from lrs.store.mongo.commit import GroupCommit
from lrs.store.mongo.database import Calls, Database, Document, Layout
from lrs.store.mongo.examined import StatementsExamined
from lrs.store.mongo.intents import Horizon, Writer
from lrs.store.mongo.rows import FIELDS, STATEMENTS
from lrs.store.protocols.statements import Same

COUNT_PATIENCE = 60.0
"""Seconds for a count: of a hundred million it takes longer than any other call may."""
LAYOUT = Layout(
    indexes={**rows.INDEXES, **references.INDEXES, **intents.INDEXES},
    seeds={"term_key": rows.term_key, "writers": intents.seeds},
    sparse=rows.SPARSE,
    last=lambda calls: intents.mark(calls, references.newest),
)


class MongoStatements(StatementsExamined):
    """`lrs.store.protocols.statements.Statements` on MongoDB, and what the worker does for it between requests."""

    def __init__(self, database: Database, time: Clock | None = None) -> None:
        self._database = database
        self._clock = time or clock.of(database)
        self._commits = GroupCommit(database, Writer(database, self._clock))
        self._horizon = Horizon(database, self._clock)
        self._term_key: bytes | None = None

    def migrate(self) -> None:
        """Create the collections, the indexes and the key of the terms where they are missing."""
        self._database.migrate(LAYOUT)

    @property
    def term_key(self) -> bytes:
        """The 16-byte key of the term hashes."""
        if self._term_key is None:
            with self._database.read() as calls:
                found = calls.one("term_key", {"_id": 1})
            self._term_key = bytes(found["key"]) if found else b""
        return self._term_key

    def add(self, batch: Sequence[Prepared], same: Same) -> list[Added]:
        """Store all or none, durable on return, in order. Raises `Conflict`, `Forbidden`, `StoreUnavailable`."""
        return self._commits.run(batch, same) if batch else []

    def get(self, statement_id: str, *, voided: bool = False) -> Record | None:
        """The statement with this id that is (not) voided; None if there is none."""
        with self._database.read() as calls:
            found = calls.one(STATEMENTS, {"_id": rows.key(statement_id), "voided": voided}, FIELDS)
        return None if found is None else rows.record(found)

    def requests(self, statement_ids: Sequence[str]) -> dict[str, str]:
        """The id of the request that brought each of these statements; without those of which it is not known."""
        names = {rows.key(one): one for one in statement_ids}
        with self._database.read() as calls:
            found = calls.find(STATEMENTS, {"_id": {"$in": list(names)}, "request": {"$exists": True}}, {"request": 1}) if names else []
        return {names[one["_id"]]: str(one["request"]) for one in found}

    def page(self, query: Query) -> Page:
        """Not-voided records that match, newest first or ascending; up to consistent-through only.

        After 100 000 looks into the index the page ends early, perhaps empty, with a `more`.
        """
        with self._database.read() as calls:
            through = self._horizon.seen_through(calls)
            return _page(calls, query, through, self._horizon.referring)

    def follow(self, after: int, n: int) -> list[Record]:
        """At most n records (voided ones included) with seq > after, oldest first, up to consistent-through."""
        with self._database.read() as calls:
            through = self._horizon.seen_through(calls)
            found = calls.find(STATEMENTS, {"seq": {"$gt": after, "$lte": through}}, FIELDS, sort=[("seq", 1)], limit=n) if n > 0 else []
        return [rows.record(one) for one in found]

    def bearing(self, terms: Sequence[int], after: int, until: int, n: int) -> list[Record]:
        """At most n records (voided ones included) with after < seq ≤ until that have one of these terms of their own,
        oldest first. Costs a look into the index a term, found or not."""
        with self._database.read() as calls:
            return [rows.record(one) for one in postings.any_of(calls, terms, after, until, n, FIELDS)]

    def consistent_through(self) -> int:
        """µs: every record with seq ≤ it is visible now and none can appear later."""
        with self._database.read() as calls:
            return self._horizon.seen_through(calls)

    def last_seq(self) -> int:
        """The seq of the newest statement, 0 if there is none."""
        with self._database.read() as calls:
            last = calls.one(STATEMENTS, {"seq": {"$gt": 0}}, {"seq": 1}, sort=[("seq", -1)])
        return 0 if last is None else int(last["seq"])

    def count_after(self, seq: int) -> int:
        """How many statements have a seq above this one."""
        with self._database.read() as calls, pymongo.timeout(COUNT_PATIENCE):
            return calls.count(STATEMENTS, {"seq": {"$gt": seq}})

    def count(self) -> int:
        """How many statements are stored, voided ones included."""
        return self.count_after(0)

    def data_version(self) -> int:
        """A number that changes when anybody has committed statements."""
        with self._database.read() as calls:
            return sum(int(one["high"]) for one in calls.find("writers", {}) if "high" in one)

    def index_postings(self) -> int:
        """0: the index is written with the statement."""
        return 0

    def merge_postings(self, max_rows: int = 5_000) -> int:
        """0: the index is written where it stays."""
        return 0

    def do_shadow_todo(self, pairs: int = 500) -> bool:
        """Write a slice of the index rows of references that a request left over; False when nothing is left."""
        return self._database.write(lambda calls: references.catch_up(calls, pairs))

    def checkpoint(self) -> int:
        """0: the journal is the server's."""
        return 0

    def close(self) -> None:
        """Give the writer's place back, so that another process need not wait for it."""
        self._commits.leave()


def _page(calls: Calls, query: Query, through: int, referring: int) -> Page:
    low = 1 if query.since is None else query.since + 1
    high = through if query.until is None else min(query.until, through)
    if query.after is not None:
        low, high = (max(low, query.after + 1), high) if query.ascending else (low, min(high, query.after - 1))
    if low > high:
        return Page([], None, through)
    looking = _Looking(calls, query, low, high, referring)
    records: list[Record] = []
    while True:
        room = query.limit - len(records)
        shown = [one for one in looking.more(room + 1) if not one["voided"] and query.credential_id in (None, one["credential_id"])]
        records += map(rows.record, shown[:room])
        if len(shown) > room:
            return Page(records, records[-1].seq, through)
        if looking.ended:
            return Page(records, looking.reached, through)


class _Looking:
    """The documents between two seqs that may be on a page, in its order."""

    def __init__(self, calls: Calls, query: Query, low: int, high: int, referring: int) -> None:
        self._calls, self._low, self._high = calls, low, high
        self._step = 1 if query.ascending else -1
        self._at, end = (low, high) if query.ascending else (high, low)
        self._budget = postings.Budget(postings.PROBES)
        self._one = self._walk = None
        if len(query.terms) == 1:
            self._one = postings.OneTerm(calls, query.terms[0], low, high, query.ascending, query.limit + 1, FIELDS, referring)
        elif query.terms:
            self._walk = postings.Walk(calls, query.terms, query.ascending, self._budget, query.limit + 1, end)
        self.ended = False
        self.reached: int | None = None
        """Where to go on, when it ended because it cost too much."""

    def more(self, n: int) -> list[Document]:
        """The next n, or fewer and `ended`; of one term, as many as came at once, or none and `ended`."""
        if self._one is not None:
            return self._of_term(self._one)
        return self._of_log(n) if self._walk is None else self._of_terms(self._walk, n)

    def _of_log(self, n: int) -> list[Document]:
        bounds = {"$gte": self._low if self._step < 0 else self._at, "$lte": self._at if self._step < 0 else self._high}
        found = self._calls.find(STATEMENTS, {"seq": bounds}, FIELDS, sort=[("seq", self._step)], limit=n)
        self._budget.left -= n
        if len(found) < n:
            self.ended = True
        else:
            self._pass(int(found[-1]["seq"]))
        return found

    def _of_term(self, term: postings.OneTerm) -> list[Document]:
        found = term.more()
        self._budget.left -= len(found)
        if found:
            self._pass(int(found[-1]["seq"]))
        else:
            self.ended = True
        return found

    def _of_terms(self, walk: postings.Walk, n: int) -> list[Document]:
        seqs: list[int] = []
        while len(seqs) < n and not self.ended:
            seq = walk.seek(self._at) if self._low <= self._at <= self._high else None
            if seq is None or not self._low <= seq <= self._high:
                self.ended, self.reached = True, walk.reached
            else:
                seqs.append(seq)
                self._pass(seq)
        found = postings.by_seqs(self._calls, seqs, FIELDS)
        return [found[seq] for seq in seqs]

    def _pass(self, seq: int) -> None:
        self._at = seq + self._step
        if self._budget.left <= 0:
            self.ended, self.reached = True, seq
