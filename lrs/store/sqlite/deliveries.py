"""Deliveries in work.db: created once, claimed by one worker at a time, recorded by lease token."""
from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Collection, Sequence
from itertools import chain, zip_longest

from lrs.completions.events import COMPLETED, REVOKED, UPDATED
from lrs.completions.model import Publication
from lrs.store.protocols.deliveries import OPEN, Attempt, Claimed, Counts, DeliveryRow, Result, Selection
from lrs.store.sqlite.database import Database

SCRIPTS = (
    """CREATE TABLE deliveries (n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, target TEXT NOT NULL, event TEXT NOT NULL,
         event_id TEXT NOT NULL, revision INTEGER NOT NULL, subject TEXT NOT NULL, course TEXT NOT NULL, state TEXT NOT NULL,
         attempts INTEGER NOT NULL DEFAULT 0, due INTEGER NOT NULL, lease TEXT NOT NULL DEFAULT '', owner TEXT NOT NULL DEFAULT '',
         unclear INTEGER NOT NULL DEFAULT 0, why TEXT NOT NULL DEFAULT '', remote_id TEXT NOT NULL DEFAULT '',
         created INTEGER NOT NULL, changed INTEGER NOT NULL, UNIQUE (target, event_id, revision));
       CREATE INDEX deliveries_due ON deliveries (target, due) WHERE state IN ('pending', 'waiting', 'leased');
       CREATE INDEX deliveries_parked ON deliveries (subject, course) WHERE state = 'parked';
       CREATE INDEX deliveries_state ON deliveries (state, target, n);
       CREATE TABLE attempts (n INTEGER PRIMARY KEY, delivery TEXT NOT NULL, at INTEGER NOT NULL, state TEXT NOT NULL,
         status INTEGER, milliseconds REAL NOT NULL, why TEXT NOT NULL, body TEXT NOT NULL);
       CREATE INDEX attempts_of ON attempts (delivery, n);""",
)

BODY_MAX = 2_000
"""Bytes of an answer that are kept."""

_WEBHOOK_IDS = uuid.UUID("5b1f0f6e-0d0c-5d2c-9d38-6b1d2f3e7a41")
_OPEN = ", ".join(f"'{state}'" for state in OPEN)
_ROW = ("id, target, event, event_id, revision, subject, course, state, attempts, due, why, remote_id, unclear, created, changed")

# What could start now: due, and no earlier revision of the same achievement still open at the same target.
_DUE = f"""SELECT n, event, event_id, revision, state, attempts, unclear FROM deliveries d
           WHERE target = ? AND state IN ('pending', 'waiting', 'leased') AND due <= ?
             AND NOT EXISTS (SELECT 1 FROM deliveries p WHERE p.target = d.target AND p.event_id = d.event_id
                             AND p.revision < d.revision AND p.state IN ({_OPEN}))
           ORDER BY due, n LIMIT ?"""


def webhook_id(target: str, event_id: str, revision: int) -> str:
    """The webhook-id of an event at a target: the same whoever computes it, whenever."""
    return f"msg_{uuid.uuid5(_WEBHOOK_IDS, json.dumps([target, event_id, revision])).hex}"


