"""Targets in work.db."""
from __future__ import annotations

import json

from lrs.store.protocols.targets import StoredTarget
from lrs.store.sqlite.database import Database

SCRIPTS = (
    """CREATE TABLE targets (name TEXT PRIMARY KEY, connector TEXT NOT NULL, settings TEXT NOT NULL, state TEXT NOT NULL,
         why TEXT NOT NULL) WITHOUT ROWID;""",
)
TARGET_STATES = ("active", "paused", "disabled")


class SqliteTargets:
    """`lrs.store.protocols.targets.Targets` on SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add_target(self, target: StoredTarget) -> None:
        """Store, or replace the one with this name."""
        row = (target.name, target.connector, json.dumps(dict(target.settings), ensure_ascii=False), target.state, target.why)
        with self._database.write() as db:
            db.execute("INSERT OR REPLACE INTO targets VALUES (?, ?, ?, ?, ?)", row)

    def target(self, name: str) -> StoredTarget | None:
        """The target with this name."""
        return next((t for t in self.targets() if t.name == name), None)

    def targets(self) -> list[StoredTarget]:
        """All of them, by name."""
        with self._database.read() as db:
            rows = db.execute("SELECT name, connector, settings, state, why FROM targets ORDER BY name").fetchall()
        return [StoredTarget(name, connector, json.loads(settings), state, why) for name, connector, settings, state, why in rows]

    def set_target_state(self, name: str, state: str, why: str = "") -> bool:
        """Make it active, paused or disabled; False if there is no such target."""
        if state not in TARGET_STATES:
            raise ValueError(f"a target is {' or '.join(TARGET_STATES)}, not {state}")
        with self._database.write() as db:
            return db.execute("UPDATE targets SET state = ?, why = ? WHERE name = ?", (state, why, name)).rowcount == 1
