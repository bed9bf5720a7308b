"""Fold evidence into the achievements of a subject in a course, and say what must be published."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lrs.completions.model import Course, Evidence, Person, Publication
from lrs.completions.state import CourseState


@dataclass(frozen=True, slots=True)
class Folded:
    """The new state, what to publish (held by the caller while `needs_person(subject)`), and `onward`: further
    (key of a course state, evidence) pairs of the same subject to fold, in a loop until there are none."""

    state: CourseState
    publications: tuple[Publication, ...] = ()
    onward: tuple[tuple[str, Evidence], ...] = ()


def fold(
    state: CourseState | None,
    evidence: Sequence[Evidence],
    *,
    course: Course,
    subject: str,
    person: Person | None = None,
    now_us: int,
) -> Folded:
    """Add evidence (none: judge anew, e.g. after a change of the catalogue). Idempotent: the same again changes
    nothing. `course` is `catalogue.course(key)`. `person` fills `user` in the payload."""
    raise NotImplementedError
