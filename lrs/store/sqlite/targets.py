"""Targets in work.db: where completions go."""
from __future__ import annotations

import json
import time

from lrs.store.protocols.work import TargetRow
from lrs.store.sqlite.database import Database

SCRIPTS = (
    """CREATE TABLE targets (name TEXT PRIMARY KEY, connector TEXT NOT NULL, settings TEXT NOT NULL, state TEXT NOT NULL, why TEXT NOT NULL)
         WITHOUT ROWID""",
)


class Targets:
    """The part of `SqliteWork` that keeps targets."""

    _database: Database

    def add_target(self, target: TargetRow) -> bool:
        """Keep a new target; False if its name is taken."""
        with self._database.write() as db:
            return db.execute("INSERT OR IGNORE INTO targets VALUES (?, ?, ?, 'active', '')",
                              (target.name, target.connector, json.dumps(dict(target.settings)))).rowcount == 1

    def targets(self) -> list[TargetRow]:
        """All of them, by name."""
        with self._database.read() as db:
            return [TargetRow(name, connector, json.loads(settings), state, why) for name, connector, settings, state, why in
                    db.execute("SELECT name, connector, settings, state, why FROM targets ORDER BY name")]

    def target(self, name: str) -> TargetRow | None:
        """The target of this name."""
        return next((one for one in self.targets() if one.name == name), None)

    def set_target_state(self, name: str, state: str, why: str = "") -> bool:
        """active | paused | disabled. Making it active makes what waits due at once. False if there is none."""
        with self._database.write() as db:
            changed = db.execute("UPDATE targets SET state = ?, why = ? WHERE name = ?", (state, why, name)).rowcount == 1
            if changed and state == "active":
                db.execute("UPDATE deliveries SET due = ? WHERE target = ? AND state = 'waiting'", (time.time_ns() // 1000, name))
            return changed
