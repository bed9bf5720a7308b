"""The course catalogue as an administrator meets it: list, put, import, and its versions."""
from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from lrs.completions.model import Course
from lrs.directory import csv
from lrs.directory.csv import Refused
from lrs.errors import Finding, Invalid
from lrs.ingest import maps
from lrs.management.maps import must_be_text, propose, refused
from lrs.sources.lms.translate import course_iri
from lrs.store.open_store import Store
from lrs.store.protocols.mappings import CourseStep
from lrs.store.protocols.mappings import Mapping as Version

LISTS = ("aliases", "all_of", "sessions")
NUMBERS: Mapping[str, int] = {"repeat_after_days": 999_999_999, "hris_type": 999_999_999, "attendance_percent": 100}


@dataclass(frozen=True, slots=True)
class Read:
    """What a file says: `courses` with the line (or place in the list, from 1) of each, ids to take away, what is wrong.
    `renamed`: ids that are no IRIs, and what they became."""

    courses: Sequence[tuple[int, Course]] = ()
    removed: Sequence[str] = ()
    refused: Sequence[Refused] = ()
    renamed: Sequence[tuple[str, str]] = ()


def courses(store: Store, after: str = "", limit: int | None = None) -> list[Course]:
    """The catalogue by id, from the first id after `after` on."""
    return [course for course in store.directory.courses() if course.id > after][:limit]


def course(store: Store, course_id: str) -> Course | None:
    """The course with this id or alias."""
    found = (one for one in store.directory.courses() if course_id in (one.id, *one.aliases))
    return next(found, None)


def read(text: str, public_url: str) -> Read:
    """Courses from CSV (`lrs.directory.csv.courses`) or JSON `{"put": [{"id": …}], "removed": [id]}`.

    An id that is no IRI becomes `<public_url>/courses/<id>`, as in statements made of an LMS's webhook: else none would
    ever match it. Raises ValueError where the text is neither.
    """
    if text.lstrip("\ufeff \r\n\t")[:1] in ("{", "["):
        try:
            return read_json(json.loads(text.lstrip("\ufeff")), public_url)
        except (json.JSONDecodeError, RecursionError) as error:
            raise ValueError(f"not JSON: {error}") from error
    taken, wrong = csv.courses(io.StringIO(text))
    return _read(taken, (), wrong, public_url)


def read_json(value: object, public_url: str) -> Read:
    """`read` of a JSON document. Raises ValueError where it is none."""
    must_be_text(value)
    if not isinstance(value, Mapping) or not {*value} <= {"put", "removed"} or not all(isinstance(part, list) for part in value.values()):
        raise ValueError('the JSON of a course map is an object with the lists "put" and "removed"')
    taken: list[tuple[int, Course]] = []
    wrong: list[Refused] = []
    for n, one in enumerate(value.get("put", []), 1):
        try:
            taken.append((n, _course(one)))
        except ValueError as error:
            wrong.append(Refused(n, str(error)))
    removed = value.get("removed", [])
    wrong += [Refused(n, "an id is text") for n, one in enumerate(removed, 1) if not isinstance(one, str) or not one]
    return _read(taken, [course_iri(one, public_url) for one in removed if isinstance(one, str) and one], wrong, public_url)


def step_of(store: Store, given: Read) -> tuple[CourseStep, list[Refused]]:
    """What has to be done to the catalogue, and which rows cannot be: an id that belongs to another course, or stands
    twice, or is to go and is not there. What stands so already is left out."""
    there = {one.id: one for one in store.directory.courses()}
    refused_rows = list(given.refused)
    refused_rows += [Refused(0, f"there is no course {name} to take away") for name in given.removed if name not in there]
    removed = [name for name in dict.fromkeys(given.removed) if name in there]
    touched = {*(one.id for _, one in given.courses), *removed}
    owner = {name: one.id for one in there.values() if one.id not in touched for name in (one.id, *one.aliases)}
    put: dict[str, Course] = {}
    for line, one in given.courses:
        taken = next((name for name in (one.id, *one.aliases) if owner.get(name, one.id) != one.id), None)
        if one.id in put or one.id in removed:
            refused_rows.append(Refused(line, f"course {one.id} stands twice"))
        elif taken is not None:
            refused_rows.append(Refused(line, f"{taken} already belongs to {owner[taken]}"))
        else:
            put[one.id] = one
            owner.update(dict.fromkeys((one.id, *one.aliases), one.id))
    changed = [one for one in put.values() if there.get(one.id) != one]
    before = [there[name] for name in sorted({*(one.id for one in changed), *removed}) if name in there]
    return CourseStep(changed, removed, before), sorted(refused_rows, key=lambda one: one.line)


