"""People, courses and the log of their changes in memory."""
from __future__ import annotations

from collections.abc import Iterable, Sequence

from lrs.completions.model import Course, Person
from lrs.store.protocols.directory import Change
from simulation.disk import File
from simulation.store.content import Log


class ModelDirectory:
    """`lrs.store.protocols.directory.Directory` in memory."""

    def __init__(self, file: File[Log]) -> None:
        self._file = file

    def put_people(self, people: Sequence[Person]) -> list[tuple[int, str]]:
        """Store or replace each; (index, why) of those refused."""
        refused = []
        with self._file.write() as log:
            for index, person in enumerate(people):
                if why := taken(log.identifiers, person.identifiers, person.employee_id):
                    refused.append((index, why))
                    continue
                if log.people.get(person.employee_id) != person:
                    log.people[person.employee_id] = person
                    change(log, "person", person.employee_id)
                had = {name for name, owner in log.identifiers.items() if owner == person.employee_id}
                for gone in had - set(person.identifiers):
                    del log.identifiers[gone]
                for new in sorted(set(person.identifiers) - had):
                    log.identifiers[new] = person.employee_id
                    change(log, "identifier", new)
        return refused

    def person_by_identifier(self, identifiers: Iterable[str]) -> dict[str, Person]:
        """Those of the identifiers that a person has."""
        log = self._file.read()
        return {name: log.people[log.identifiers[name]] for name in identifiers if name in log.identifiers}

    def people(self) -> list[Person]:
        """Everybody, by employee id."""
        log = self._file.read()
        return [log.people[key] for key in sorted(log.people)]

    def person(self, employee_id: str) -> Person | None:
        """The person with this employee id."""
        return self._file.read().people.get(employee_id)

    def put_courses(self, courses: Sequence[Course], *, only_new: bool = False) -> list[tuple[int, str]]:
        """Store or replace each; (index, why) of those refused."""
        refused = []
        with self._file.write() as log:
            for index, course in enumerate(courses):
                ids = (course.id, *course.aliases)
                if why := taken(log.course_ids, ids, course.id):
                    refused.append((index, why))
                    continue
                if (only_new and course.id in log.courses) or log.courses.get(course.id) == course:
                    continue
                remove_course(log, course.id)
                log.courses[course.id] = course
                change(log, "course", course.id)
                log.course_ids.update(dict.fromkeys(ids, course.id))
        return refused

    def courses(self) -> list[Course]:
        """The catalogue, by id."""
        log = self._file.read()
        return [log.courses[key] for key in sorted(log.courses)]

    def course(self, course_id: str) -> Course | None:
        """The course with this very id."""
        return self._file.read().courses.get(course_id)

    def has_course(self, course_id: str) -> bool:
        """Whether a course has this id or alias."""
        return course_id in self._file.read().course_ids

    def changes(self, after: int, n: int) -> list[Change]:
        """At most n changes with number > after, in order."""
        return self._file.read().changes[after:after + n]

    def last_change(self) -> int:
        """The number of the newest change."""
        return len(self._file.read().changes)


def taken(owners: dict[str, str], keys: Iterable[str], own: str) -> str:
    """'' or which of the keys is somebody else's."""
    return next((f"{key} already belongs to {owners[key]}" for key in keys if owners.get(key, own) != own), "")


def change(log: Log, kind: str, key: str) -> int:
    """Append to the log of changes; its number."""
    log.changes.append(Change(len(log.changes) + 1, kind, key))
    return len(log.changes)


def remove_course(log: Log, course_id: str) -> None:
    """Take the course and its aliases out; logs no change."""
    log.courses.pop(course_id, None)
    for name in [name for name, owner in log.course_ids.items() if owner == course_id]:
        del log.course_ids[name]
