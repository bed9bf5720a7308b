"""Index rows that a statement owes to the statements it refers to: written in whichever order they arrive."""
from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from lrs.store.sqlite import postings, rows

SCRIPTS = (
    """CREATE TABLE shadow_todo (n INTEGER PRIMARY KEY AUTOINCREMENT, target BLOB, referrer INTEGER, after INTEGER NOT NULL,
         start INTEGER NOT NULL)""",
)
IN_REQUEST = 1_000
"""Pairs (referrer, statement of its chain) that a request writes besides one a statement; the rest is left in
shadow_todo. For the whole request: a batch that is one long chain would else hold the write lock for minutes."""

Task = tuple[bytes | None, int | None, int, int]
"""(target, referrer, after, start). With a referrer: it gets the terms of the chain that begins at seq `start`, of
which `after` statements are done. Without: every direct referrer of `target` with seq > `after` gets them, and so do
those who refer to that one."""


def link(db: sqlite3.Connection, seq: int, statement_id: bytes, target: bytes | None, budget: postings.Budget) -> None:
    """Index a statement just stored: for what it refers to, and for those who referred to it before it was there.
    Costs the budget, which all statements of a request share, one a pair."""
    tasks: list[Task] = []
    if target is not None:
        first = db.execute("SELECT seq FROM statements WHERE id = ?", (target,)).fetchone()
        if first is not None and first[0] != seq:
            tasks.append((None, seq, 0, first[0]))
    if db.execute("SELECT 1 FROM statements WHERE target = ? LIMIT 1", (statement_id,)).fetchone():
        tasks.append((statement_id, None, 0, seq))
    if tasks:
        _leave(db, _work(db, tasks, budget))


def catch_up(db: sqlite3.Connection, pairs: int) -> bool:
    """Do a part of what requests left undone, about `pairs` pairs, in the caller's transaction; False if none was."""
    row = db.execute("SELECT n, target, referrer, after, start FROM shadow_todo ORDER BY n LIMIT 1").fetchone()
    if row is None:
        return False
    db.execute("DELETE FROM shadow_todo WHERE n = ?", (row[0],))
    _leave(db, _work(db, [row[1:]], postings.Budget(pairs)))
    return True


def _leave(db: sqlite3.Connection, tasks: list[Task]) -> None:
    db.executemany("INSERT INTO shadow_todo (target, referrer, after, start) VALUES (?, ?, ?, ?)", tasks)


def _work(db: sqlite3.Connection, tasks: list[Task], budget: postings.Budget) -> list[Task]:
    """Do as much as the budget allows; what is left."""
    while tasks and budget.left > 0:
        target, referrer, after, start = tasks.pop()
        if referrer is not None:
            _shadow(db, referrer, after, start, budget, tasks)
            continue
        found = db.execute("SELECT seq, id FROM statements WHERE target = ? AND seq > ? ORDER BY seq LIMIT 1",
                           (target, after)).fetchone()
        if found is None:
            continue
        tasks.append((target, None, found[0], start))
        budget.left -= 1
        if found[0] != start:  # a loop: every way back leads through the statement where the chain began
            tasks += [(found[1], None, 0, start), (None, found[0], 0, start)]
    return tasks


def _shadow(db: sqlite3.Connection, referrer: int, after: int, start: int, budget: postings.Budget, tasks: list[Task]) -> None:
    for place, (seq, terms) in enumerate(_chain(db, start)):
        if seq == referrer:
            break
        if place < after:
            continue
        if budget.left <= 0:
            tasks.append((None, referrer, place, start))
            break
        postings.insert(db, [(term, referrer, seq) for term in terms])
        budget.left -= 1


def _chain(db: sqlite3.Connection, start: int) -> Iterator[tuple[int, tuple[int, ...]]]:
    """(seq, own terms) of this statement, of the one it refers to, and so on; each once."""
    row = db.execute("SELECT seq, terms, target FROM statements WHERE seq = ?", (start,)).fetchone()
    seen: set[int] = set()
    while row is not None and row[0] not in seen:
        seen.add(row[0])
        yield row[0], rows.unpacked(row[1])
        if row[2] is None:
            return
        row = db.execute("SELECT seq, terms, target FROM statements WHERE id = ?", (row[2],)).fetchone()
