"""A database server in memory: the documents of the places, statements, and transactions under snapshot isolation."""
from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from lrs.store.intents import PLACES, Known, Place

OPEN_US = 60_000_000
"""How long the server keeps a transaction whose client is gone."""


class Conflict(Exception):
    """Another transaction was faster, or the server has undone this one: it may be done again from its start."""


def refers(statement: str) -> bool:
    """Whether a statement of this id refers to another one."""
    return int(statement[1:]) % 5 == 0


@dataclass(eq=False)
class Transaction:
    """What one session has under way. `known` and `version` are its snapshot, of its first look."""

    session: object
    begun: int
    due: int = 0
    known: Known | None = None
    version: int = 0
    written: dict[int, Place] = field(default_factory=dict)
    added: list[tuple[int, str]] = field(default_factory=list)
    state: str = "open"
    """open | committing (the client has asked for it, and what becomes of it is the server's) | stands | undone"""


@dataclass(eq=False)
class Server:
    """`stands(seqs)` hears of each commit, before it can be seen."""

    now: Callable[[], int]
    stands: Callable[[Transaction], None]
    rng: random.Random
    given: int = 0
    places: list[Place] = field(default_factory=lambda: [Place(n) for n in range(PLACES)])
    changed: list[int] = field(default_factory=lambda: [0] * PLACES)
    rows: dict[int, tuple[str, int]] = field(default_factory=dict)
    """Committed statements by seq: id, and the version that has them first."""
    ids: dict[str, tuple[int, int]] = field(default_factory=dict)
    version: int = 0
    open: dict[object, Transaction] = field(default_factory=dict)
    late: list[Callable[[], object]] = field(default_factory=list)
    """Writes whose clients did not wait for them."""

    def known(self, numbers: Sequence[int]) -> list[Place]:
        """These places as they are committed."""
        return [self.places[n] for n in numbers]

    def holder(self, place: int) -> Transaction | None:
        """The transaction that has written the document of this place, and is not ended yet."""
        return next((one for one in self.open.values() if place in one.written), None)

    def change(self, place: int, was: Mapping[str, Any], to: Mapping[str, Any]) -> bool:
        """One write by itself; nobody may hold the document."""
        if not self.matches(self.places[place], was):
            return False
        self._write(replace(self.places[place], **to))
        return True

    def give(self, time: int) -> None:
        """Raise `given`."""
        self.given = max(self.given, time)

    def begin(self, session: object) -> Transaction:
        """A transaction of this session; one that it has left open is undone."""
        self.undo(session)
        self.open[session] = found = Transaction(session, self.now())
        return found

    def undo(self, session: object) -> None:
        """End what the session has open, unless its commit is on its way."""
        there = self.open.get(session)
        if there is not None and there.state == "open":
            there.state = "undone"
            del self.open[session]

    def ask(self, of: Transaction) -> None:
        """Somebody wants it to be committed: it is, soon, or late, or not at all, whatever becomes of him. Raises `Conflict`."""
        self._alive(of)
        of.state, of.due = "committing", self.now() + self.rng.randrange(self.rng.choice((3_000, 3_000, 30_000, 7_000_000)))

    def dues(self) -> list[int]:
        """When something ends by itself."""
        return [one.due if one.state == "committing" else one.begun + OPEN_US for one in self.open.values()]

    def go_on(self) -> None:
        """Do what is due: commits, and the end of what is open for too long."""
        for one in list(self.open.values()):
            if one.state == "committing" and one.due <= self.now():
                if self.rng.random() < 0.02:
                    one.state = "open"
                    self.undo(one.session)
                else:
                    self._commit(one)
            elif one.begun + OPEN_US <= self.now():
                self.undo(one.session)

    def look(self, of: Transaction) -> Known:
        """The snapshot, with what the transaction itself has written."""
        self._alive(of)
        if of.known is None:
            of.known, of.version = Known(self.given, list(self.places)), self.version
        return Known(of.known.given, [of.written.get(one.number, one) for one in of.known.places])

    def write(self, of: Transaction, place: int, was: Mapping[str, Any], to: Mapping[str, Any]) -> bool:
        """In the transaction. Raises `Conflict` where the document is not that of the snapshot, or another holds it."""
        there = next((one for one in self.look(of).places if one.number == place), None)
        if there is None or not self.matches(there, was):
            return False
        if self.changed[place] > of.version or self.holder(place) not in (None, of):
            raise Conflict
        of.written[place] = replace(there, **to)
        return True

    def seq_of(self, of: Transaction, statement: str) -> int | None:
        """The seq of a statement that the snapshot has."""
        self.look(of)
        seq, version = self.ids.get(statement, (0, 0))
        return seq if seq and version <= of.version else None

    def add(self, of: Transaction, seq: int, statement: str) -> None:
        """Insert a statement in the transaction; ids are unique. Raises `Conflict`."""
        self._alive(of)
        if statement in self.ids or any(name == statement for one in self.open.values() if one is not of for _, name in one.added):
            raise Conflict
        of.added.append((seq, statement))

    def _commit(self, of: Transaction) -> None:
        self.stands(of)
        self.version += 1
        for place in of.written.values():
            self._write(place)
        for seq, statement in of.added:
            self.rows[seq], self.ids[statement] = (statement, self.version), (seq, self.version)
        of.state = "stands"
        del self.open[of.session]

    def matches(self, place: Place, was: Mapping[str, Any]) -> bool:
        """Whether the document is as this says."""
        return all(getattr(place, name) == value for name, value in was.items())

    def _write(self, place: Place) -> None:
        self.version += 1
        self.places[place.number], self.changed[place.number] = place, self.version

    def _alive(self, of: Transaction) -> None:
        if of.state == "undone":
            raise Conflict
