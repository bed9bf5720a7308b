"""What the two files of the model hold: plain dicts whose values are never changed, only replaced."""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from lrs.completions.model import Course, Person
from lrs.statements.record import Record
from lrs.store.protocols.directory import Change
from lrs.store.protocols.mappings import Mapping
from lrs.store.protocols.work import Attempt, Cursor, StateRow, TargetRow
from lrs.store.sqlite.clock import Kept


@dataclass(frozen=True, slots=True)
class Row:
    """A statement as it is kept."""

    record: Record
    terms: frozenset[int]
    may_void_any: bool


@dataclass(slots=True)
class Log:
    """statements.db: the log of statements, its clock, people, courses, changes, maps."""

    rows: dict[int, Row] = field(default_factory=dict)
    ids: dict[str, int] = field(default_factory=dict)
    voids: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """The id of a statement → the seqs of those that name it as what they void."""
    highest: int = 0
    clock: Kept | None = None
    people: dict[str, Person] = field(default_factory=dict)
    identifiers: dict[str, str] = field(default_factory=dict)
    courses: dict[str, Course] = field(default_factory=dict)
    course_ids: dict[str, str] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    mappings: dict[tuple[str, int], Mapping] = field(default_factory=dict)

    def copy(self) -> Log:
        """Another one that can be changed without changing this one."""
        return Log(self.rows.copy(), self.ids.copy(), self.voids.copy(), self.highest, self.clock, self.people.copy(),
                   self.identifiers.copy(), self.courses.copy(), self.course_ids.copy(), self.changes.copy(), self.mappings.copy())


class Owed(msgspec.Struct, frozen=True):
    """A delivery; `order` is its place in order of creation."""

    id: str
    target: str
    event: str
    event_id: str
    revision: int
    payload: bytes
    created: int
    order: int
    state: str = "pending"
    attempts: int = 0
    due: int | None = None
    lease: str = ""
    owner: str = ""
    unclear: bool = False
    tried: bool = False
    why: str = ""
    lost: int = 0
    released: bool = False


def changed(row: Owed, **values: Any) -> Owed:
    """The delivery with these fields replaced."""
    return msgspec.structs.replace(row, **values)


@dataclass(frozen=True, slots=True)
class Fed:
    """A row of the feed."""

    n: int
    event_id: str
    revision: int
    event: str
    body: bytes


@dataclass(slots=True)
class Outgoing:
    """work.db: cursors, states, feed, deliveries with their attempts, targets."""

    cursors: dict[str, Cursor] = field(default_factory=dict)
    states: dict[tuple[str, str], StateRow] = field(default_factory=dict)
    feed: list[Fed] = field(default_factory=list)
    said: dict[str, frozenset[int]] = field(default_factory=dict)
    owed: dict[str, Owed] = field(default_factory=dict)
    revisions: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    """(target, achievement) → the deliveries of it, in order of creation."""
    attempts: dict[str, tuple[Attempt, ...]] = field(default_factory=dict)
    targets: dict[str, TargetRow] = field(default_factory=dict)
    leases: int = 0
    clock: Kept | None = None
    alone: dict[str, int] = field(default_factory=dict)
    """How often a delivery was claimed alone since its last outcome. Not for the model: for who watches it."""

    def copy(self) -> Outgoing:
        """Another one that can be changed without changing this one."""
        return Outgoing(self.cursors.copy(), self.states.copy(), self.feed.copy(), self.said.copy(), self.owed.copy(),
                        self.revisions.copy(), self.attempts.copy(), self.targets.copy(), self.leases, self.clock, self.alone.copy())
