"""What a store promises about statements."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from lrs.statements.record import Added, Page, Prepared, Query, Record

Same = Callable[[bytes, bytes], bool]


class Statements(Protocol):
    """The log of statements. Every method may raise `StoreUnavailable`."""

    @property
    def term_key(self) -> bytes:
        """The 16-byte key of the term hashes, made once by migrate and kept in the store."""
        ...

    def add(self, batch: Sequence[Prepared], same: Same) -> list[Added]:
        """Store all or none, durable on return, in order, `seq` drawn inside the write lock.

        `same(stored_text, received_text)` decides what a known id means: same → `Added(repeated=True)`.
        Raises `Conflict` (index in the batch), `Forbidden` (a void of another provider's statement).
        """
        ...

    def get(self, statement_id: str, *, voided: bool = False) -> Record | None:
        """The statement with this id that is (not) voided; None if there is none."""
        ...

    def requests(self, statement_ids: Sequence[str]) -> dict[str, str]:
        """The id of the request that brought each of these statements; without those of which it is not known."""
        ...

    def page(self, query: Query) -> Page:
        """Not-voided records that match, newest first or ascending; up to consistent-through only."""
        ...

    def follow(self, after: int, n: int) -> list[Record]:
        """At most n records (voided ones included) with seq > after, oldest first, up to consistent-through."""
        ...

    def bearing(self, terms: Sequence[int], after: int, until: int, n: int) -> list[Record]:
        """At most n records (voided ones included) with after < seq ≤ until that have one of these terms of their own
        (not by a reference), oldest first."""
        ...

    def consistent_through(self) -> int:
        """µs: every record with seq ≤ it is visible now and none can appear later."""
        ...
