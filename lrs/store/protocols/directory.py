"""What a store promises about people and courses."""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from lrs.completions.model import Course, Person


@dataclass(frozen=True, slots=True)
class Change:
    """One change of the directory, in order: kind is identifier | person | course | mapping
    (a version was applied, `lrs.store.protocols.mappings`); key names what changed."""

    n: int
    kind: str
    key: str


class Directory(Protocol):
    """People by identifier, and the course catalogue. Writes append to the log of changes in their transaction."""

    def put_people(self, people: Sequence[Person]) -> list[tuple[int, str]]:
        """Store or replace each; returns (index, why) of those refused (an identifier of somebody else)."""
        ...

    def person_by_identifier(self, identifiers: Iterable[str]) -> dict[str, Person]:
        """Those of the identifiers (normal forms) that a person has."""
        ...

    def people(self, after: str = "", limit: int | None = None) -> list[Person]:
        """Everybody, by employee id (byte order), from the first id after `after` on."""
        ...

    def put_courses(self, courses: Sequence[Course], *, only_new: bool = False) -> list[tuple[int, str]]:
        """Store or replace each (`only_new`: leave alone what is there); returns (index, why) of those refused (an
        alias of another course)."""
        ...

    def courses(self) -> list[Course]:
        """The catalogue, by id."""
        ...

    def person(self, employee_id: str) -> Person | None:
        """The person with this employee id."""
        ...

    def course(self, course_id: str) -> Course | None:
        """The course of the catalogue with this very id (not an alias)."""
        ...

    def has_course(self, course_id: str) -> bool:
        """Whether a course of the catalogue has this id or alias."""
        ...

    def changes(self, after: int, n: int) -> list[Change]:
        """At most n changes with number > after, in order."""
        ...

    def last_change(self) -> int:
        """The number of the newest change, 0 if there is none: while it stands, people and courses are the same."""
        ...
