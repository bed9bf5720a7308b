"""What a store promises to consumers of the log: cursor and output are one write."""
from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from lrs.completions.model import Publication
from lrs.completions.state import CourseState


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a consumer has read: `seq` in the statements, `change` in the directory's changes."""

    seq: int = 0
    change: int = 0


@dataclass(frozen=True, slots=True)
class StateWrite:
    """The new state of a subject in a course; None deletes it (it was moved to another subject). `identifiers` are
    all that the learner of an unknown subject was named by, so that any of them finds it."""

    subject: str
    course: str
    state: CourseState | None
    identifiers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Published:
    """An event to publish, and the providers whose statements are its evidence."""

    publication: Publication
    sources: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Output:
    """All that a round of routing writes. `held` are events of unknown subjects: listed, not published, not sent; those of the
    subjects in `forgotten` are dropped. Parked deliveries of `cancelled` events end; those of `released_subjects` and
    `released_courses` become due."""

    states: Sequence[StateWrite] = ()
    publications: Sequence[Published] = ()
    held: Sequence[Publication] = ()
    forgotten: Collection[str] = ()
    cancelled: Collection[str] = ()
    released_subjects: Collection[str] = ()
    released_courses: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Advanced:
    """What `advance` did. `won` is False if another worker had moved the cursor: then nothing was written."""

    won: bool
    published: int = 0
    deliveries: int = 0
    cancelled: int = 0


@dataclass(frozen=True, slots=True)
class Held:
    """An event that waits until the directory knows its subject."""

    subject: str
    course: str
    event: str
    event_id: str
    revision: int
    body: bytes = field(default=b"")


class Work(Protocol):
    """Cursors, achievements and their output."""

    def cursor(self, consumer: str) -> Cursor:
        """Where this consumer stands; zeros if it never ran."""
        ...

    def advance(self, consumer: str, expected: Cursor, new: Cursor, output: Output, now_us: int) -> Advanced:
        """Write output and cursor in ONE transaction, if the cursor still is `expected`.

        Each publication becomes one feed row and a delivery for every target that is not disabled, but not for one
        that itself is the only source. A `learning.revoked` that a target cannot have heard of cancels what was not
        sent instead. A known (event id, revision) is not published twice.
        """
        ...

    def states(self, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], CourseState]:
        """Those of the (subject, course) pairs that have a state."""
        ...

    def states_of(self, *, subject: str = "", course: str = "") -> dict[tuple[str, str], CourseState]:
        """Every state of a subject, or in a course."""
        ...

    def subjects_named(self, identifiers: Iterable[str]) -> dict[str, set[str]]:
        """Unknown subjects (keys `ifi:…`) by each of the identifiers they were named by."""
        ...

    def subjects_of(self, seqs: Iterable[int]) -> dict[int, str]:
        """The subject whose evidence each of these statements is, as it is now."""
        ...

    def held(self, limit: int = 100) -> list[Held]:
        """What waits for a person, by subject."""
        ...
