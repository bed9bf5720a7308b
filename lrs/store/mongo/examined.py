"""What checks of a store's promises read of the log of statements in MongoDB."""
from __future__ import annotations

from collections.abc import Iterable, Iterator

from bson import Int64

from lrs.statements.record import Record
from lrs.store.mongo import rows
from lrs.store.mongo.database import Database, Document
from lrs.store.mongo.references import SHADOWS, TODO, packed, unpacked
from lrs.store.mongo.rows import FIELDS, STATEMENTS
from lrs.store.protocols.examined import IndexRow, Kept, Linked

SLICE = 500
REFERRING = 1_000
WITH_TERMS = FIELDS | {"terms": 1}
LINKED = dict.fromkeys(("seq", "target", "voided", "terms"), 1)


class StatementsExamined:
    """`lrs.store.protocols.examined.ExaminedStatements` of a `MongoStatements`. The index of own terms is the documents' own;
    rows of it are those of references alone."""

    own_rows = False
    _database: Database

    def kept(self, after: int, n: int) -> list[Kept]:
        """At most n statements with seq > after, oldest first."""
        with self._database.read() as calls:
            return [_kept(one) for one in calls.find(STATEMENTS, {"seq": {"$gt": Int64(after)}}, WITH_TERMS, sort=[("seq", 1)], limit=n)]

    def kept_at(self, seqs: Iterable[int]) -> dict[int, Kept]:
        """Those of these seqs at which a statement stands."""
        with self._database.read() as calls:
            found = calls.find(STATEMENTS, {"seq": {"$in": [Int64(seq) for seq in seqs]}}, WITH_TERMS)
        return {int(one["seq"]): _kept(one) for one in found}

    def linked(self, statement_ids: Iterable[str]) -> dict[str, Linked]:
        """Those of these statements that are here, voided or not."""
        names = [rows.key(one) for one in statement_ids]
        found: dict[str, Linked] = {}
        with self._database.read() as calls:
            for start in range(0, len(names), SLICE):
                for one in calls.find(STATEMENTS, {"_id": {"$in": names[start:start + SLICE]}, "seq": {"$gt": 0}}, LINKED):
                    target = one.get("target")
                    found[rows.uuid_text(one["_id"])] = Linked(int(one["seq"]), target and rows.uuid_text(target), one["voided"],
                                                               tuple(map(int, one["terms"])))
        return found

    def terms_at(self, seqs: Iterable[int]) -> dict[int, frozenset[int]]:
        """The own terms of those of these seqs at which a statement stands."""
        with self._database.read() as calls:
            found = calls.find(STATEMENTS, {"seq": {"$in": [Int64(seq) for seq in seqs]}}, {"seq": 1, "terms": 1})
        return {int(one["seq"]): frozenset(int(term) for term in one["terms"]) for one in found}

    def referring(self, statement_id: str) -> list[Record]:
        """The statements that refer to this one, at most 1 000."""
        with self._database.read() as calls:
            refer = calls.find("referrals", {"target": rows.key(statement_id)}, {"_id": 1}, sort=[("voids", -1)], limit=REFERRING)
            found = calls.find(STATEMENTS, {"_id": {"$in": [one["_id"] for one in refer]}, "seq": {"$gt": 0}}, FIELDS)
        return [rows.record(one) for one in found]

    def index_rows(self) -> Iterator[IndexRow]:
        """Every row of a reference."""
        at = packed((0, 0))
        while True:
            with self._database.read() as calls:
                some = calls.find(SHADOWS, {"_id": {"$gt": at}}, sort=[("_id", 1)], limit=SLICE)
            for one in some:
                seq, via = unpacked(one["_id"])
                yield from ((int(term), seq, via) for term in one["terms"])
            if len(some) < SLICE:
                return
            at = some[-1]["_id"]

    def indexed(self, rows: Iterable[IndexRow]) -> set[IndexRow]:
        """Those of these rows that the index has."""
        wanted = set(rows)
        own = self.terms_at({seq for _, seq, via in wanted if not via})
        with self._database.read() as calls:
            names = {packed((seq, via)) for _, seq, via in wanted if via}
            shadows = {unpacked(one["_id"]): set(one["terms"]) for one in calls.find(SHADOWS, {"_id": {"$in": sorted(names)}})}
        there = shadows | {(seq, 0): terms for seq, terms in own.items()}
        return {(term, seq, via) for term, seq, via in wanted if term in there.get((seq, via), ())}

    def owes_index(self) -> bool:
        """Whether rows for references are still to be written."""
        with self._database.read() as calls:
            return calls.one(TODO, {}) is not None

    def ceiling(self) -> int:
        """The newest seq: no time is promised ahead here, so there is nothing that it could exceed (see `intents`)."""
        with self._database.read() as calls:
            last = calls.one(STATEMENTS, {"seq": {"$gt": 0}}, {"seq": 1}, sort=[("seq", -1)])
        return 0 if last is None else int(last["seq"])


def _kept(found: Document) -> Kept:
    return Kept(rows.record(found), tuple(int(term) for term in found["terms"]))
