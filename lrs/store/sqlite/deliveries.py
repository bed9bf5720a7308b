"""Deliveries in work.db: owed once per (target, achievement, revision), claimed by lease, in order per achievement."""
from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from lrs.store.protocols.work import (
    Attempt,
    Claimed,
    DeliveryRow,
    Limits,
    Published,
    Unlimited,
    Wanted,
)
from lrs.store.sqlite import claims
from lrs.store.sqlite.claims import UNSENT
from lrs.store.sqlite.clock import Clock
from lrs.store.sqlite.database import Database
from lrs.store.webhook_ids import webhook_id

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
    """ALTER TABLE deliveries ADD COLUMN lost INTEGER NOT NULL DEFAULT 0;
       DROP INDEX deliveries_due;
       DROP INDEX deliveries_created;
       CREATE INDEX deliveries_target_due ON deliveries (target, due) WHERE due IS NOT NULL;
       CREATE INDEX deliveries_leased ON deliveries (target, due) WHERE state = 'leased';
       CREATE INDEX deliveries_lost ON deliveries (lost) WHERE lost > 0;
       CREATE INDEX deliveries_newest ON deliveries (created, id)""",
    "ALTER TABLE deliveries ADD COLUMN released INTEGER NOT NULL DEFAULT 0",
)
UNLIMITED = Unlimited()
FOR_EVER = 1 << 62
FINISHED = "('delivered', 'dead', 'cancelled')"
MAY_HAVE_ARRIVED = """EXISTS (SELECT 1 FROM attempts WHERE delivery = deliveries.id AND attempts.state NOT IN ('parked', 'cancelled')
  AND (status IS NULL OR status NOT BETWEEN 400 AND 499))"""
ROW = "id, target, event, event_id, revision, state, attempts, due, why, created"


_PAYLOAD = {"person": "$.user.externalId", "course": "$.course.id"}


def owe(db: sqlite3.Connection, target: str, event: Published, now: int) -> None:
    """Owe an event to a target; owed once however often this is called, and not to one that is gone. A revoke cancels what was
    never tried; it is itself sent only if the target may have got something."""
    db.execute("""INSERT OR IGNORE INTO deliveries (id, target, event, event_id, revision, payload, state, due, created)
                  SELECT ?,?,?,?,?,?,'pending',?,? WHERE EXISTS (SELECT 1 FROM targets WHERE name = ?)""",
               (webhook_id(target, event.event_id, event.revision), target, event.event, event.event_id, event.revision, event.body,
                now, now, target))
    if not event.event.endswith(".revoked"):
        return
    db.execute(f"""UPDATE deliveries SET state = 'cancelled', due = NULL, why = 'taken back before it was sent'
                   WHERE target = ? AND event_id = ? AND revision < ? AND tried = 0 AND state IN {UNSENT}""",
               (target, event.event_id, event.revision))
    if not db.execute("SELECT 1 FROM deliveries WHERE target = ? AND event_id = ? AND revision < ? AND (tried OR state = 'delivered')",
                      (target, event.event_id, event.revision)).fetchone():
        db.execute("""UPDATE deliveries SET state = 'cancelled', due = NULL, why = 'the target never got what this takes back'
                      WHERE target = ? AND event_id = ? AND revision = ?""", (target, event.event_id, event.revision))


def release_parked(db: sqlite3.Connection, kind: str, key: str, now: int) -> None:
    """Make parked deliveries about this person or course due: what they lacked may be there now. One that is under way
    may have been made with what was known before: if it ends parked, it is due at once."""
    db.execute("UPDATE deliveries SET released = 1 WHERE state = 'leased' AND json_extract(CAST(payload AS TEXT), ?) = ?",
               (_PAYLOAD[kind], key))
    db.execute("UPDATE deliveries SET state = 'waiting', due = ? WHERE state = 'parked' AND json_extract(CAST(payload AS TEXT), ?) = ?",
               (now, _PAYLOAD[kind], key))


def cancel_unsent(db: sqlite3.Connection, event_id: str) -> None:
    """Cancel what was not sent yet of an achievement; its revoke goes on, to those who were told of it."""
    db.execute(f"""UPDATE deliveries SET state = 'cancelled', due = NULL, why = 'the achievement was merged into another'
                   WHERE event_id = ? AND state IN {UNSENT} AND event NOT LIKE '%.revoked'""", (event_id,))


