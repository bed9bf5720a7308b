"""Versions of the verb map and the course map in memory."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from msgspec import structs

from lrs.store.protocols.mappings import CourseStep, Mapping
from simulation.disk import File
from simulation.store.content import Log
from simulation.store.directory import change, remove_course, taken


class ModelMappings:
    """`lrs.store.protocols.mappings.Mappings` in memory."""

    def __init__(self, file: File[Log], wall: Callable[[], int]) -> None:
        self._file, self._wall = file, wall

    def propose(self, kind: str, body: bytes, *, who: str, note: str, base: int) -> int:
        """Keep a version as proposed; its number."""
        with self._file.write() as log:
            number = max((one.number for one in log.mappings.values() if one.kind == kind), default=0) + 1
            log.mappings[kind, number] = Mapping(kind, number, body, who=who, at=self._wall(), note=note, base=base)
        return number

    def get(self, kind: str, number: int) -> Mapping | None:
        """This version."""
        return self._file.read().mappings.get((kind, number))

    def active(self, kind: str) -> Mapping | None:
        """The active version."""
        return _active(self._file.read(), kind)

    def list(self, kind: str) -> list[Mapping]:
        """All versions, the newest first."""
        found = [one for one in self._file.read().mappings.values() if one.kind == kind]
        return sorted(found, key=lambda one: -one.number)

    def apply(self, kind: str, number: int, step: CourseStep | None = None) -> str:
        """Version, catalogue and change in one write; '' or why nothing was done."""
        why = ""
        with self._file.write() as log:
            why = _apply(log, kind, number, step, self._wall())
        return why

    def put_readings(self, number: int, readings: Sequence[tuple[int, bytes]]) -> bool:
        """Replace the readings of these statements, if this version of the verb map is still active."""
        with self._file.write() as log:
            active = _active(log, "verbs")
            good = (active.number if active else 0) == number
            for seq, reading in readings if good else ():
                log.rows[seq] = replace(log.rows[seq], record=structs.replace(log.rows[seq].record, reading=reading))
        return good


def _active(log: Log, kind: str) -> Mapping | None:
    return next((one for one in log.mappings.values() if one.kind == kind and one.state == "active"), None)


def _apply(log: Log, kind: str, number: int, step: CourseStep | None, wall: int) -> str:
    found, active = log.mappings.get((kind, number)), _active(log, kind)
    now = active.number if active else 0
    if found is None:
        return f"there is no version {number}"
    if found.state != "proposed":
        return f"version {number} is {found.state} already"
    if found.base != now:
        return f"version {number} was proposed on top of {found.base}, and {now} is active since: propose it again"
    if step and (why := _move(log, step)):
        return why
    n = change(log, "mapping", f"{kind}:{number}")
    if active:
        log.mappings[kind, now] = replace(active, state="retired")
    log.mappings[kind, number] = replace(found, state="active", applied=wall, change=n)
    return ""


def _move(log: Log, step: CourseStep) -> str:
    touched = {*(course.id for course in step.put), *step.removed}
    expected = {course.id: course for course in step.before}
    for course_id in sorted(touched):
        if log.courses.get(course_id) != expected.get(course_id):
            return f"course {course_id} was changed since this version was proposed: propose it again"
    courses, course_ids = log.courses.copy(), log.course_ids.copy()
    for course_id in sorted(touched):
        remove_course(log, course_id)
    for course in step.put:
        ids = (course.id, *course.aliases)
        if why := taken(log.course_ids, ids, course.id):
            log.courses, log.course_ids = courses, course_ids
            return why
        log.courses[course.id] = course
        log.course_ids.update(dict.fromkeys(ids, course.id))
    return ""
