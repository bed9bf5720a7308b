"""People, courses and the log of their changes in MongoDB."""
from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial

from bson import Int64
from pymongo import DeleteOne, InsertOne, ReplaceOne

from lrs.completions.model import Course, Person
from lrs.store.mongo import clock, numbers
from lrs.store.mongo.clock import Clock
from lrs.store.mongo.database import Calls, Database, Document, Layout, Write
from lrs.store.protocols.directory import Change
from lrs.store.protocols.mappings import CourseStep

LAYOUT = Layout(
    {"people": {}, "identifiers": {"by_owner": [("owner", 1)]}, "courses": {}, "course_ids": {"by_owner": [("owner", 1)]}, "changes": {},
     **numbers.INDEXES},
    {"numbers": lambda: numbers.seeds("changes")},
)
AT_ONCE = 200
"""People or courses stored in one transaction, so that a long file does not outlast a deadline."""
AMONG = 100


@dataclass(slots=True)
class Changes:
    """What is appended to the log of changes at the end of a transaction: then it waits for nobody for long."""

    calls: Calls
    at: int
    rows: list[tuple[str, str]] = field(default_factory=list)

    def add(self, kind: str, key: str) -> None:
        """Take one in."""
        self.rows.append((kind, key))

    def write(self) -> int:
        """Append what was taken in; the number of the first, 0 if there is nothing."""
        if not self.rows:
            return 0
        first = numbers.draw(self.calls, "changes", len(self.rows))
        self.calls.insert("changes", [{"_id": Int64(first + place), "kind": kind, "key": key, "at": Int64(self.at)}
                                      for place, (kind, key) in enumerate(self.rows)])
        return first


class MongoDirectory:
    """`lrs.store.protocols.directory.Directory` on MongoDB."""

    def __init__(self, database: Database, time: Clock | None = None) -> None:
        self._database, self._clock = database, time or clock.of(database)

    def migrate(self) -> None:
        """Create the collections and indexes where they are missing."""
        self._database.migrate(LAYOUT)

    def put_people(self, people: Sequence[Person]) -> list[tuple[int, str]]:
        """Store or replace each; returns (index, why) of those refused."""
        return self._put_all(people, "people", "identifiers", only_new=False)

    def put_courses(self, courses: Sequence[Course], *, only_new: bool = False) -> list[tuple[int, str]]:
        """Store or replace each (`only_new`: leave alone what is there); returns (index, why) of those refused."""
        return self._put_all(courses, "courses", "course_ids", only_new=only_new)

    def _put_all(self, values: Sequence[Person | Course], name: str, names: str, *, only_new: bool) -> list[tuple[int, str]]:
        refused: list[tuple[int, str]] = []
        for start in range(0, len(values), AT_ONCE):
            some = values[start:start + AT_ONCE]
            said = self._database.write(partial(_put, values=some, name=name, names=names, now=self._clock.now(), only_new=only_new))
            refused += [(start + index, why) for index, why in said]
        return refused

    def person_by_identifier(self, identifiers: Iterable[str]) -> dict[str, Person]:
        """Those of the identifiers that a person has."""
        with self._database.read() as calls:
            owners = {one["_id"]: one["owner"] for one in _among(calls, "identifiers", "_id", set(identifiers))}
            people = {one["_id"]: _person(one["body"]) for one in _among(calls, "people", "_id", set(owners.values()))}
        return {identifier: people[owner] for identifier, owner in owners.items() if owner in people}

    def person(self, employee_id: str) -> Person | None:
        """The person with this employee id."""
        with self._database.read() as calls:
            found = calls.one("people", {"_id": employee_id})
        return _person(found["body"]) if found else None

    def people(self, after: str = "", limit: int | None = None) -> list[Person]:
        """Everybody, by employee id, from the first id after `after` on."""
        if limit == 0:
            return []
        with self._database.read() as calls:
            return [_person(one["body"]) for one in calls.find("people", {"_id": {"$gt": after}}, sort=[("_id", 1)], limit=limit or 0)]

    def courses(self) -> list[Course]:
        """The catalogue, by id."""
        with self._database.read() as calls:
            return [_course(one["body"]) for one in calls.find("courses", {}, sort=[("_id", 1)])]

    def course(self, course_id: str) -> Course | None:
        """The course with this very id (not an alias)."""
        with self._database.read() as calls:
            found = calls.one("courses", {"_id": course_id})
        return _course(found["body"]) if found else None

    def has_course(self, course_id: str) -> bool:
        """Whether a course of the catalogue has this id or alias."""
        with self._database.read() as calls:
            return calls.one("course_ids", {"_id": course_id}) is not None

    def changes(self, after: int, n: int) -> list[Change]:
        """At most n changes with number > after, in order."""
        if n < 1:
            return []
        with self._database.read() as calls:
            found = calls.find("changes", {"_id": {"$gt": after}}, sort=[("_id", 1)], limit=n)
        return [Change(int(one["_id"]), one["kind"], one["key"]) for one in found]

    def last_change(self) -> int:
        """The number of the newest change, 0 if there is none."""
        with self._database.read() as calls:
            return numbers.last(calls, "changes")


