"""The index of terms: own terms in the statements, those of statements referred to in `shadows`, several walked at a time."""
from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from bson import Int64

from lrs.store.mongo.database import Calls, Document
from lrs.store.mongo.references import SHADOWS, packed, unpacked
from lrs.store.mongo.rows import STATEMENTS

Position = tuple[int, int]
"""(seq, via): `via` 0 is the statement itself, else the seq of the one it refers to whose term this is."""
LEAST, GREATEST = -(1 << 62), 1 << 62
PROBES = 100_000
CHUNK = 512
AMONG = 100
"""Values in one `$in`."""
RARE = 1_000
"""Rows beyond which it does not matter how many a term has."""


@dataclass(slots=True)
class Budget:
    """How many index probes a page may still make."""

    left: int


def any_of(calls: Calls, terms: Sequence[int], after: int, until: int, n: int, fields: Document) -> list[Document]:
    """The first n statements in after < seq ≤ until that have one of the terms of their own, ascending."""
    found: dict[int, Document] = {}
    for start in range(0, len(terms), AMONG):
        some = [Int64(term) for term in terms[start:start + AMONG]]
        wanted = {"terms": {"$in": some}, "seq": {"$gt": after, "$lte": until}}
        found.update((one["seq"], one) for one in calls.find(STATEMENTS, wanted, fields, sort=[("seq", 1)], limit=n))
        if len(found) >= n:
            until = sorted(found)[n - 1]
    return [found[seq] for seq in sorted(found)[:n]]


def by_seqs(calls: Calls, seqs: Sequence[int], fields: Document) -> dict[int, Document]:
    """The statements of these seqs."""
    found: dict[int, Document] = {}
    for start in range(0, len(seqs), AMONG):
        some = [Int64(seq) for seq in seqs[start:start + AMONG]]
        found.update((int(one["seq"]), one) for one in calls.find(STATEMENTS, {"seq": {"$in": some}}, fields))
    return found


class _Postings:
    """One term's positions in order; remembers what it read ahead, and reads more ahead the more is used."""

    def __init__(self, calls: Calls, term: int, ascending: bool, budget: Budget, ahead: int, end: int) -> None:
        self._calls, self._term, self._budget = calls, Int64(term), budget
        self._sign = 1 if ascending else -1
        self._beyond = end
        self._rows: list[Position] = []  # positions times sign, so that they always ascend
        self._used, self._size, self._end = 0, min(ahead, CHUNK), False

    def seek(self, at: Position) -> Position | None:
        """The first position at or after this one in walking order; costs one probe."""
        self._budget.left -= 1
        wanted = (at[0] * self._sign, at[1] * self._sign)
        self._used = bisect_left(self._rows, wanted, self._used)
        if self._used == len(self._rows):
            if self._rows and self._end:
                return None
            self._read(wanted)
            if not self._rows:
                return None
        seq, via = self._rows[self._used]
        return seq * self._sign, via * self._sign

    def _read(self, wanted: Position) -> None:
        sign, size = self._sign, self._size
        seq, via = wanted
        start = seq if via <= 0 else seq + 1
        own = self._find(STATEMENTS, "seq", start * sign, self._beyond)
        least = (seq * sign, via * sign)
        others = self._find(SHADOWS, "_id", packed(least), packed((self._beyond, GREATEST if sign > 0 else LEAST)))
        found = [[(int(one["seq"]) * sign, 0) for one in own],
                 [(seq * sign, via * sign) for seq, via in (unpacked(one["_id"]) for one in others)]]
        # behind the last row of a list that was cut off there may be rows of it that are not here
        cut = [rows[-1] for rows in found if len(rows) >= size]
        rows = sorted(found[0] + found[1])
        self._rows = [row for row in rows if row <= min(cut)] if cut else rows
        self._used, self._end = 0, not cut
        self._size = min(CHUNK, size * 2)

    def _find(self, name: str, field: str, start: object, end: object) -> list[Document]:
        bounds = {"$gte": start, "$lte": end} if self._sign > 0 else {"$lte": start, "$gte": end}
        wanted, order = {"terms": self._term, field: bounds}, [(field, self._sign)]
        return self._calls.find(name, wanted, {"_id": 0, field: 1}, sort=order, limit=self._size)

    def weight(self) -> int:
        """How many positions the term has, counted up to RARE."""
        return sum(self._calls.count(name, {"terms": self._term}, RARE) for name in (STATEMENTS, SHADOWS))