class Deliveries:
    """The part of `SqliteWork` that keeps deliveries."""

    _database: Database
    _leases: Clock

    def claim_due(self, n: int, lease_seconds: float, owner: str, now: int, limits: Limits = UNLIMITED,
                  ended: Sequence[Attempt] = (), alone: bool = False) -> list[Claimed]:
        """The deliveries of at most n calls that are due, leased in one commit that also records what `ended`. Only
        the earliest unfinished revision of an achievement and target is due; an expired lease makes an unclear attempt.
        Suspects are claimed `alone`: one, by who has nothing else in flight."""
        if not ended:
            with self._database.read() as db:
                leases = self._leases.peek(db)
                # a clock that must be written down first is needed only where there are leases
                if not (claims.is_mending_due(db, now, FOR_EVER if leases is None else leases)
                        or claims.open_targets(db, now, leases or 0, limits, alone)):
                    return []
        with self._database.write() as db:
            claims.record(db, ended, limits)
            return claims.claim(db, n, self._leases.advance(db), round(lease_seconds * 1_000_000), owner, now, limits, alone)

    def is_suspect_due(self, now: int, limits: Limits = UNLIMITED) -> bool:
        """Whether a claim `alone` may find something now; a look that writes nothing."""
        with self._database.read() as db:
            return bool(claims.open_targets(db, now, self._leases.peek(db) or 0, limits, alone=True))

    def record(self, attempts: Sequence[Attempt], limits: Limits = UNLIMITED) -> int:
        """Write how attempts ended, in one commit; a stale lease changes nothing."""
        with self._database.write() as db:
            return claims.record(db, attempts, limits)

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
            at = self._leases.advance(db)
            return sum(db.execute("UPDATE deliveries SET due = ?, unclear = 1 WHERE state = 'leased' AND target = ? AND owner <> ?",
                                  (at, target, owner)).rowcount for target in targets)

    def release(self, wanted: Wanted, *, now: int) -> int:
        """Make parked deliveries due again."""
        where, values = _where(wanted)
        with self._database.write() as db:
            return db.execute(f"UPDATE deliveries SET state = 'waiting', due = ? WHERE state = 'parked' AND {where}",
                              (now, *values)).rowcount

    def cancel(self, wanted: Wanted, *, why: str, dry: bool) -> int:
        """Cancel what is not being sent at this moment and not finished; `dry` only counts them."""
        where, values = _where(wanted)
        if dry:
            with self._database.read() as db:
                return int(db.execute(f"SELECT count(*) FROM deliveries WHERE state IN {UNSENT} AND {where}", values).fetchone()[0])
        with self._database.write() as db:
            return db.execute(f"UPDATE deliveries SET state = 'cancelled', due = NULL, why = ? WHERE state IN {UNSENT} AND {where}",
                              (why, *values)).rowcount

    def replay(self, wanted: Wanted, *, now: int, dry: bool) -> int:
        """Make finished deliveries due again under the same id, with a fresh schedule; `dry` only counts them.

        Cancelled ones only where named by id or state. What was delivered, or may have arrived, comes back as unclear: a
        target that does not drop a repeated id is asked whether it has it. Later revisions that were delivered follow again, so
        that the target ends at the newest; a revoke of what the target never got is not replayed, nor anything to one that is gone.
        """
        where, values = _where(wanted)
        if not wanted.ids and not wanted.state:
            where += " AND state <> 'cancelled'"
        where += " AND target IN (SELECT name FROM targets)"
        with self._database.read() as db:  # the search may read every row: not under the lock of the writers
            ids = _replayed(db, where, values)
        if dry or not ids:
            return len(ids)
        with self._database.write() as db:
            return db.executemany(
                f"""UPDATE deliveries SET unclear = (state = 'delivered' OR unclear OR {MAY_HAVE_ARRIVED}), state = 'pending',
                      attempts = 0, lost = 0, due = ?, why = 'replayed'
                    WHERE id = ? AND state IN {FINISHED}""", [(now, key) for key in ids]).rowcount

    def deliveries(self, wanted: Wanted, limit: int = 100, before: tuple[int, str] | None = None) -> list[DeliveryRow]:
        """The newest first, by (created, id); only those before the given (created, id)."""
        where, values = _where(wanted)
        if before is not None:
            where, values = f"{where} AND (created, id) < (?, ?)", [*values, *before]
        with self._database.read() as db:
            return [DeliveryRow(*row) for row in
                    db.execute(f"SELECT {ROW} FROM deliveries WHERE {where} ORDER BY created DESC, id DESC LIMIT ?", (*values, limit))]

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

    def oldest_due(self, target: str, now: int) -> int | None:
        """When the longest due delivery of this target became due, µs; None where none is due."""
        with self._database.read() as db:
            row = db.execute("SELECT due FROM deliveries WHERE target = ? AND due IS NOT NULL AND due <= ? AND state <> 'leased' "
                             "ORDER BY due LIMIT 1", (target, now)).fetchone()
        return int(row[0]) if row else None

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
                        ("event = ?", wanted.event or None), ("created >= ?", wanted.since), ("created < ?", wanted.until),
                        (f"json_extract(CAST(payload AS TEXT), '{_PAYLOAD['person']}') = ?", wanted.person or None),
                        (f"json_extract(CAST(payload AS TEXT), '{_PAYLOAD['course']}') = ?", wanted.course or None)):
        if value is not None:
            conditions.append(text)
            values.append(value)
    return " AND ".join(conditions), values


def _replayed(db: sqlite3.Connection, where: str, values: list[object]) -> list[str]:
    return [row[0] for row in db.execute(f"""
        WITH chosen AS (SELECT id, target, event_id, revision FROM deliveries WHERE state IN {FINISHED} AND {where}
          AND NOT (event LIKE '%.revoked' AND NOT EXISTS (SELECT 1 FROM deliveries e WHERE e.target = deliveries.target
            AND e.event_id = deliveries.event_id AND e.revision < deliveries.revision AND (e.tried OR e.state = 'delivered'))))
        SELECT id FROM chosen UNION
        SELECT d.id FROM deliveries d JOIN chosen c ON d.target = c.target AND d.event_id = c.event_id AND d.revision > c.revision
          WHERE d.state = 'delivered'""", values)]
