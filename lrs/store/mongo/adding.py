"""Batches on their way into the statements of one transaction."""
from __future__ import annotations

from collections.abc import Iterator, Sequence

from bson import Binary

from lrs.errors import Conflict
from lrs.statements.envelope import text
from lrs.statements.instants import printed
from lrs.statements.record import Added, Prepared
from lrs.store.intents import PLACES
from lrs.store.mongo import references, rows
from lrs.store.mongo.database import Calls, Document
from lrs.store.mongo.references import Budget
from lrs.store.mongo.rows import STATEMENTS
from lrs.store.mongo.voiding import void_target, voided_before
from lrs.store.protocols.statements import Same

Mark = tuple[int, int, int, set[Binary]]
AMONG = 500
"""Ids looked up at once. They are looked up by `_id`, where a long list costs no more than its parts."""


class Adding:
    """Most statements refer to nothing and nothing refers to them: these are looked up together and written together;
    before one that does, all before it are written, so that it finds them."""

    def __init__(self, calls: Calls, batches: Sequence[Sequence[Prepared]], first: int) -> None:
        """`first` is the seq of the first new statement."""
        self._calls = calls
        self._stored: dict[Binary, tuple[int, bytes]] = {}
        self._awaited: set[Binary] = set()
        for one in self._known(list({rows.key(new.id) for batch in batches for new in batch})):
            if "seq" in one:
                self._stored[one["_id"]] = (int(one["seq"]), one["text"])
            else:
                self._awaited.add(one["_id"])
        self._new: list[Document] = []
        self._writes = 0
        self.next = first
        self.referring = 0
        """The last seq given to a statement that refers to another, 0 if none was."""

    def take(self, batch: Sequence[Prepared], same: Same) -> list[Added]:
        """Take a batch in. Raises `Conflict`, `Forbidden`, and what `same` raises."""
        budget = Budget(references.IN_REQUEST + len(batch))
        added: list[Added] = []
        for index, new in enumerate(batch):
            stored = self._stored.get(rows.key(new.id))
            if stored is None:
                added.append(Added(new.id, self.next))
                self._add(new, budget)
            elif same(stored[1], new.raw):
                added.append(Added(new.id, stored[0], repeated=True))
            else:
                raise Conflict(index, new.id, stored[1])
        return added

    def mark(self) -> Mark:
        """Where things stand between two batches."""
        return len(self._new), self._writes, self.next, set(self._awaited)

    def back(self, mark: Mark) -> bool:
        """Forget what was taken in since; False if a part of it is written, and only an abort undoes it."""
        kept, writes, self.next, self._awaited = mark
        if writes != self._writes:
            return False
        for one in self._new[kept:]:
            del self._stored[one["_id"]]
        del self._new[kept:]
        return True

    def _add(self, new: Prepared, budget: Budget) -> None:
        name, seq = rows.key(new.id), self.next
        awaited = name in self._awaited
        alone = new.target is None and not awaited
        if not alone:
            self.write()
            self._writes += 1
        effective = not alone and void_target(self._calls, new)
        voided = awaited and voided_before(self._calls, new)
        body = text(new.parts, printed(seq))
        one = rows.document(new, seq, body, voided=voided, void_effective=effective)
        self._stored[name] = (seq, body)
        self.next += PLACES
        if new.target is not None:
            self.referring = seq
        if alone:
            self._new.append(one)
            return
        self._put(one, awaited=awaited)
        references.refer(self._calls, new, seq)
        references.link(self._calls, seq, name, one.get("target"), budget, awaited=awaited)
        if new.target is not None and one["target"] not in self._stored:
            self._awaited.add(one["target"])

    def _put(self, one: Document, *, awaited: bool) -> None:
        if awaited:
            self._calls.replace(STATEMENTS, {"_id": one["_id"]}, one)
        else:
            self._calls.insert(STATEMENTS, [one])

    def write(self) -> None:
        """Write what has been taken in since the last time."""
        if self._new:
            self._calls.insert(STATEMENTS, self._new)
            self._new = []
            self._writes += 1

    def _known(self, names: Sequence[Binary]) -> Iterator[Document]:
        for start in range(0, len(names), AMONG):
            yield from self._calls.find(STATEMENTS, {"_id": {"$in": list(names[start:start + AMONG])}}, {"seq": 1, "text": 1})
