"""Claiming deliveries and recording how they ended, within the limits of each target: SQL in the caller's transaction."""
from __future__ import annotations

import logging
import secrets
import sqlite3
from collections.abc import Sequence
from dataclasses import replace

import msgspec

from lrs.store.claiming import AHEAD_MAX_US, COMPANY, Standing, after_loss, as_told, calls, held_back, judged, shares
from lrs.store.protocols.work import Attempt, Claimed, Limits
from lrs.store.sqlite.targets import every_target, put_standing

log = logging.getLogger("store.work")
UNSENT = "('pending', 'waiting', 'parked')"
BLOCKING = "('pending', 'leased', 'waiting', 'parked')"
REFUSED = "(401, 403, 410, 429)"
"""Answers after which it is certain that the target did not take the event: refused at the door."""

_SUSPECT = f"lost > 0 AND lost >= {COMPANY}"  # the first term is that of the index
_LOST = "INDEXED BY deliveries_lost"


def _due(of: str, index: str = "") -> str:
    return f"""SELECT d.id, d.event, d.event_id, d.revision, d.payload, d.attempts, d.unclear, d.lost FROM deliveries d {index}
               WHERE d.target = ? AND d.due <= ? AND d.state <> 'leased' AND {of} AND NOT EXISTS (SELECT 1 FROM deliveries e
                 WHERE e.target = d.target AND e.event_id = d.event_id AND e.revision < d.revision AND e.state IN {BLOCKING})
               ORDER BY d.due, d.rowid LIMIT ?"""  # the order of the index itself: a backlog is never sorted


_DUE = {False: _due(f"d.lost < {COMPANY}"), True: _due(_SUSPECT.replace("lost", "d.lost"), _LOST)}
_ANY = {False: f"SELECT 1 FROM deliveries WHERE target = ? AND due <= ? AND lost < {COMPANY} AND state <> 'leased' LIMIT 1",
        True: f"SELECT 1 FROM deliveries {_LOST} WHERE target = ? AND due <= ? AND {_SUSPECT} AND state <> 'leased' LIMIT 1"}
"""By whether suspects are asked for."""
_LAPSED = "SELECT 1 FROM deliveries WHERE target = ? AND state = 'leased' AND due <= ? LIMIT 1"
_AHEAD = "target = ? AND state IN ('pending', 'waiting') AND due > ?"
Row = tuple[str, str, str, int, bytes, int, int, int]


def is_mending_due(db: sqlite3.Connection, now: int, leases: int) -> bool:
    """Whether a lease has ended, or a delivery is due later than any may be."""
    return any(db.execute(_LAPSED, (one.name, leases)).fetchone()
               or db.execute(f"SELECT 1 FROM deliveries WHERE {_AHEAD} LIMIT 1", (one.name, now + AHEAD_MAX_US)).fetchone()
               for one in every_target(db))


def open_targets(db: sqlite3.Connection, now: int, leases: int, limits: Limits, alone: bool = False) -> list[Standing]:
    """Those targets that something is due for (`alone`: a suspect) and that may be called now. `leases`: the time (µs) by
    which leases go."""
    found = []
    for target in every_target(db):
        if target.state != "active" or not db.execute(_ANY[alone], (target.name, now)).fetchone():
            continue
        (in_flight,) = db.execute("SELECT count(DISTINCT lease) FROM deliveries WHERE state = 'leased' AND target = ? AND due > ?",
                                  (target.name, leases)).fetchone()
        admission = limits.admit(target, in_flight, now)
        if admission.calls > 0:
            found.append(Standing(target, in_flight, admission))
    return found


