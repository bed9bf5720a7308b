"""What a store promises about the versions of the verb map and of the course map."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from lrs.completions.model import Course


@dataclass(frozen=True, slots=True)
class Mapping:
    """A version of a map. `kind` is verbs | courses, `number` counts from 1 within the kind, `body` is its document and
    never changes; `base` the number that was active when it was proposed (0: the product's map, an empty catalogue).
    `state`: proposed | active | retired. `at` is µs since 1970 UTC of the proposal, `applied` of the day it became
    active (0: never); `change` the number of the change that tells the worker (0: not applied)."""

    kind: str
    number: int
    body: bytes
    state: str = "proposed"
    who: str = ""
    at: int = 0
    note: str = ""
    base: int = 0
    applied: int = 0
    change: int = 0


@dataclass(frozen=True, slots=True)
class CourseStep:
    """What applying a version does to the catalogue: `put` stands afterwards, the ids in `removed` do not. It is done
    only if under all these ids there stands exactly `before`."""

    put: Sequence[Course] = ()
    removed: Sequence[str] = ()
    before: Sequence[Course] = ()


class Mappings(Protocol):
    """Immutable documents with a state. Every method may raise `StoreUnavailable`."""

    def propose(self, kind: str, body: bytes, *, who: str, note: str, base: int) -> int:
        """Keep a version as proposed, durable on return; its number, one above the highest of the kind."""
        ...

    def get(self, kind: str, number: int) -> Mapping | None:
        """This version."""
        ...

    def active(self, kind: str) -> Mapping | None:
        """The active version; None while none was ever applied. Costs microseconds while nothing was committed."""
        ...

    def list(self, kind: str) -> list[Mapping]:
        """All versions, the newest first."""
        ...

    def apply(self, kind: str, number: int, step: CourseStep | None = None) -> str:
        """Make a proposed version the active one and the active one retired, change the catalogue by `step`, and append
        to the log of changes (kind "mapping", key "<kind>:<number>"): ONE write. '' if done, else why nothing was: it is
        not proposed, another one became active since, or the catalogue is not what the step was made for."""
        ...

    def put_readings(self, number: int, readings: Sequence[tuple[int, bytes]]) -> bool:
        """Replace the readings of these statements (seq, reading) in one write, if this version of the verb map (0: none)
        is still the active one; else False, and nothing changes: so that a slow worker never undoes what a later version
        has rewritten. Nothing else of a statement ever changes. In the same write each seq goes into a log: `rewritten`."""
        ...

    def rewritten(self, after: int, n: int) -> Sequence[tuple[int, int]]:
        """At most n entries (number, seq) of the log of rewritten readings with number > after, in order: whoever keeps
        something made of readings follows it."""
        ...

    def forget_rewritten(self, through: int) -> None:
        """Take the entries up to this number out of the log; the numbers that follow go on rising."""
        ...
