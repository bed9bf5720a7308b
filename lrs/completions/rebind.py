"""Move what an identifier achieved to the person it turned out to be."""
from __future__ import annotations

from dataclasses import dataclass

from lrs.completions.model import Course, Person, Publication
from lrs.completions.state import CourseState


@dataclass(frozen=True, slots=True)
class Rebound:
    """The state to store under the new subject (delete the old subject's), what to publish now, and the achievement
    ids whose parked deliveries are to be cancelled: what they would have said is in `publications`."""

    state: CourseState
    publications: tuple[Publication, ...]
    cancelled: tuple[str, ...]


def rebind(
    source: CourseState,
    target: CourseState | None,
    *,
    from_subject: str,
    to_subject: str,
    course: Course,
    person: Person | None,
    now_us: int,
) -> Rebound:
    """Merge the state of `from_subject` (an identifier, or a person merged away) into that of `to_subject`."""
    raise NotImplementedError
