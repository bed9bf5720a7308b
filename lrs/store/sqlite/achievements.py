"""States of subjects in courses in work.db, what is held for unknown subjects, and who they were named by."""
from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from lrs.completions.model import Publication
from lrs.completions.state import CourseState, from_json, to_json
from lrs.store.protocols.work import Held, StateWrite
from lrs.store.sqlite import feed
from lrs.store.sqlite.database import Database

SCRIPTS = (
    """CREATE TABLE course_states (subject TEXT NOT NULL, course TEXT NOT NULL, revision INTEGER NOT NULL, body BLOB NOT NULL,
         PRIMARY KEY (subject, course)) WITHOUT ROWID;
       CREATE INDEX course_states_by_course ON course_states (course);
       CREATE TABLE evidence (seq INTEGER NOT NULL, course TEXT NOT NULL, subject TEXT NOT NULL, PRIMARY KEY (seq, course)) WITHOUT ROWID;
       CREATE TABLE named (identifier TEXT NOT NULL, subject TEXT NOT NULL, PRIMARY KEY (identifier, subject)) WITHOUT ROWID;
       CREATE INDEX named_subject ON named (subject);
       CREATE TABLE held (subject TEXT NOT NULL, course TEXT NOT NULL, event_id TEXT NOT NULL, revision INTEGER NOT NULL,
         event TEXT NOT NULL, body BLOB NOT NULL, PRIMARY KEY (subject, course, event_id, revision)) WITHOUT ROWID;""",
)


class SqliteAchievements:
    """The part of `lrs.store.protocols.work.Work` that reads states."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def states(self, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], CourseState]:
        """Those of the (subject, course) pairs that have a state."""
        found = {}
        with self._database.read() as db:
            for key in set(keys):
                row = db.execute("SELECT body FROM course_states WHERE subject = ? AND course = ?", key).fetchone()
                if row:
                    found[key] = from_json(row[0])
        return found

    def states_of(self, *, subject: str = "", course: str = "") -> dict[tuple[str, str], CourseState]:
        """Every state of a subject, or in a course."""
        column, value = ("subject", subject) if subject else ("course", course)
        with self._database.read() as db:
            rows = db.execute(f"SELECT subject, course, body FROM course_states WHERE {column} = ?", (value,)).fetchall()
        return {(s, c): from_json(body) for s, c, body in rows}

    def subjects_named(self, identifiers: Iterable[str]) -> dict[str, set[str]]:
        """Unknown subjects by each of the identifiers they were named by."""
        with self._database.read() as db:
            found = {i: {row[0] for row in db.execute("SELECT subject FROM named WHERE identifier = ?", (i,))} for i in set(identifiers)}
        return {identifier: subjects for identifier, subjects in found.items() if subjects}

    def subjects_of(self, seqs: Iterable[int]) -> dict[int, str]:
        """The subject whose evidence each of these statements is, as it is now."""
        found = {}
        with self._database.read() as db:
            for seq in set(seqs):
                row = db.execute("SELECT subject FROM evidence WHERE seq = ? LIMIT 1", (seq,)).fetchone()
                if row:
                    found[seq] = row[0]
        return found

    def held(self, limit: int = 100) -> list[Held]:
        """What waits for a person, by subject."""
        with self._database.read() as db:
            rows = db.execute("SELECT subject, course, event, event_id, revision, body FROM held LIMIT ?", (limit,)).fetchall()
        return [Held(*row) for row in rows]


def write_state(db: sqlite3.Connection, write: StateWrite) -> None:
    """Put or delete the state inside the caller's write."""
    key = (write.subject, write.course)
    if write.state is None:
        db.execute("DELETE FROM course_states WHERE subject = ? AND course = ?", key)
        return
    db.execute(
        """INSERT INTO course_states VALUES (?, ?, 1, ?)
           ON CONFLICT (subject, course) DO UPDATE SET revision = revision + 1, body = excluded.body""",
        (*key, to_json(write.state)),
    )
    db.executemany("INSERT OR REPLACE INTO evidence VALUES (?, ?, ?)", [(seq, write.course, write.subject) for seq in write.state.evidence])
    db.executemany("INSERT OR IGNORE INTO named VALUES (?, ?)", [(i, write.subject) for i in write.identifiers])


def hold(db: sqlite3.Connection, p: Publication) -> None:
    """Keep an event until its subject is known, inside the caller's write."""
    db.execute("INSERT OR REPLACE INTO held VALUES (?, ?, ?, ?, ?, ?)", (p.subject, p.course, p.id, p.revision, p.event, feed.body(p)))


def forget(db: sqlite3.Connection, subject: str) -> None:
    """Drop what was held for a subject that became known, inside the caller's write."""
    db.execute("DELETE FROM held WHERE subject = ?", (subject,))
    db.execute("DELETE FROM named WHERE subject = ?", (subject,))
