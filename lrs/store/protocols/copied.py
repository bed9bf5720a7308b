"""What a store shows and takes when all that it keeps goes to another: rows in a form that is the same of every kind."""
from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

Row = tuple[Any, ...]
"""The fields of a part, in order: int (0 and 1 for no and yes), float, str, bytes, None."""
SILENT_SECONDS = 30
"""A process that was seen working within so many seconds is taken to be at work."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a store: its fields, how many of the first ones are its key, and rows a page. `seed`: every store has it from its
    beginning, with rows of its own, which are replaced."""

    fields: tuple[str, ...]
    key: int = 1
    page: int = 1_000
    seed: bool = False
    forgets: bool = False
    """The store takes old rows out of it by itself: what was copied of it some time ago is copied anew."""


def _part(fields: str, key: int = 1, page: int = 1_000, *, seed: bool = False, forgets: bool = False) -> Part:
    return Part(tuple(fields.split()), key, page, seed, forgets)


PARTS: dict[str, Part] = {
    "term_key": _part("key", seed=True),
    "secret_key": _part("key", seed=True),
    "attachments": _part("sha2 size"),
    "statements": _part("seq id text reading terms credential_id provider target voids may_void_any voided void_effective request",
                        page=500),
    "credentials": _part("key name provider scopes digest authority created revoked origins expires launch fetch fetched"),
    "connections": _part("name source credential settings state created"),
    "people": _part("employee_id body"),
    "identifiers": _part("identifier owner"),
    "courses": _part("id body"),
    "course_ids": _part("alias course"),
    "changes": _part("n kind key at"),
    "mappings": _part("kind number body state who at note base applied change", 2, page=20),
    "rewritten": _part("n seq"),
    "documents": _part("kind activity agent registration id content content_type updated", 5, page=10),
    "definitions": _part("activity official others"),
    "audit": _part("n at who action thing detail refused"),
    "targets": _part("name connector settings state why health"),
    "feed": _part("n event_id revision event body"),
    "states": _part("subject course body held", 2, page=200),
    "attempts": _part("delivery place at state attempts why status milliseconds body", 2),
    "deliveries": _part("id n target event event_id revision payload state attempts due lease owner unclear tried why created lost "
                        "released tries reached arrived", page=500),
    "sessions": _part("connection instance revision last due poll_due body", 2, page=100),
    "searches": _part("connection due why"),
    "payloads": _part("n at connection kind body note", page=100),
    "rejections": _part("n at credential_id status code detail excerpt", forgets=True),
    "cursors": _part("consumer seq change"),
    "places": _part("name seq", seed=True),
    "numbers": _part("name n", seed=True),
}
"""In the order in which they are copied: what others refer to first, cursors last.

`statements`: terms as packed little-endian 64-bit integers; `may_void_any` only of those that refer to another; `request` of each,
'' where it is not known. `deliveries`: `n` of their event in the feed. `places`: how far sessions and definitions have read.
`numbers`: the last number that each sequence has given. Not copied, since it is made anew: the index of statements, heartbeats.
"""
SEQUENCES = ("audit", "changes", "feed", "mappings:courses", "mappings:verbs", "payloads", "rejections", "rewritten")
"""The names in `numbers`."""


class Copied(Protocol):
    """A whole store, for whoever copies it. Every method may raise `StoreUnavailable`."""

    def held(self) -> AbstractContextManager[None]:
        """Nobody else works on the store at the beginning; where the store can see to it, nor until the end. Raises `WrongState`
        with who does."""
        ...

    def page(self, part: str, after: Row | None, n: int) -> list[Row]:
        """At most n rows of a part behind the one with this key (None: from the first on), in an order of the store's own. Fewer than
        n mean the end; of `attempts` there may be more, all of a delivery together."""
        ...

    def write(self, part: str, rows: Sequence[Row]) -> None:
        """Put these rows in place, durable on return. The same rows again change nothing."""
        ...

    def count(self, part: str) -> int:
        """How many rows a part has."""
        ...

    def index(self, rows: Sequence[tuple[int, int, Sequence[int]]], absent: Sequence[str]) -> None:
        """Write index rows of references, as (seq, via, terms); `absent`: ids of statements that are referred to, and are not here."""
        ...

    def begin_after(self, moment: int) -> None:
        """No statement of the future has a seq at or below this one (µs)."""
        ...

    def mark(self, said: str | None) -> None:
        """Write down how far the copy into this store has come, durable on return; as long as that stands here nobody opens the
        store but to go on with the copy. None: it is whole."""
        ...

    def marked(self) -> str | None:
        """What was written down."""
        ...
