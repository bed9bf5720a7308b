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

    def last_seq(self) -> int:
        """The seq of the newest statement, 0 if there is none."""
        ...

    def count_after(self, seq: int) -> int:
        """How many statements have a seq above this one."""
        ...

    def count(self) -> int:
        """How many statements are stored, voided ones included."""
        ...

    def data_version(self) -> int:
        """A number that is another one whenever somebody else has stored statements since it was read last."""
        ...

    def index_postings(self) -> int:
        """Write the index rows of a slice of the newest statements, small and apart; of how many statements, 0 when none of them
        waits for it. For the worker, between requests."""
        ...

    def merge_postings(self, max_rows: int = ...) -> int:
        """Put at most this many young index rows where they stay; how many, 0 when none is left. For the worker, between requests."""
        ...

    def do_shadow_todo(self, pairs: int = ...) -> bool:
        """Write a slice of the index rows of references that a request left over; False when nothing is left."""
        ...
