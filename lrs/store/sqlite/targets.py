"""Targets in work.db: where completions go."""
from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Mapping
from typing import Any

import msgspec

from lrs.store.former import AT_ONCE, former_name
from lrs.store.protocols.work import Health, Removal, TargetRow
from lrs.store.sqlite.clock import Clock
from lrs.store.sqlite.database import Database

SCRIPTS = (
    """CREATE TABLE targets (name TEXT PRIMARY KEY, connector TEXT NOT NULL, settings TEXT NOT NULL, state TEXT NOT NULL, why TEXT NOT NULL)
         WITHOUT ROWID""",
    "ALTER TABLE targets ADD COLUMN health TEXT NOT NULL DEFAULT '{}'",
)
COLUMNS = "name, connector, settings, state, why, health"


class Targets:
    """The part of `SqliteWork` that keeps targets."""

    _database: Database
    _leases: Clock

    def add_target(self, target: TargetRow) -> bool:
        """Keep a new target; False if its name is taken. What was owed to a removed one of that name gets another."""
        former = former_name(target.name, time.time_ns() // 1000)
        while self._renamed(target.name, former):
            pass
        with self._database.write() as db:
            return db.execute("INSERT OR IGNORE INTO targets (name, connector, settings, state, why) VALUES (?, ?, ?, 'active', '')",
                              (target.name, target.connector, json.dumps(dict(target.settings)))).rowcount == 1

    def _renamed(self, name: str, former: str) -> int:
        free = "NOT EXISTS (SELECT 1 FROM targets WHERE name = deliveries.target)"
        with self._database.read() as db:
            if not db.execute(f"SELECT 1 FROM deliveries WHERE target = ? AND {free} LIMIT 1", (name,)).fetchone():
                return 0
        with self._database.write() as db:
            some = f"SELECT rowid FROM deliveries WHERE target = ? AND {free} LIMIT ?"
            return db.execute(f"UPDATE deliveries SET target = ? WHERE rowid IN ({some})", (former, name, AT_ONCE)).rowcount

    def remove_target(self, name: str, *, drop: str = "") -> Removal | None:
        """Remove a target that nothing waits for and nothing is on its way to; `drop`: cancel what waits, with this reason."""
        with self._database.write() as db:
            if not db.execute("SELECT 1 FROM targets WHERE name = ?", (name,)).fetchone():
                return None
            at = self._leases.advance(db)
            unsent = "target = ? AND (state IN ('pending', 'waiting', 'parked') OR state = 'leased' AND due <= ?)"
            leased = "SELECT count(*) FROM deliveries WHERE target = ? AND state = 'leased' AND due > ?"
            (sending,) = db.execute(leased, (name, at)).fetchone()
            (waiting,) = db.execute(f"SELECT count(*) FROM deliveries WHERE {unsent}", (name, at)).fetchone()
            if sending or (waiting and not drop):
                return Removal(False, waiting, sending)
            db.execute(f"UPDATE deliveries SET state = 'cancelled', due = NULL, lease = '', owner = '', lost = 0, why = ? WHERE {unsent}",
                       (drop, name, at))
            db.execute("DELETE FROM targets WHERE name = ?", (name,))
            return Removal(True, waiting)

    def targets(self) -> list[TargetRow]:
        """All of them, by name."""
        with self._database.read() as db:
            return every_target(db)

    def target(self, name: str) -> TargetRow | None:
        """The target of this name."""
        return next((one for one in self.targets() if one.name == name), None)

    def change_target(self, name: str, settings: Mapping[str, Any], before: Mapping[str, Any] | None = None) -> bool:
        """Replace a target's settings; its state stays. False if there is none, or if its settings are not `before` any
        more, where that is given: somebody else has changed them since they were read."""
        with self._database.write() as db:
            found = db.execute("SELECT settings FROM targets WHERE name = ?", (name,)).fetchone()
            if found is None or (before is not None and json.loads(found[0]) != dict(before)):
                return False
            return db.execute("UPDATE targets SET settings = ? WHERE name = ?", (json.dumps(dict(settings)), name)).rowcount == 1

    def set_target_state(self, name: str, state: str, why: str = "") -> bool:
        """active | paused | disabled. Making it active forgets its faults and makes what waits due at once. False if
        there is none."""
        with self._database.write() as db:
            changed = db.execute("UPDATE targets SET state = ?, why = ? WHERE name = ?", (state, why, name)).rowcount == 1
            if changed and state == "active":
                db.execute("UPDATE targets SET health = '{}' WHERE name = ?", (name,))
                db.execute("UPDATE deliveries SET due = ? WHERE target = ? AND state = 'waiting'", (time.time_ns() // 1000, name))
            return changed


def every_target(db: sqlite3.Connection) -> list[TargetRow]:
    """All targets, by name, in the caller's transaction."""
    return [TargetRow(name, connector, json.loads(settings), state, why, Health(**json.loads(health)))
            for name, connector, settings, state, why, health in db.execute(f"SELECT {COLUMNS} FROM targets ORDER BY name")]


def put_standing(db: sqlite3.Connection, target: TargetRow) -> None:
    """Write a target's state, reason and health, in the caller's transaction."""
    db.execute("UPDATE targets SET state = ?, why = ?, health = ? WHERE name = ?",
               (target.state, target.why, json.dumps(msgspec.structs.asdict(target.health)), target.name))
