"""People, courses and the log of their changes, in statements.db."""
from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict

from lrs.completions.model import Course, Person
from lrs.store.protocols.directory import Change
from lrs.store.sqlite.database import Database

SCRIPTS = (
    """CREATE TABLE people (employee_id TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;
       CREATE TABLE identifiers (identifier TEXT PRIMARY KEY, employee_id TEXT NOT NULL) WITHOUT ROWID;
       CREATE INDEX identifiers_of ON identifiers (employee_id);
       CREATE TABLE courses (id TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;
       CREATE TABLE course_ids (alias TEXT PRIMARY KEY, course TEXT NOT NULL) WITHOUT ROWID;
       CREATE TABLE changes (n INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, key TEXT NOT NULL, at INTEGER NOT NULL);""",
)


class SqliteDirectory:
    """`lrs.store.protocols.directory.Directory` on SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def migrate(self) -> None:
        """Create the tables where they are missing."""
        self._database.migrate("directory", SCRIPTS)

    def put_people(self, people: Sequence[Person]) -> list[tuple[int, str]]:
        """Store or replace each; returns (index, why) of those refused."""
        refused = []
        with self._database.write() as db:
            for index, person in enumerate(people):
                if why := _taken(db, "identifiers", "identifier", "employee_id", person.identifiers, person.employee_id):
                    refused.append((index, why))
                    continue
                _put(db, "people", "employee_id", person.employee_id, person, "person")
                had = {row[0] for row in db.execute("SELECT identifier FROM identifiers WHERE employee_id = ?", (person.employee_id,))}
                for gone in had - set(person.identifiers):
                    db.execute("DELETE FROM identifiers WHERE identifier = ?", (gone,))
                for new in sorted(set(person.identifiers) - had):
                    db.execute("INSERT INTO identifiers VALUES (?, ?)", (new, person.employee_id))
                    changed(db, "identifier", new)
        return refused

    def person_by_identifier(self, identifiers: Iterable[str]) -> dict[str, Person]:
        """Those of the identifiers that a person has."""
        found = {}
        with self._database.read() as db:
            for identifier in set(identifiers):
                row = db.execute("SELECT p.body FROM identifiers i JOIN people p USING (employee_id) WHERE i.identifier = ?",
                                 (identifier,)).fetchone()
                if row:
                    found[identifier] = _person(row[0])
        return found

    def person(self, employee_id: str) -> Person | None:
        """The person with this employee id."""
        with self._database.read() as db:
            row = db.execute("SELECT body FROM people WHERE employee_id = ?", (employee_id,)).fetchone()
        return _person(row[0]) if row else None

    def people(self, after: str = "", limit: int | None = None) -> list[Person]:
        """Everybody, by employee id, from the first id after `after` on."""
        with self._database.read() as db:
            return [_person(row[0]) for row in db.execute("SELECT body FROM people WHERE employee_id > ? ORDER BY employee_id LIMIT ?",
                                                          (after, -1 if limit is None else limit))]

    def put_courses(self, courses: Sequence[Course], *, only_new: bool = False) -> list[tuple[int, str]]:
        """Store or replace each (`only_new`: leave alone what is there); returns (index, why) of those refused."""
        refused = []
        with self._database.write() as db:
            for index, course in enumerate(courses):
                ids = (course.id, *course.aliases)
                if why := _taken(db, "course_ids", "alias", "course", ids, course.id):
                    refused.append((index, why))
                    continue
                if only_new and db.execute("SELECT 1 FROM courses WHERE id = ?", (course.id,)).fetchone():
                    continue
                if _put(db, "courses", "id", course.id, course, "course"):
                    db.execute("DELETE FROM course_ids WHERE course = ?", (course.id,))
                    db.executemany("INSERT OR IGNORE INTO course_ids VALUES (?, ?)", [(i, course.id) for i in ids])
        return refused

    def courses(self) -> list[Course]:
        """The catalogue, by id."""
        with self._database.read() as db:
            return [_course(row[0]) for row in db.execute("SELECT body FROM courses ORDER BY id")]

    def course(self, course_id: str) -> Course | None:
        """The course with this very id (not an alias)."""
        with self._database.read() as db:
            return stored_course(db, course_id)

    def has_course(self, course_id: str) -> bool:
        """Whether a course of the catalogue has this id or alias."""
        with self._database.read() as db:
            return db.execute("SELECT 1 FROM course_ids WHERE alias = ?", (course_id,)).fetchone() is not None

    def changes(self, after: int, n: int) -> list[Change]:
        """At most n changes with number > after, in order."""
        with self._database.read() as db:
            return [Change(*row) for row in db.execute("SELECT n, kind, key FROM changes WHERE n > ? ORDER BY n LIMIT ?", (after, n))]

    def last_change(self) -> int:
        """The number of the newest change, 0 if there is none."""
        with self._database.read() as db:
            return int(db.execute("SELECT coalesce(max(n), 0) FROM changes").fetchone()[0])


def _taken(db: sqlite3.Connection, table: str, column: str, owner: str, keys: Iterable[str], own: str) -> str:
    for key in keys:
        row = db.execute(f"SELECT {owner} FROM {table} WHERE {column} = ?", (key,)).fetchone()
        if row and row[0] != own:
            return f"{key} already belongs to {row[0]}"
    return ""


def _put(db: sqlite3.Connection, table: str, column: str, key: str, value: Person | Course, kind: str) -> bool:
    """Write the row and its change; False (and no change logged) where it already stands so."""
    body = json.dumps(asdict(value), ensure_ascii=False)
    row = db.execute(f"SELECT body FROM {table} WHERE {column} = ?", (key,)).fetchone()
    if row and row[0] == body:
        return False
    db.execute(f"INSERT OR REPLACE INTO {table} VALUES (?, ?)", (key, body))
    changed(db, kind, key)
    return True


def changed(db: sqlite3.Connection, kind: str, key: str) -> int:
    """Append to the log of changes in the caller's transaction; the change's number."""
    return int(db.execute("INSERT INTO changes (kind, key, at) VALUES (?, ?, ?)", (kind, key, time.time_ns() // 1000)).lastrowid or 0)


def stored_course(db: sqlite3.Connection, course_id: str) -> Course | None:
    """The course with this very id (not an alias)."""
    row = db.execute("SELECT body FROM courses WHERE id = ?", (course_id,)).fetchone()
    return _course(row[0]) if row else None


def remove_course(db: sqlite3.Connection, course_id: str) -> None:
    """Take the course and its aliases out of the catalogue; logs no change."""
    db.execute("DELETE FROM courses WHERE id = ?", (course_id,))
    db.execute("DELETE FROM course_ids WHERE course = ?", (course_id,))


def add_course(db: sqlite3.Connection, course: Course) -> str:
    """Put a course that is not there into the catalogue; '' or which id belongs to another. Logs no change."""
    ids = (course.id, *course.aliases)
    if why := _taken(db, "course_ids", "alias", "course", ids, course.id):
        return why
    db.execute("INSERT INTO courses VALUES (?, ?)", (course.id, json.dumps(asdict(course), ensure_ascii=False)))
    db.executemany("INSERT OR IGNORE INTO course_ids VALUES (?, ?)", [(i, course.id) for i in ids])
    return ""


def _person(body: str) -> Person:
    fields = json.loads(body)
    return Person(**{**fields, "identifiers": tuple(fields["identifiers"])})


def _course(body: str) -> Course:
    fields = json.loads(body)
    return Course(**{**fields, **{name: tuple(fields.get(name, ())) for name in ("aliases", "all_of", "sessions")}})