def propose_step(store: Store, step: CourseStep, *, who: str, note: str = "") -> Version:
    """A version that does this step. Raises `Invalid` where it changes nothing."""
    if not step.put and not step.removed:
        raise refused("this changes nothing of the catalogue", "mapping.empty")
    return propose(store, maps.COURSES, maps.step_to_json(step), who=who, note=note,
                   detail={"put": len(step.put), "removed": len(step.removed)})


def propose_read(store: Store, given: Read, *, who: str, note: str = "") -> Version:
    """A version from a file that was read. Raises `Invalid` with every row that is wrong."""
    step, wrong = step_of(store, given)
    if wrong:
        raise Invalid([Finding("", one.why, "mapping.course", "", index=one.line) for one in wrong])
    return propose_step(store, step, who=who, note=note)


def as_json(one: Course) -> dict[str, Any]:
    """The course as plain data."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(one).items()}


def _read(taken: Sequence[tuple[int, Course]], removed: Sequence[str], wrong: Sequence[Refused], public_url: str) -> Read:
    sent = [(line, _as_sent(one, public_url)) for line, one in taken]
    renamed = [(one.id, new.id) for (_, one), (_, new) in zip(taken, sent, strict=True) if one.id != new.id]
    return Read(sent, removed, wrong, renamed)


def _as_sent(one: Course, public_url: str) -> Course:
    def iri(name: str) -> str:
        return course_iri(name, public_url) if name else ""

    return replace(one, id=iri(one.id), aliases=tuple(map(iri, one.aliases)), single_au=iri(one.single_au),
                   all_of=tuple(map(iri, one.all_of)))


def _course(value: object) -> Course:
    if not isinstance(value, Mapping):
        raise ValueError("a course is a JSON object")
    known = {one.name for one in fields(Course)}
    if unknown := sorted(str(name) for name in value if name not in known):
        raise ValueError(f'unknown field "{unknown[0][:40]}"; known fields: {", ".join(sorted(known))}')
    for name, part in value.items():
        if name in LISTS:
            good = isinstance(part, list) and all(isinstance(one, str) and one.strip() for one in part)
            if not good:
                raise ValueError(f"{name} is a list of ids")
        elif name in NUMBERS:
            whole = isinstance(part, int) and not isinstance(part, bool) and 1 <= part <= NUMBERS[name]
            if not whole and not (part is None and name != "repeat_after_days"):
                raise ValueError(f"{name} is a whole number from 1 to {NUMBERS[name]}")
        elif not isinstance(part, str):
            raise ValueError(f"{name} is text")
        if broken := next((one for one in ([part] if isinstance(part, str) else part if isinstance(part, list) else ())
                           if csv.CONTROL.search(one)), None):
            raise ValueError(f"{name} has a control character in it: {broken[:40]!r}")
    if not str(value.get("id", "")).strip():
        raise ValueError("id is empty")
    if value.get("attempts", "") not in ("", "per_registration"):
        raise ValueError('attempts is empty or "per_registration"')
    if any(not csv.IRI.match(one) for one in value.get("sessions", ())):
        raise ValueError("sessions are IRIs: ids of sessions or series, or activity types")
    given: dict[str, Any] = {name: tuple(part) if isinstance(part, list) else part for name, part in value.items()}
    return Course(**given)