class SqliteDeliveries:
    """`lrs.store.protocols.deliveries.Deliveries` on SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim_due(
        self, n: int, lease_seconds: float, owner: str, now_us: int, targets: Collection[str] | None = None
    ) -> list[Claimed]:
        """Lease at most n due deliveries of active targets, in turn by target; one commit."""
        until = now_us + round(lease_seconds * 1_000_000)
        # Most rounds find nothing: look in a snapshot first, so that an idle worker takes no lock.
        with self._database.read() as db:
            if not _due(db, 1, now_us, targets):
                return []
        claimed = []
        with self._database.write() as db:
            for row, target in _due(db, n, now_us, targets):
                number, event, event_id, revision, state, attempts, unclear = row
                said = _said(db, target, event, event_id, revision)
                if not said:
                    _cancel(db, number, "the target never got what this takes back", now_us)
                    continue
                lease = uuid.uuid4().hex
                unclear = bool(unclear) or state == "leased"
                db.execute(
                    "UPDATE deliveries SET state = 'leased', event = ?, due = ?, lease = ?, owner = ?, unclear = ?, changed = ? WHERE n = ?",
                    (said, until, lease, owner, unclear, now_us, number),
                )
                payload = {**_payload(db, event_id, revision), "event": said}
                identity = webhook_id(target, event_id, revision)
                claimed.append(Claimed(identity, target, said, event_id, revision, payload, attempts, unclear, lease, until))
        return claimed

    def record(self, results: Sequence[Result], now_us: int) -> int:
        """Write outcomes in one commit; how many counted. A stale lease token changes nothing."""
        if not results:
            return 0
        counted = 0
        with self._database.write() as db:
            for r in results:
                lease = "" if r.state != "leased" else r.lease
                done = db.execute(
                    """UPDATE deliveries SET state = ?, attempts = ?, due = ?, why = ?, remote_id = CASE WHEN ? = '' THEN remote_id ELSE ? END,
                         unclear = ?, lease = ?, owner = '', changed = ? WHERE id = ? AND lease = ? AND state = 'leased'""",
                    (r.state, r.attempts, now_us if r.due is None else r.due, r.why, r.remote_id, r.remote_id, r.unclear, lease,
                     now_us, r.id, r.lease),
                )
                if not done.rowcount:
                    continue
                counted += 1
                db.execute(
                    "INSERT INTO attempts (delivery, at, state, status, milliseconds, why, body) VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (r.id, now_us, r.state, r.status, r.milliseconds, r.why, r.body.encode()[:BODY_MAX].decode(errors="ignore")),
                )
                if r.target_state:
                    db.execute(
                        "UPDATE targets SET state = ?, why = ? WHERE state != 'disabled' AND name = (SELECT target FROM deliveries WHERE id = ?)",
                        (r.target_state, r.why, r.id),
                    )
        return counted

    def release_owner(self, owner: str, now_us: int) -> int:
        """Mark what a worker that is gone still holds as unclear; it is claimed again when its lease ends."""
        with self._database.write() as db:
            return db.execute("UPDATE deliveries SET unclear = 1, changed = ? WHERE state = 'leased' AND owner = ?", (now_us, owner)).rowcount

    def deliveries(self, selection: Selection, limit: int = 100) -> list[DeliveryRow]:
        """The newest that match."""
        where, values = _where(selection)
        with self._database.read() as db:
            rows = db.execute(f"SELECT {_ROW} FROM deliveries WHERE {where} ORDER BY n DESC LIMIT ?", (*values, limit)).fetchall()
        return [_row(row) for row in rows]

    def delivery(self, delivery_id: str) -> DeliveryRow | None:
        """The one with this id."""
        return next(iter(self.deliveries(Selection(ids=(delivery_id,)), 1)), None)

    def attempts(self, delivery_id: str) -> list[Attempt]:
        """Its tries, in order."""
        with self._database.read() as db:
            rows = db.execute("SELECT at, state, status, milliseconds, why, body FROM attempts WHERE delivery = ? ORDER BY n", (delivery_id,))
            return [Attempt(*row) for row in rows]

    def replay(self, selection: Selection, now_us: int, *, dry: bool = False) -> int:
        """Send again, under the same id, those that match; or only count them."""
        where, values = _where(selection)
        where += " AND state NOT IN ('leased', 'cancelled')"
        if not selection.ids and not selection.states:
            where += " AND state IN ('delivered', 'dead')"
        if dry:
            with self._database.read() as db:
                return int(db.execute(f"SELECT count(*) FROM deliveries WHERE {where}", values).fetchone()[0])
        return self._make_due(where, values, now_us)

    def release(self, selection: Selection, now_us: int) -> int:
        """Make parked ones that match due now."""
        where, values = _where(selection)
        return self._make_due(f"{where} AND state = 'parked'", values, now_us)

    def counts(self) -> Counts:
        """What `lrs status` shows."""
        with self._database.read() as db:
            states = dict(db.execute("SELECT state, count(*) FROM deliveries GROUP BY state").fetchall())
            by_target = {(t, s): c for t, s, c in db.execute("SELECT target, state, count(*) FROM deliveries GROUP BY target, state")}
            feed = db.execute("SELECT coalesce(max(n), 0) FROM feed").fetchone()[0]
            parked = db.execute("SELECT count(DISTINCT subject) FROM held").fetchone()[0]
            oldest = db.execute("SELECT min(due) FROM deliveries WHERE state IN ('pending', 'waiting', 'leased')").fetchone()[0]
        return Counts(states, by_target, feed, parked, oldest)

    def _make_due(self, where: str, values: Sequence[object], now_us: int) -> int:
        with self._database.write() as db:
            return db.execute(
                f"UPDATE deliveries SET state = 'pending', attempts = 0, due = ?, why = '', lease = '', owner = '', changed = ? WHERE {where}",
                (now_us, now_us, *values),
            ).rowcount


def create(db: sqlite3.Connection, publication: Publication, target: str, now_us: int) -> tuple[int, int]:
    """Owe the event to the target, inside the caller's write; how many were made and how many unsent ones cancelled.

    A revoke cancels what was not sent. What may have arrived is not cancelled: the revoke then follows it.
    """
    cancelled, state, why = 0, "pending", ""
    if publication.event == REVOKED:
        cancelled = db.execute(
            """UPDATE deliveries SET state = 'cancelled', why = 'taken back before it was sent', changed = ?
               WHERE target = ? AND event_id = ? AND revision < ? AND state IN ('pending', 'waiting', 'parked') AND NOT unclear""",
            (now_us, target, publication.id, publication.revision),
        ).rowcount
        if not _may_know(db, target, publication.id, publication.revision):
            state, why = "cancelled", "the target never got what this takes back"
    made = db.execute(
        """INSERT INTO deliveries (id, target, event, event_id, revision, subject, course, state, due, why, created, changed)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (target, event_id, revision) DO NOTHING""",
        (webhook_id(target, publication.id, publication.revision), target, publication.event, publication.id, publication.revision,
         publication.subject, publication.course, state, now_us, why, now_us, now_us),
    ).rowcount
    return (made if state == "pending" else 0), cancelled


def cancel_parked(db: sqlite3.Connection, event_ids: Collection[str], now_us: int) -> int:
    """End parked deliveries of these events, inside the caller's write."""
    return sum(
        db.execute("UPDATE deliveries SET state = 'cancelled', why = 'another achievement took its place', changed = ? "
                   "WHERE event_id = ? AND state = 'parked'", (now_us, event_id)).rowcount
        for event_id in event_ids
    )


