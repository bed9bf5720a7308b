"""Versions of the verb map and the course map, in statements.db."""
from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence

from lrs.store.protocols.mappings import CourseStep, Mapping
from lrs.store.sqlite import directory
from lrs.store.sqlite.database import Database

SCRIPTS = (
    """CREATE TABLE mappings (kind TEXT NOT NULL, number INTEGER NOT NULL, body BLOB NOT NULL, state TEXT NOT NULL, who TEXT NOT NULL,
         at INTEGER NOT NULL, note TEXT NOT NULL, base INTEGER NOT NULL, applied INTEGER NOT NULL, change INTEGER NOT NULL,
         PRIMARY KEY (kind, number)) WITHOUT ROWID;
       CREATE UNIQUE INDEX mappings_active ON mappings (kind) WHERE state = 'active'""",
    "CREATE TABLE rewritten (n INTEGER PRIMARY KEY AUTOINCREMENT, seq INTEGER NOT NULL)",
)


class SqliteMappings:
    """`lrs.store.protocols.mappings.Mappings` on SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[str, Mapping] = {}

    def migrate(self) -> None:
        """Create the table where it is missing."""
        self._database.migrate("mappings", SCRIPTS)

    def propose(self, kind: str, body: bytes, *, who: str, note: str, base: int) -> int:
        """Keep a version as proposed; its number."""
        with self._database.write() as db:
            (number,) = db.execute("SELECT coalesce(max(number), 0) + 1 FROM mappings WHERE kind = ?", (kind,)).fetchone()
            db.execute("INSERT INTO mappings VALUES (?, ?, ?, 'proposed', ?, ?, ?, ?, 0, 0)",
                       (kind, number, body, who, time.time_ns() // 1000, note, base))
        return int(number)

    def get(self, kind: str, number: int) -> Mapping | None:
        """This version."""
        with self._database.read() as db:
            row = db.execute("SELECT * FROM mappings WHERE kind = ? AND number = ?", (kind, number)).fetchone()
        return Mapping(*row) if row else None

    def active(self, kind: str) -> Mapping | None:
        """The active version; its number is read each time, the rest of it when the number is another one."""
        row = self._database.row("SELECT number FROM mappings WHERE kind = ? AND state = 'active'", (kind,))
        if row is None:
            return None
        there = self._known.get(kind)
        if there is None or there.number != row[0]:
            there = self.get(kind, row[0])
            if there is None or there.state != "active":
                return self.active(kind)  # another one was applied in between
            self._known[kind] = there
        return there

    def list(self, kind: str) -> list[Mapping]:
        """All versions, the newest first."""
        with self._database.read() as db:
            return [Mapping(*row) for row in db.execute("SELECT * FROM mappings WHERE kind = ? ORDER BY number DESC", (kind,))]

    def apply(self, kind: str, number: int, step: CourseStep | None = None) -> str:
        """Version, catalogue and change in one write; '' or why nothing was done."""
        with self._database.write() as db:
            row = db.execute("SELECT state, base FROM mappings WHERE kind = ? AND number = ?", (kind, number)).fetchone()
            active = db.execute("SELECT number FROM mappings WHERE kind = ? AND state = 'active'", (kind,)).fetchone()
            now = active[0] if active else 0
            if row is None:
                return f"there is no version {number}"
            if row[0] != "proposed":
                return f"version {number} is {row[0]} already"
            if row[1] != now:
                return f"version {number} was proposed on top of {row[1]}, and {now} is active since: propose it again"
            if step and (why := _move(db, step)):
                return why
            change = directory.changed(db, "mapping", f"{kind}:{number}")
            db.execute("UPDATE mappings SET state = 'retired' WHERE kind = ? AND number = ?", (kind, now))
            db.execute("UPDATE mappings SET state = 'active', applied = ?, change = ? WHERE kind = ? AND number = ?",
                       (time.time_ns() // 1000, change, kind, number))
        return ""

    def put_readings(self, number: int, readings: Sequence[tuple[int, bytes]]) -> bool:
        """Replace the readings of these statements (seq, reading), if this version of the verb map is still active."""
        with self._database.write() as db:
            active = db.execute("SELECT number FROM mappings WHERE kind = 'verbs' AND state = 'active'").fetchone()
            if (active[0] if active else 0) != number:
                return False
            db.executemany("UPDATE statements SET reading = ? WHERE seq = ?", [(reading, seq) for seq, reading in readings])
            db.executemany("INSERT INTO rewritten (seq) VALUES (?)", [(seq,) for seq, _ in readings])
        return True

    def rewritten(self, after: int, n: int) -> Sequence[tuple[int, int]]:
        """At most n entries (number, seq) of the log of rewritten readings with number > after, in order."""
        with self._database.read() as db:
            return db.execute("SELECT n, seq FROM rewritten WHERE n > ? ORDER BY n LIMIT ?", (after, n)).fetchall()

    def forget_rewritten(self, through: int) -> None:
        """Take the entries up to this number out of the log."""
        with self._database.write() as db:
            db.execute("DELETE FROM rewritten WHERE n <= ?", (through,))


def _move(db: sqlite3.Connection, step: CourseStep) -> str:
    touched = {*(course.id for course in step.put), *step.removed}
    expected = {course.id: course for course in step.before}
    for course_id in sorted(touched):
        if directory.stored_course(db, course_id) != expected.get(course_id):
            return f"course {course_id} was changed since this version was proposed: propose it again"
    db.execute("SAVEPOINT step")
    for course_id in sorted(touched):
        directory.remove_course(db, course_id)
    why = next(filter(None, (directory.add_course(db, course) for course in step.put)), "")
    if why:
        db.execute("ROLLBACK TO step")
    db.execute("RELEASE step")
    return why