class OneTerm:
    """The statements of one term in order, a chunk at a time: its own, with all that is wanted of them, and those that refer to one."""

    def __init__(self, calls: Calls, term: int, low: int, high: int, ascending: bool, size: int, fields: Document, referring: int) -> None:
        """`fields`: what is wanted of the statements. The first chunk has up to `size`, each further one may have twice as many.
        `referring`: no statement above it refers to another."""
        self._calls, self._term, self._fields, self._referring = calls, Int64(term), fields, referring
        self._low, self._high, self._step = low, high, 1 if ascending else -1
        self._size = min(size, CHUNK)

    def more(self) -> list[Document]:
        """The next ones; none: there are no more."""
        found: list[Document] = []
        while not found and self._low <= self._high:
            found = self._chunk()
        return found

    def _chunk(self) -> list[Document]:
        own = self._find(STATEMENTS, {"seq": {"$gte": self._low, "$lte": self._high}}, self._fields)
        # behind the last row of a list that was cut off there may be rows of it that are not here
        cut = [int(own[-1]["seq"])] if len(own) >= self._size else []
        referrers = self._referrers(max([self._low, *cut]) if self._step < 0 else self._low)
        if len(referrers) >= self._size:
            cut.append(referrers[-1])
        if self._step > 0:
            last = min(cut, default=self._high)
            self._low = last + 1
        else:
            last = max(cut, default=self._low)
            self._high = last - 1
        self._size = min(CHUNK, self._size * 2)
        return self._merged(own, referrers, last) if referrers else own

    def _referrers(self, low: int) -> list[int]:
        """The seqs, not below this one, of the next that refer to a statement of the term; one may come more than once."""
        high = min(self._high, self._referring)
        if low > high:
            return []
        found = self._find(SHADOWS, {"_id": {"$gte": packed((low, LEAST)), "$lte": packed((high, GREATEST))}}, {"_id": 1})
        return [unpacked(one["_id"])[0] for one in found]

    def _find(self, name: str, bounds: Document, fields: Document) -> list[Document]:
        return self._calls.find(name, {"terms": self._term, **bounds}, fields, sort=[(next(iter(bounds)), self._step)], limit=self._size)

    def _merged(self, own: Sequence[Document], referring: Sequence[int], last: int) -> list[Document]:
        found = {int(one["seq"]): one for one in own}
        seqs = sorted((seq for seq in found.keys() | set(referring) if (last - seq) * self._step >= 0), reverse=self._step < 0)
        found |= by_seqs(self._calls, [seq for seq in seqs if seq not in found], self._fields)
        return [found[seq] for seq in seqs if seq in found]


class Walk:
    """The seqs at which all of some terms stand together at one (seq, via), in order, none beyond `end`."""

    def __init__(self, calls: Calls, terms: Sequence[int], ascending: bool, budget: Budget, ahead: int, end: int) -> None:
        self._budget, self._ascending = budget, ascending
        self._ranges = sorted((_Postings(calls, term, ascending, budget, ahead, end) for term in terms), key=_Postings.weight)
        self.reached: int | None = None
        """The seq up to which everything was looked at when the budget ran out."""

    def seek(self, seq: int) -> int | None:
        """The first matching seq at or after this one; None at the end, or when the budget ran out (`reached` set)."""
        at = (seq, LEAST if self._ascending else GREATEST)
        agreed = 0
        while agreed < len(self._ranges):
            for postings in self._ranges:
                found = postings.seek(at)
                if found is None:
                    return None
                agreed = agreed + 1 if found == at else 1
                at = found
                if agreed >= len(self._ranges):
                    break
            if self._budget.left <= 0 and agreed < len(self._ranges):
                self.reached = at[0] - 1 if self._ascending else at[0] + 1
                return None
        return at[0]
