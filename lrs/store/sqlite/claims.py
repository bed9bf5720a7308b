"""Claiming deliveries and recording how they ended, within the limits of each target: SQL in the caller's transaction."""
from __future__ import annotations

import json
import logging
import secrets
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby

from lrs.store.protocols.work import Admission, Attempt, Claimed, Limits, TargetRow
from lrs.store.sqlite.targets import every_target, put_standing

log = logging.getLogger("store.work")
UNSENT = "('pending', 'waiting', 'parked')"
BLOCKING = "('pending', 'leased', 'waiting', 'parked')"
REFUSED = "(401, 403, 410, 429)"
"""Answers after which it is certain that the target did not take the event: refused at the door."""

LOST_MAX = 3
"""A delivery is dead when so many workers in a row ended while they held it. Before its last chance it is the only such
one in flight, so that those that were sent beside it are not taken for the cause."""

_DUE = f"""SELECT d.id, d.event, d.event_id, d.revision, d.payload, d.attempts, d.unclear, d.state, d.lost FROM deliveries d
           WHERE d.target = ? AND d.due <= ? AND NOT EXISTS (SELECT 1 FROM deliveries e WHERE e.target = d.target
             AND e.event_id = d.event_id AND e.revision < d.revision AND e.state IN {BLOCKING})
           ORDER BY d.due, d.rowid LIMIT ?"""  # the order of the index itself: a backlog is never sorted
Row = tuple[str, str, str, int, bytes, int, int, str, int]


def open_targets(db: sqlite3.Connection, now: int, limits: Limits) -> list[tuple[TargetRow, int, Admission]]:
    """(target, calls in flight, admission) of those that something is due for and that may be called now."""
    found = []
    for target in every_target(db):
        if target.state != "active" or not db.execute(
                "SELECT 1 FROM deliveries WHERE target = ? AND due <= ? LIMIT 1", (target.name, now)).fetchone():
            continue
        (in_flight,) = db.execute("SELECT count(DISTINCT lease) FROM deliveries WHERE state = 'leased' AND target = ? AND due > ?",
                                  (target.name, now)).fetchone()
        admission = limits.admit(target, in_flight, now)
        if admission.calls > 0:
            found.append((target, in_flight, admission))
    return found


def claim(db: sqlite3.Connection, n: int, until: int, owner: str, now: int, limits: Limits) -> list[Claimed]:
    """Lease the deliveries of at most n calls until `until` (µs)."""
    _bury(db, now)
    last_chance = bool(db.execute("SELECT 1 FROM deliveries WHERE lost >= ? AND state = 'leased' AND due > ?",
                                  (LOST_MAX - 1, now)).fetchone())
    waiting: dict[str, list[list[Row]]] = {}
    standing: dict[str, tuple[TargetRow, int, Admission]] = {}
    for target, in_flight, admission in open_targets(db, now, limits):
        rows = db.execute(_DUE, (target.name, now, min(admission.calls, n) * admission.batch)).fetchall()
        calls, last_chance = _calls(rows, admission.batch, last_chance)
        if calls:
            waiting[target.name], standing[target.name] = calls[:admission.calls], (target, in_flight, admission)
    claimed: list[Claimed] = []
    for name, count in _shares(n, standing, waiting).items():
        target, _, admission = standing[name]
        for call in waiting[name][:count]:
            lease = secrets.token_hex(8)
            claimed += [one for row in call if (one := _lease(db, name, row, lease, owner, until)) is not None]
        tokens = admission.health.tokens
        put_standing(db, replace(target, health=replace(
            admission.health, served_at=now, tokens=None if tokens is None else tokens - count)))
    return claimed


def _calls(rows: Sequence[Row], batch: int, last_chance: bool) -> tuple[list[list[Row]], bool]:
    """Rows by call. Those whose worker ended go first and alone; of those on their last chance one at a time."""
    alone = []
    for row in rows:
        lost = row[8] + (row[7] == "leased")
        if lost and not (lost >= LOST_MAX - 1 and last_chance):
            alone.append([row])
            last_chance = last_chance or lost >= LOST_MAX - 1
    fresh = [row for row in rows if not row[8] and row[7] != "leased"]
    return alone + [list(fresh[at:at + batch]) for at in range(0, len(fresh), batch)], last_chance


def _shares(n: int, standing: Mapping[str, tuple[TargetRow, int, Admission]], waiting: Mapping[str, Sequence[object]]) -> dict[str, int]:
    """How many calls each target gets: each place goes to the one with the fewest in flight, then to the one that
    was served longest ago."""
    given: dict[str, int] = {}
    for _ in range(n):
        hungry = [name for name in waiting if given.get(name, 0) < len(waiting[name])]
        if not hungry:
            break
        next_ = min(hungry, key=lambda name: (standing[name][1] + given.get(name, 0), standing[name][0].health.served_at, name))
        given[next_] = given.get(next_, 0) + 1
    return given


