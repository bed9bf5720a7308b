"""The audit log in MongoDB."""
from __future__ import annotations

import builtins
import json

from bson import Int64

from lrs.store.mongo import clock, numbers
from lrs.store.mongo.clock import Clock
from lrs.store.mongo.database import Calls, Database, Document, Layout
from lrs.store.protocols.audit import Entry

NAME = "audit"
LAYOUT = Layout({NAME: {f"by_{field}": [(field, 1), ("_id", 1)] for field in ("thing", "who", "noun")}, **numbers.INDEXES},
                {"numbers": lambda: numbers.seeds(NAME)})


class MongoAudit:
    """`lrs.store.protocols.audit.Audit` on MongoDB."""

    def __init__(self, database: Database, time: Clock | None = None) -> None:
        self._database, self._clock = database, time or clock.of(database)

    def migrate(self) -> None:
        """Create the collection and its indexes where they are missing."""
        self._database.migrate(LAYOUT)

    def append(self, entry: Entry) -> int:
        """Write it, durable on return; its number."""
        at = self._clock.now()

        def work(calls: Calls) -> int:
            n = numbers.draw(calls, NAME)
            calls.insert(NAME, [{"_id": Int64(n), "at": Int64(at), "who": entry.who, "action": entry.action,
                                 "noun": entry.action.partition(".")[0], "thing": entry.thing,
                                 "detail": json.dumps(dict(entry.detail), ensure_ascii=False), "refused": entry.refused}])
            return n

        return self._database.write(work)

    def list(
        self, *, thing: str = "", who: str = "", action: str = "", before: int | None = None, limit: int = 100
    ) -> builtins.list[Entry]:
        """The newest first."""
        wanted: Document = {field: value for field, value in (("thing", thing), ("who", who)) if value}
        if action:
            wanted["action" if "." in action else "noun"] = action
        if before is not None:
            wanted["_id"] = {"$lt": before}
        if limit < 1:
            return []
        with self._database.read() as calls:
            found = calls.find(NAME, wanted, sort=[("_id", -1)], limit=limit)
        return [Entry(one["who"], one["action"], one["thing"], json.loads(one["detail"]), one["refused"], int(one["at"]), int(one["_id"]))
                for one in found]
