"""Batches on their way into the tables of one transaction."""
from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

from lrs.errors import Conflict
from lrs.statements.envelope import text
from lrs.statements.instants import printed
from lrs.statements.record import Added, Prepared
from lrs.store.protocols.statements import Same
from lrs.store.sqlite import postings, references, rows, waiting
from lrs.store.sqlite.voiding import void_target, voided_before

Mark = tuple[int, int, int]
AMONG = 512
"""Ids looked up at once."""


class Adding:
    """Most statements refer to nothing and nothing refers to them: those of all batches are looked up together and written
    together, since every call of SQLite lets go of Python's lock and has to get it back from all other threads; before one
    that does, all before it are written, so that it finds them."""

    def __init__(self, db: sqlite3.Connection, batches: Sequence[Sequence[Prepared]], first: int) -> None:
        """`first` is the seq of the first new statement."""
        self._db = db
        names = list(dict.fromkeys(rows.key(new.id) for batch in batches for new in batch))
        self._stored = {row[0]: row[1:] for row in self._among("SELECT id, seq, text FROM statements WHERE id", names)}
        self._referred = {row[0] for row in self._among("SELECT target FROM statements WHERE target", names)}
        self._rows: list[tuple[Any, ...]] = []
        self._writes = 0
        self.next = first

    def take(self, batch: Sequence[Prepared], same: Same) -> list[Added]:
        """Take a batch in. Raises `Conflict`, `Forbidden`, and what `same` raises."""
        budget = postings.Budget(references.IN_REQUEST + len(batch))
        added: list[Added] = []
        begun = False
        for index, new in enumerate(batch):
            # (seq, text) of the statement that has this id already, in the file or taken in before
            stored = self._stored.get(rows.key(new.id))
            if stored is None:
                added.append(Added(new.id, self.next))
                self._add(new, None if begun else new.request, budget)
                begun = True
            elif same(stored[1], new.raw):
                added.append(Added(new.id, stored[0], repeated=True))
            else:
                raise Conflict(index, new.id, stored[1])
        return added

    def mark(self) -> Mark:
        """Where things stand between two batches."""
        return len(self._rows), self._writes, self.next

    def back(self, mark: Mark) -> bool:
        """Forget what was taken in since; False if a part of it is written, and only the end of the transaction undoes it."""
        kept, writes, self.next = mark
        if writes != self._writes:
            return False
        for row in self._rows[kept:]:
            del self._stored[row[1]]
        del self._rows[kept:]
        return True

    def _add(self, new: Prepared, request: str | None, budget: postings.Budget) -> None:
        name, seq = rows.key(new.id), self.next
        alone = new.target is None and name not in self._referred
        if not alone:
            self.write()
            self._writes += 1
        effective = not alone and void_target(self._db, new)
        voided = not alone and voided_before(self._db, new)
        target = None if new.target is None else rows.key(new.target)
        body = text(new.parts, printed(seq))
        self._rows.append((seq, name, body, new.reading, rows.packed(new.terms), new.credential_id, new.provider, target,
                           None if new.voids is None else rows.key(new.voids), new.may_void_any, voided, effective, request))
        self._stored[name] = (seq, body)
        self.next += 1
        if not alone:
            self.write()
            references.link(self._db, seq, name, target, budget)
        if target is not None:
            self._referred.add(target)

    def write(self) -> None:
        """Write what has been taken in since the last time."""
        if self._rows:
            rows.insert(self._db, "INSERT INTO statements", self._rows)
            waiting.put(self._db, [(row[0], row[4]) for row in self._rows])
            self._rows = []
            self._writes += 1

    def _among(self, select: str, names: Sequence[bytes]) -> Iterator[tuple[Any, ...]]:
        for start in range(0, len(names), AMONG):
            some = names[start:start + AMONG]
            # a power of two of them, some twice: there is a statement kept ready for each number
            width = 1 << (len(some) - 1).bit_length()
            yield from self._db.execute(f"{select} IN ({','.join('?' * width)})", (*some, *[some[-1]] * (width - len(some))))