def _lease(db: sqlite3.Connection, target: str, row: Row, lease: str, owner: str, until: int) -> Claimed | None:
    key, event, event_id, revision, payload, attempts, unclear, state, _ = row
    told = as_target_knows(db, target, event, event_id, revision, bytes(payload))
    if told is None:
        db.execute(f"""UPDATE deliveries SET state = 'cancelled', due = NULL, why = ?
                       WHERE target = ? AND event_id = ? AND revision <= ? AND state IN {UNSENT}""",
                   ("taken back before the target ever got it", target, event_id, revision))
        return None
    lost = state == "leased"
    db.execute("""UPDATE deliveries SET state = 'leased', lease = ?, owner = ?, due = ?, unclear = ?, tried = 1, lost = lost + ?,
                    released = 0 WHERE id = ?""", (lease, owner, until, bool(unclear) or lost, lost, key))
    return Claimed(key, target, told[0], event_id, revision, told[1], attempts, bool(unclear) or lost, lease, until)


def _bury(db: sqlite3.Connection, now: int) -> None:
    for key, attempts in db.execute("SELECT id, attempts FROM deliveries WHERE lost >= ? AND state = 'leased' AND due <= ?",
                                    (LOST_MAX - 1, now)).fetchall():
        why = f"{LOST_MAX} workers in a row ended while they were sending it"
        db.execute("UPDATE deliveries SET state = 'dead', due = NULL, lease = '', owner = '', lost = ?, why = ? WHERE id = ?",
                   (LOST_MAX, why, key))
        db.execute("INSERT INTO attempts VALUES (?, ?, 'dead', ?, ?, NULL, 0, '')", (key, now, attempts, why))
        log.warning("delivery %s is dead: %s", key, why)


def as_target_knows(
    db: sqlite3.Connection, target: str, event: str, event_id: str, revision: int, payload: bytes
) -> tuple[str, bytes] | None:
    """Event and payload as this target must hear them: an update of what it never got is a completion, a revoke
    of what it never got is nothing (None)."""
    got, tried = db.execute("""SELECT coalesce(sum(state = 'delivered'), 0), coalesce(sum(tried), 0) FROM deliveries
                               WHERE target = ? AND event_id = ? AND revision < ?""", (target, event_id, revision)).fetchone()
    if event.endswith(".revoked") and not got and not tried:
        return None
    if event == "learning.updated" and not got:
        said = {**json.loads(payload), "event": "learning.completed"}
        return "learning.completed", json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()
    return event, payload


def record(db: sqlite3.Connection, attempts: Sequence[Attempt], limits: Limits) -> int:
    """Write how attempts ended and what it makes of their targets; how many were written."""
    written: list[tuple[str, Attempt]] = []
    for one in attempts:
        # what it lacked was learned while it was under way: not parked, but due again
        state, due = ("waiting", one.at) if one.state == "parked" and _released(db, one) else (one.state, one.due)
        row = db.execute(
            """UPDATE deliveries SET state = ?, attempts = ?, due = ?, why = ?, lease = '', owner = '', unclear = ?, lost = 0
               WHERE id = ? AND lease = ? AND state = 'leased' RETURNING target""",
            (state, one.attempts, due if state == "waiting" else None, one.why, one.unclear, one.id, one.lease)).fetchone()
        if row is None:
            continue
        written.append((row[0], one))
        db.execute("INSERT INTO attempts VALUES (?,?,?,?,?,?,?,?)",
                   (one.id, one.at, one.state, one.attempts, one.why, one.status, one.milliseconds, one.body[:2048]))
        db.execute(f"""UPDATE deliveries SET tried = unclear OR EXISTS (SELECT 1 FROM attempts WHERE delivery = ?
                         AND state NOT IN ('parked', 'cancelled') AND coalesce(status, 0) NOT IN {REFUSED}) WHERE id = ?""",
                   (one.id, one.id))
    if written:
        _judge(db, written, limits)
    return len(written)


def _released(db: sqlite3.Connection, one: Attempt) -> bool:
    return db.execute("SELECT 1 FROM deliveries WHERE id = ? AND released = 1", (one.id,)).fetchone() is not None


def _judge(db: sqlite3.Connection, written: Sequence[tuple[str, Attempt]], limits: Limits) -> None:
    known = {target.name: target for target in every_target(db)}
    for name, group in groupby(sorted(written, key=lambda pair: pair[0]), key=lambda pair: pair[0]):
        was = known.get(name)
        if was is None:
            continue
        target = limits.judge(was, [attempt for _, attempt in group])
        if target == was:
            continue
        put_standing(db, target)
        if target.state != was.state:
            log.warning("target %s %s: %s", name, target.state, target.why)
        elif target.health.openings > was.health.openings:
            log.warning("target %s rests: %d calls in a row failed", name, target.health.failures)
