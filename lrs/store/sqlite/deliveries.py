"""Deliveries in work.db: owed once per (target, achievement, revision), claimed by lease, in order per achievement."""
from __future__ import annotations

import json
import secrets
import sqlite3
import uuid
from collections.abc import Sequence

from lrs.store.protocols.work import Attempt, Claimed, DeliveryRow, Published, Wanted
from lrs.store.sqlite.database import Database

SCRIPTS = (
    """CREATE TABLE deliveries (id TEXT PRIMARY KEY, target TEXT NOT NULL, event TEXT NOT NULL, event_id TEXT NOT NULL,
         revision INTEGER NOT NULL,
         payload BLOB NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, due INTEGER, lease TEXT NOT NULL DEFAULT '',
         owner TEXT NOT NULL DEFAULT '', unclear INTEGER NOT NULL DEFAULT 0, tried INTEGER NOT NULL DEFAULT 0, why TEXT NOT NULL DEFAULT '',
         created INTEGER NOT NULL, UNIQUE (target, event_id, revision));
       CREATE INDEX deliveries_due ON deliveries (due) WHERE due IS NOT NULL;
       CREATE INDEX deliveries_event ON deliveries (event_id);
       CREATE INDEX deliveries_created ON deliveries (created);
       CREATE TABLE attempts (delivery TEXT NOT NULL, at INTEGER NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL,
         why TEXT NOT NULL, status INTEGER, milliseconds REAL NOT NULL, body TEXT NOT NULL);
       CREATE INDEX attempts_of ON attempts (delivery, at)""",
    "CREATE INDEX deliveries_parked ON deliveries (id) WHERE state = 'parked'",
)
NAMESPACE = uuid.UUID("b4c1f6de-8a0e-5d52-9c33-1f0c7d2f9a10")
UNSENT = "('pending', 'waiting', 'parked')"
BLOCKING = "('pending', 'leased', 'waiting', 'parked')"
FINISHED = "('delivered', 'dead', 'cancelled')"
ROW = "id, target, event, event_id, revision, state, attempts, due, why, created"


def webhook_id(target: str, event_id: str, revision: int) -> str:
    """The delivery's id, the same whenever it is computed."""
    return "msg_" + uuid.uuid5(NAMESPACE, f"{target}\n{event_id}\n{revision}").hex


# Answers after which it is certain that the target did not take the event: refused at the door.
_REFUSED = "(401, 403, 410, 429)"
_PAYLOAD = {"person": "$.user.externalId", "course": "$.course.id"}


def owe(db: sqlite3.Connection, target: str, event: Published, now: int) -> None:
    """Owe an event to a target; owed once however often this is called. A revoke cancels what was never tried; it is
    itself sent only if the target may have got something."""
    db.execute("""INSERT OR IGNORE INTO deliveries (id, target, event, event_id, revision, payload, state, due, created)
                  VALUES (?,?,?,?,?,?,'pending',?,?)""",
               (webhook_id(target, event.event_id, event.revision), target, event.event, event.event_id, event.revision, event.body,
                now, now))
    if event.event != "learning.revoked":
        return
    db.execute(f"""UPDATE deliveries SET state = 'cancelled', due = NULL, why = 'taken back before it was sent'
                   WHERE target = ? AND event_id = ? AND revision < ? AND tried = 0 AND state IN {UNSENT}""",
               (target, event.event_id, event.revision))
    if not db.execute("SELECT 1 FROM deliveries WHERE target = ? AND event_id = ? AND revision < ? AND (tried OR state = 'delivered')",
                      (target, event.event_id, event.revision)).fetchone():
        db.execute("""UPDATE deliveries SET state = 'cancelled', due = NULL, why = 'the target never got what this takes back'
                      WHERE target = ? AND event_id = ? AND revision = ?""", (target, event.event_id, event.revision))


def release_parked(db: sqlite3.Connection, kind: str, key: str, now: int) -> None:
    """Make parked deliveries about this person or course due: what they lacked may be there now."""
    db.execute("UPDATE deliveries SET state = 'waiting', due = ? WHERE state = 'parked' AND json_extract(CAST(payload AS TEXT), ?) = ?",
               (now, _PAYLOAD[kind], key))


