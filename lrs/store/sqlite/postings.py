"""The index: one row a (term, seq, via), young rows merged into the main table in sorted runs, and the walk over them."""
from __future__ import annotations

import sqlite3
import struct
from collections.abc import Iterator, Sequence

from lrs.statements.record import Query

SCRIPTS = (
    """CREATE TABLE terms_recent (term INTEGER NOT NULL, seq INTEGER NOT NULL, via INTEGER NOT NULL, PRIMARY KEY (term, seq, via)) WITHOUT ROWID;
       CREATE TABLE terms_main (term INTEGER NOT NULL, seq INTEGER NOT NULL, via INTEGER NOT NULL, PRIMARY KEY (term, seq, via)) WITHOUT ROWID;
       CREATE TABLE shadow_todo (target INTEGER NOT NULL, referrer INTEGER NOT NULL, PRIMARY KEY (target, referrer)) WITHOUT ROWID""",
)
REFERRERS = 1000
"""Referrers that get their rows in the request; the rest is left to the worker."""
PROBES = 100_000
"""Index look-ups a page may cost; then it ends early with a `more`."""
LARGEST = 2**63 - 1


def write(db: sqlite3.Connection, seq: int, key: bytes, terms: Sequence[int], target: bytes | None) -> None:
    """Index a new statement: its own rows, those of the chain that it refers to, and shadow rows for its referrers."""
    rows = [(term, seq, 0) for term in terms]
    chain = list(_chain(db, target, {seq}))
    rows += [(term, seq, at) for at, there in chain for term in there]
    db.executemany("INSERT OR IGNORE INTO terms_recent VALUES (?, ?, ?)", rows)
    seen = {seq, *(at for at, _ in chain)}
    done = 0
    for referrer in _referrers(db, key, set(seen)):
        done += 1
        if done > REFERRERS:
            db.execute("INSERT OR IGNORE INTO shadow_todo VALUES (?, ?)", (seq, referrer))
        else:
            _shadow(db, referrer, [(seq, terms), *chain])


def _shadow(db: sqlite3.Connection, referrer: int, chain: Sequence[tuple[int, Sequence[int]]]) -> None:
    db.executemany("INSERT OR IGNORE INTO terms_recent VALUES (?, ?, ?)",
                   [(term, referrer, at) for at, there in chain if at != referrer for term in there])


def _chain(db: sqlite3.Connection, target: bytes | None, seen: set[int]) -> Iterator[tuple[int, tuple[int, ...]]]:
    """(seq, terms) of each statement along the references, until one is missing or was met before."""
    while target is not None:
        row = db.execute("SELECT seq, terms, target FROM statements WHERE id = ?", (target,)).fetchone()
        if row is None or row[0] in seen:
            return
        seen.add(row[0])
        yield row[0], struct.unpack(f"<{len(row[1]) // 8}q", row[1])
        target = row[2]


def _referrers(db: sqlite3.Connection, key: bytes, seen: set[int]) -> Iterator[int]:
    waiting = [key]
    while waiting:
        for seq, referrer in db.execute("SELECT seq, id FROM statements WHERE target = ?", (waiting.pop(),)).fetchall():
            if seq not in seen:
                seen.add(seq)
                yield seq
                waiting.append(referrer)


def do_todo(db: sqlite3.Connection, n: int) -> int:
    """Write the shadow rows of at most n referrers that a request left over."""
    todo = db.execute("SELECT target, referrer FROM shadow_todo LIMIT ?", (n,)).fetchall()
    for target, referrer in todo:
        terms, further = db.execute("SELECT terms, target FROM statements WHERE seq = ?", (target,)).fetchone()
        _shadow(db, referrer, [(target, struct.unpack(f"<{len(terms) // 8}q", terms)), *_chain(db, further, {target})])
        db.execute("DELETE FROM shadow_todo WHERE target = ? AND referrer = ?", (target, referrer))
    return len(todo)


def merge(db: sqlite3.Connection, n: int) -> int:
    """Move at most n rows, in key order, from the young table into the main one."""
    rows = db.execute("SELECT term, seq, via FROM terms_recent ORDER BY term, seq, via LIMIT ?", (n,)).fetchall()
    if rows:
        db.executemany("INSERT OR IGNORE INTO terms_main VALUES (?, ?, ?)", rows)
        db.execute("DELETE FROM terms_recent WHERE (term, seq, via) <= (?, ?, ?)", rows[-1])
    return len(rows)


def walk(db: sqlite3.Connection, query: Query, through: int) -> tuple[list[int], int | None]:
    """The seqs of a page in order, and where it goes on (None: nothing more)."""
    low, high = (query.since or 0) + 1 if query.since is not None else 0, min(through, LARGEST if query.until is None else query.until)
    if query.after is not None:
        low, high = (max(low, query.after + 1), high) if query.ascending else (low, min(high, query.after - 1))
    found: list[int] = []
    at = None
    for at, matches in _candidates(db, query, low, high):
        if matches and _shown(db, at, query.credential_id):
            if len(found) == query.limit:
                return found, found[-1]
            found.append(at)
        elif not matches:
            return found, at
    return found, None


def _shown(db: sqlite3.Connection, seq: int, credential_id: str | None) -> bool:
    voided, credential = db.execute("SELECT voided, credential FROM statements WHERE seq = ?", (seq,)).fetchone()
    return not voided and credential_id in (None, credential)


def _candidates(db: sqlite3.Connection, query: Query, low: int, high: int) -> Iterator[tuple[int, bool]]:
    """(seq, True) for each match in order; (seq, False) once, where the budget of probes ended."""
    order, least = ("ASC", ">=") if query.ascending else ("DESC", "<=")
    if not query.terms:
        probes = 0
        for (seq,) in db.execute(f"SELECT seq FROM statements WHERE seq BETWEEN ? AND ? ORDER BY seq {order}", (low, high)):
            probes += 1
            if probes > PROBES:
                yield seq, False
                return
            yield seq, True
        return
    tables = " UNION ALL ".join(
        f"SELECT seq, via FROM (SELECT seq, via FROM {table} WHERE term = ?1 AND (seq, via) {least} (?2, ?3) ORDER BY seq {order}, via {order} LIMIT 1)"
        for table in ("terms_recent", "terms_main"))
    seek = f"SELECT seq, via FROM ({tables}) ORDER BY seq {order}, via {order} LIMIT 1"
    position = (low, 0) if query.ascending else (high, LARGEST)
    terms, agreed, turn = query.terms, 0, 0
    for _ in range(PROBES):
        row = db.execute(seek, (terms[turn], *position)).fetchone()
        if row is None or not low <= row[0] <= high:
            return
        agreed = agreed + 1 if row == position else 1
        position = row
        if agreed == len(terms):
            yield row[0], True
            position = (row[0] + 1, 0) if query.ascending else (row[0] - 1, LARGEST)
            agreed = 0
        else:
            turn = (turn + 1) % len(terms)
    yield position[0] - 1 if query.ascending else position[0] + 1, False
