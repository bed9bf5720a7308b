"""What a store shows to whoever checks its promises: read-only walks through all that it keeps, in bounded memory."""
from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from lrs.statements.record import Record
from lrs.store.protocols.work import Cursor

IndexRow = tuple[int, int, int]
"""(term, seq, via): `via` 0 is the statement itself, else the seq of the one it refers to whose term this is."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A statement with its own index terms as they are kept with it."""

    record: Record
    terms: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Linked:
    """What a statement is to those that refer to it: where it stands, what it refers to itself, its own terms."""

    seq: int
    target: str | None
    voided: bool
    terms: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Event:
    """A row of the feed."""

    n: int
    id: str
    revision: int
    event: str


@dataclass(frozen=True, slots=True)
class Achievement:
    """A window of a state: its event id and the last revision of it that was published (0: none)."""

    id: str
    revision: int
    subject: str
    course: str


@dataclass(frozen=True, slots=True)
class Owed:
    """A delivery: the event and revision that it carries."""

    id: str
    target: str
    event_id: str
    revision: int


class ExaminedStatements(Protocol):
    """The log of statements, for whoever checks it. Every method may raise `StoreUnavailable`."""

    own_rows: bool
    """Whether `index_rows` has the rows of statements themselves (via 0); else that part of the index is the database's own."""

    def kept(self, after: int, n: int) -> list[Kept]:
        """At most n statements with seq > after, oldest first, whether consistent through or not."""
        ...

    def kept_at(self, seqs: Iterable[int]) -> dict[int, Kept]:
        """Those of these seqs at which a statement stands."""
        ...

    def linked(self, statement_ids: Iterable[str]) -> dict[str, Linked]:
        """Those of these statements that are here, voided or not."""
        ...

    def terms_at(self, seqs: Iterable[int]) -> dict[int, frozenset[int]]:
        """The own terms of those of these seqs at which a statement stands."""
        ...

    def referring(self, statement_id: str) -> list[Record]:
        """The statements that refer to this one, at most 1 000, those that void it first."""
        ...

    def index_rows(self) -> Iterator[IndexRow]:
        """Every row of the index once, also while rows are moved; one that is added meanwhile may be missed."""
        ...

    def indexed(self, rows: Iterable[IndexRow]) -> set[IndexRow]:
        """Those of these rows that the index has."""
        ...

    def owes_index(self) -> bool:
        """Whether rows for references are still to be written."""
        ...

    def ceiling(self) -> int:
        """What no time that was given exceeds, µs."""
        ...


class ExaminedWork(Protocol):
    """The worker's side, for whoever checks it. Every method may raise `StoreUnavailable`."""

    def at_once(self) -> AbstractContextManager[None]:
        """What this thread reads within is of one moment."""
        ...

    def cursors(self) -> dict[str, Cursor]:
        """Every consumer's cursor."""
        ...

    def events(self) -> Iterator[Event]:
        """The feed, by (id, revision), ids compared as UTF-8."""
        ...

    def achievements(self) -> Iterator[Achievement]:
        """Every window of every state, by id."""
        ...

    def owed(self) -> Iterator[Owed]:
        """Every delivery, by (event id, revision)."""
        ...