def release_parked(db: sqlite3.Connection, column: str, keys: Collection[str], now_us: int) -> None:
    """Make parked deliveries of these subjects or courses due, inside the caller's write."""
    for key in keys:
        db.execute(f"UPDATE deliveries SET state = 'pending', due = ?, why = '', changed = ? WHERE state = 'parked' AND {column} = ?",
                   (now_us, now_us, key))


def _due(db: sqlite3.Connection, n: int, now_us: int, targets: Collection[str] | None) -> list[tuple[tuple, str]]:
    """(row, target) of what could start, one of each target in turn: a busy target does not starve the others."""
    active = [name for (name,) in db.execute("SELECT name FROM targets WHERE state = 'active' ORDER BY name")]
    chosen = [name for name in active if targets is None or name in targets]
    columns = [[(row, name) for row in db.execute(_DUE, (name, now_us, n)).fetchall()] for name in chosen]
    return [found for found in chain.from_iterable(zip_longest(*columns)) if found is not None][:n]


def _said(db: sqlite3.Connection, target: str, event: str, event_id: str, revision: int) -> str:
    """The event to say to this target now, given what it got: an update of what it never got is a completion to it,
    a revoke of that is nothing ('')."""
    if event == REVOKED:
        return event if _may_know(db, target, event_id, revision) else ""
    if event != UPDATED:
        return event
    last = db.execute(
        "SELECT event FROM deliveries WHERE target = ? AND event_id = ? AND revision < ? AND state = 'delivered' ORDER BY revision DESC LIMIT 1",
        (target, event_id, revision),
    ).fetchone()
    return event if last and last[0] != REVOKED else COMPLETED


def _may_know(db: sqlite3.Connection, target: str, event_id: str, revision: int) -> bool:
    return db.execute(
        "SELECT 1 FROM deliveries WHERE target = ? AND event_id = ? AND revision < ? AND event != ? "
        "AND (state IN ('delivered', 'leased') OR unclear) LIMIT 1",
        (target, event_id, revision, REVOKED),
    ).fetchone() is not None


def _cancel(db: sqlite3.Connection, number: int, why: str, now_us: int) -> None:
    db.execute("UPDATE deliveries SET state = 'cancelled', why = ?, lease = '', owner = '', changed = ? WHERE n = ?", (why, now_us, number))


def _payload(db: sqlite3.Connection, event_id: str, revision: int) -> dict[str, object]:
    found = db.execute("SELECT body FROM feed WHERE event_id = ? AND revision = ?", (event_id, revision)).fetchone()
    payload: dict[str, object] = json.loads(found[0])
    return payload


def _where(selection: Selection) -> tuple[str, list[object]]:
    parts, values = ["1"], []
    for column, found in (("id", selection.ids), ("state", selection.states)):
        if found:
            parts.append(f"{column} IN ({', '.join('?' * len(found))})")
            values += found
    for condition, value in (
        ("target = ?", selection.target or None),
        ("event_id = ?", selection.event_id or None),
        ("created >= ?", selection.since),
        ("created < ?", selection.until),
    ):
        if value is not None:
            parts.append(condition)
            values.append(value)
    return " AND ".join(parts), values


def _row(row: tuple) -> DeliveryRow:
    *head, unclear, created, changed = row
    return DeliveryRow(*head, bool(unclear), created, changed)