def move(calls: Calls, step: CourseStep) -> str:
    """Do what applying a version of the course map does to the catalogue; '' or why nothing was done. Logs no change."""
    touched = sorted({*(course.id for course in step.put), *step.removed})
    expected = {course.id: course for course in step.before}
    stored = {one["_id"]: _course(one["body"]) for one in _among(calls, "courses", "_id", touched)}
    for course_id in touched:
        if stored.get(course_id) != expected.get(course_id):
            return f"course {course_id} was changed since this version was proposed: propose it again"
    wanted = {name for course in step.put for name in _names(course)[1]}
    owners = {one["_id"]: one["owner"] for one in _among(calls, "course_ids", "_id", wanted) if one["owner"] not in touched}
    for course in step.put:
        for name in _names(course)[1]:
            if owners.setdefault(name, course.id) != course.id:
                return f"{name} already belongs to {owners[name]}"
    calls.delete_many("courses", {"_id": {"$in": touched}})
    calls.delete_many("course_ids", {"owner": {"$in": touched}})
    if step.put:
        calls.insert("courses", [{"_id": course.id, "body": _body(course)} for course in step.put])
        calls.insert("course_ids", [{"_id": name, "owner": owners[name]} for name in sorted(wanted)])
    return ""


def _body(value: Person | Course) -> str:
    return json.dumps(asdict(value), ensure_ascii=False)


def _names(value: Person | Course) -> tuple[str, tuple[str, ...]]:
    """(its own key, the names that belong to it alone)."""
    if isinstance(value, Person):
        return value.employee_id, value.identifiers
    return value.id, (value.id, *value.aliases)


def _put(
    calls: Calls, values: Sequence[Person | Course], name: str, names: str, now: int, only_new: bool
) -> list[tuple[int, str]]:
    keys = {_names(value)[0] for value in values}
    owners = {one["_id"]: one["owner"] for one in _among(calls, names, "_id", {one for value in values for one in _names(value)[1]})}
    owners |= {one["_id"]: one["owner"] for one in _among(calls, names, "owner", keys)}
    bodies = {one["_id"]: one["body"] for one in _among(calls, name, "_id", keys)}
    refused: list[tuple[int, str]] = []
    writes: list[Write] = []
    owned: list[Write] = []
    changes = Changes(calls, now)
    for index, value in enumerate(values):
        key, own = _names(value)
        taken = next((one for one in own if owners.get(one, key) != key), None)
        if taken is not None:
            refused.append((index, f"{taken} already belongs to {owners[taken]}"))
            continue
        body = _body(value)
        if bodies.get(key) == body or (only_new and key in bodies):
            continue
        bodies[key] = body
        writes.append(ReplaceOne({"_id": key}, {"_id": key, "body": body}, upsert=True))
        changes.add("person" if isinstance(value, Person) else "course", key)
        had = {one for one, owner in owners.items() if owner == key}
        for gone in had - set(own):
            owned.append(DeleteOne({"_id": gone}))
            del owners[gone]
        for new in sorted(set(own) - had):
            owned.append(InsertOne({"_id": new, "owner": key}))
            owners[new] = key
            if isinstance(value, Person):
                changes.add("identifier", new)
    calls.write_each(name, writes)
    calls.write_each(names, owned)
    changes.write()
    return refused


def _among(calls: Calls, name: str, key: str, values: Iterable[str]) -> list[Document]:
    wanted = sorted(values)
    return [one for start in range(0, len(wanted), AMONG)
            for one in calls.find(name, {key: {"$in": wanted[start:start + AMONG]}})]


def _person(body: str) -> Person:
    fields = json.loads(body)
    return Person(**{**fields, "identifiers": tuple(fields["identifiers"])})


def _course(body: str) -> Course:
    fields = json.loads(body)
    return Course(**{**fields, **{name: tuple(fields.get(name, ())) for name in ("aliases", "all_of", "sessions")}})