def cancel_unsent(db: sqlite3.Connection, event_id: str) -> None:
    """Cancel what was not sent yet of an achievement."""
    db.execute(f"""UPDATE deliveries SET state = 'cancelled', due = NULL, why = 'the achievement was merged into another'
                   WHERE event_id = ? AND state IN {UNSENT}""", (event_id,))


class Deliveries:
    """The part of `SqliteWork` that keeps deliveries."""

    _database: Database

    def claim_due(self, n: int, lease_seconds: float, owner: str, now: int) -> list[Claimed]:
        """At most n that are due, leased in one commit. Only the earliest unfinished revision of an achievement and
        target is due; targets that are not active have none. An expired lease makes an unclear attempt."""
        until = now + round(lease_seconds * 1_000_000)
        claimed = []
        with self._database.read() as db:
            if db.execute("SELECT 1 FROM deliveries WHERE due <= ? LIMIT 1", (now,)).fetchone() is None:
                return []
        with self._database.write() as db:
            rows = db.execute(
                f"""SELECT d.id, d.target, d.event, d.event_id, d.revision, d.payload, d.attempts, d.unclear, d.state FROM deliveries d
                    JOIN targets t ON t.name = d.target AND t.state = 'active'
                    WHERE d.due <= ? AND NOT EXISTS (SELECT 1 FROM deliveries e WHERE e.event_id = d.event_id AND e.target = d.target
                      AND e.revision < d.revision AND e.state IN {BLOCKING}) ORDER BY d.due LIMIT ?""", (now, n)).fetchall()
            for key, target, event, event_id, revision, payload, attempts, unclear, state in rows:
                told = self._as_target_knows(db, target, event, event_id, revision, bytes(payload))
                if told is None:
                    db.execute(f"""UPDATE deliveries SET state = 'cancelled', due = NULL, why = ?
                                   WHERE target = ? AND event_id = ? AND revision <= ? AND state IN {UNSENT}""",
                               ("taken back before the target ever got it", target, event_id, revision))
                    continue
                lease = secrets.token_hex(8)
                unclear = bool(unclear) or state == "leased"
                db.execute("UPDATE deliveries SET state = 'leased', lease = ?, owner = ?, due = ?, unclear = ?, tried = 1 WHERE id = ?",
                           (lease, owner, until, unclear, key))
                claimed.append(Claimed(key, target, told[0], event_id, revision, told[1], attempts, unclear, lease, until))
        return claimed

    @staticmethod
    def _as_target_knows(
        db: sqlite3.Connection, target: str, event: str, event_id: str, revision: int, payload: bytes
    ) -> tuple[str, bytes] | None:
        """Event and payload as this target must hear them: an update of what it never got is a completion, a revoke
        of what it never got is nothing (None)."""
        got, tried = db.execute("""SELECT coalesce(sum(state = 'delivered'), 0), coalesce(sum(tried), 0) FROM deliveries
                                   WHERE target = ? AND event_id = ? AND revision < ?""", (target, event_id, revision)).fetchone()
        if event == "learning.revoked" and not got and not tried:
            return None
        if event == "learning.updated" and not got:
            said = {**json.loads(payload), "event": "learning.completed"}
            return "learning.completed", json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()
        return event, payload

    def record(self, attempts: Sequence[Attempt]) -> int:
        """Write how attempts ended, in one commit; a stale lease changes nothing."""
        written = 0
        with self._database.write() as db:
            for one in attempts:
                changed = db.execute(
                    """UPDATE deliveries SET state = ?, attempts = ?, due = ?, why = ?, lease = '', owner = '', unclear = ?
                       WHERE id = ? AND lease = ? AND state = 'leased'""",
                    (one.state, one.attempts, one.due if one.state == "waiting" else None, one.why, one.unclear,
                     one.id, one.lease)).rowcount
                written += changed
                if changed:
                    db.execute("INSERT INTO attempts VALUES (?,?,?,?,?,?,?,?)",
                               (one.id, one.at, one.state, one.attempts, one.why, one.status, one.milliseconds, one.body[:2048]))
                    if one.target_state:
                        db.execute("UPDATE targets SET state = ?, why = ? WHERE name = (SELECT target FROM deliveries WHERE id = ?)",
                                   (one.target_state, one.why, one.id))
                    db.execute(f"""UPDATE deliveries SET tried = unclear OR EXISTS (SELECT 1 FROM attempts WHERE delivery = ?
                                     AND state NOT IN ('parked', 'cancelled') AND coalesce(status, 0) NOT IN {_REFUSED}) WHERE id = ?""",
                               (one.id, one.id))
        return written

    def give_back(self, claimed: Sequence[Claimed], now: int) -> None:
        """Return claims on which nothing was sent, due at once."""
        with self._database.write() as db:
            for one in claimed:
                db.execute("""UPDATE deliveries SET state = 'waiting', due = ?, lease = '', unclear = ? WHERE id = ? AND lease = ?
                                AND state = 'leased'""", (now, one.unclear, one.id, one.lease))

    def expire_leases(self, targets: Sequence[str], owner: str, now: int) -> int:
        """Make leases of other owners due at once, as unclear attempts: for the only worker, at its start, and for
        targets that drop a repeated webhook-id."""
        with self._database.write() as db:
            return sum(db.execute("UPDATE deliveries SET due = ?, unclear = 1 WHERE state = 'leased' AND target = ? AND owner <> ?",
                                  (now, target, owner)).rowcount for target in targets)

    def release(self, wanted: Wanted, *, now: int) -> int:
        """Make parked deliveries due again."""
        where, values = _where(wanted)
        with self._database.write() as db:
            return db.execute(f"UPDATE deliveries SET state = 'waiting', due = ? WHERE state = 'parked' AND {where}",
                              (now, *values)).rowcount

    def replay(self, wanted: Wanted, *, now: int, dry: bool) -> int:
        """Make finished deliveries due again under the same id, with a fresh schedule; `dry` only counts them.

        Cancelled ones only where named by id or state. What was delivered comes back as unclear: a target that does
        not drop a repeated id is asked whether it still has it.
        """
        where, values = _where(wanted)
        if not wanted.ids and not wanted.state:
            where += " AND state <> 'cancelled'"
        if dry:
            with self._database.read() as db:
                return int(db.execute(f"SELECT count(*) FROM deliveries WHERE state IN {FINISHED} AND {where}", values).fetchone()[0])
        with self._database.write() as db:
            return db.execute(
                f"""UPDATE deliveries SET unclear = (state = 'delivered'), state = 'pending', attempts = 0, due = ?, why = 'replayed'
                    WHERE state IN {FINISHED} AND {where}""", (now, *values)).rowcount

    def deliveries(self, wanted: Wanted, limit: int = 100) -> list[DeliveryRow]:
        """The newest first."""
        where, values = _where(wanted)
        with self._database.read() as db:
            return [DeliveryRow(*row) for row in
                    db.execute(f"SELECT {ROW} FROM deliveries WHERE {where} ORDER BY created DESC, id LIMIT ?", (*values, limit))]

    def payload(self, delivery_id: str) -> bytes | None:
        """The event that a delivery carries."""
        with self._database.read() as db:
            row = db.execute("SELECT payload FROM deliveries WHERE id = ?", (delivery_id,)).fetchone()
        return bytes(row[0]) if row else None

    def attempts(self, delivery_id: str) -> list[Attempt]:
        """Every attempt of a delivery, oldest first."""
        with self._database.read() as db:
            return [Attempt(key, "", at, state, used, None, why, status, ms, body) for key, at, state, used, why, status, ms, body in
                    db.execute("SELECT * FROM attempts WHERE delivery = ? ORDER BY at, rowid", (delivery_id,))]

    def count_by_state(self) -> dict[str, int]:
        """How many deliveries are in each state."""
        with self._database.read() as db:
            return dict(db.execute("SELECT state, count(*) FROM deliveries GROUP BY state").fetchall())


def _where(wanted: Wanted) -> tuple[str, list[object]]:
    conditions: list[str] = ["1"]
    values: list[object] = []
    if wanted.ids:
        conditions.append(f"id IN ({','.join('?' * len(wanted.ids))})")
        values += wanted.ids
    for text, value in (("target = ?", wanted.target or None), ("state = ?", wanted.state or None),
                        ("created >= ?", wanted.since), ("created < ?", wanted.until)):
        if value is not None:
            conditions.append(text)
            values.append(value)
    return " AND ".join(conditions), values