def claim(db: sqlite3.Connection, n: int, leases: int, lease: int, owner: str, now: int, limits: Limits,
          alone: bool = False) -> list[Claimed]:
    """Lease the deliveries of at most n calls for `lease` µs from `leases` (the time by which leases go) on; `alone`: those of
    no call but one, that of a suspect. `now`: the wall clock, by which they are due."""
    _find_lost(db, now, leases, limits)
    holders = [one for (one,) in db.execute(f"SELECT owner FROM deliveries {_LOST} WHERE {_SUSPECT} AND state = 'leased'")]
    if held_back(alone, owner, holders, alone and _has_in_flight(db, owner)):
        return []
    n = min(n, 1) if alone else n
    waiting: dict[str, list[list[Row]]] = {}
    standing: dict[str, Standing] = {}
    for one in open_targets(db, now, leases, limits, alone):
        name, admission = one.target.name, one.admission
        rows = db.execute(_DUE[alone], (name, now, min(admission.calls, n) * admission.batch)).fetchall()
        if found := calls(rows, admission.batch, lambda row: row[7]):
            waiting[name], standing[name] = found[:admission.calls], one
    claimed: list[Claimed] = []
    for name, count in shares(n, standing, waiting).items():
        target, health = standing[name].target, standing[name].admission.health
        for call in waiting[name][:count]:
            token = secrets.token_hex(8)
            claimed += [one for row in call if (one := _lease(db, name, row, token, owner, leases + lease)) is not None]
        tokens = None if health.tokens is None else health.tokens - count
        put_standing(db, replace(target, health=msgspec.structs.replace(health, served_at=now, tokens=tokens)))
    return claimed


def _has_in_flight(db: sqlite3.Connection, owner: str) -> bool:
    return db.execute("SELECT 1 FROM deliveries WHERE state = 'leased' AND owner = ? LIMIT 1", (owner,)).fetchone() is not None


def _lease(db: sqlite3.Connection, target: str, row: Row, lease: str, owner: str, until: int) -> Claimed | None:
    key, event, event_id, revision, payload, attempts, unclear, _ = row
    told = as_target_knows(db, target, event, event_id, revision, bytes(payload))
    if told is None:
        db.execute(f"""UPDATE deliveries SET state = 'cancelled', due = NULL, why = ?
                       WHERE target = ? AND event_id = ? AND revision <= ? AND state IN {UNSENT}""",
                   ("taken back before the target ever got it", target, event_id, revision))
        return None
    db.execute("UPDATE deliveries SET state = 'leased', lease = ?, owner = ?, due = ?, tried = 1, released = 0 WHERE id = ?",
               (lease, owner, until, key))
    return Claimed(key, target, told[0], event_id, revision, told[1], attempts, bool(unclear), lease, until)


def _find_lost(db: sqlite3.Connection, now: int, leases: int, limits: Limits) -> None:
    """What becomes of those whose lease ended without an outcome, whether they arrived is not known; and of those that a
    clock that was wrong has put off."""
    for target in every_target(db):
        db.execute(f"UPDATE deliveries SET due = ? WHERE {_AHEAD}", (now, target.name, now + AHEAD_MAX_US))
        for key, lost, owner, until, attempts in db.execute(
                "SELECT id, lost, owner, due, attempts FROM deliveries WHERE target = ? AND state = 'leased' AND due <= ?",
                (target.name, leases)).fetchall():
            loss = after_loss(lost, owner, until, now, limits.lone_waits)
            db.execute("""UPDATE deliveries SET state = ?, lost = ?, due = ?, why = ?, lease = '', owner = '', unclear = 1, released = 0
                          WHERE id = ?""", (loss.state, loss.lost, loss.due, loss.why, key))
            if loss.noted:
                db.execute("INSERT INTO attempts VALUES (?, ?, ?, ?, ?, NULL, 0, '')", (key, now, loss.state, attempts, loss.why))
                log.warning("delivery %s is %s: %s", key, "dead" if loss.state == "dead" else "a suspect", loss.why)


def as_target_knows(
    db: sqlite3.Connection, target: str, event: str, event_id: str, revision: int, payload: bytes
) -> tuple[str, bytes] | None:
    """`as_told` of what this target got and may have got."""
    got, tried = db.execute("""SELECT coalesce(sum(state = 'delivered'), 0), coalesce(sum(tried), 0) FROM deliveries
                               WHERE target = ? AND event_id = ? AND revision < ?""", (target, event_id, revision)).fetchone()
    return as_told(event, payload, got=bool(got), tried=bool(tried))


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
        for target, said in judged(every_target(db), written, limits):
            put_standing(db, target)
            if said:
                log.warning("%s", said)
    return len(written)


def _released(db: sqlite3.Connection, one: Attempt) -> bool:
    return db.execute("SELECT 1 FROM deliveries WHERE id = ? AND released = 1", (one.id,)).fetchone() is not None
