"""The log of refused requests in MongoDB, written once a second."""
from __future__ import annotations

import builtins
import json
import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from bson import Int64

from lrs.errors import StoreUnavailable
from lrs.store.mongo import numbers
from lrs.store.mongo.database import Calls, Database, Document, Layout
from lrs.store.protocols.rejections import ALL, KEPT_US, Rejection, Sought

NAME = "rejections"
LAYOUT = Layout({NAME: {"by_credential": [("credential_id", 1), ("_id", 1)], "by_time": [("at", 1)]}, **numbers.INDEXES},
                {"numbers": lambda: numbers.seeds(NAME)})
PER_MINUTE = 60
FLUSH_SECONDS = 1.0
PURGED_AT_ONCE = 1_000
"""Documents removed in one call, so that each ends within its deadline."""
KEYS: dict[str, Callable[[Document], builtins.list[str]]] = {
    "rule": lambda one: one["rules"],
    "cause": lambda one: [one["cause"]],
    "code": lambda one: [one["code"]],
    "status": lambda one: [str(one["status"])],
    "credential": lambda one: [one["credential_id"]],
}
"""What to count by → what a document counts for."""


class MongoRejections:
    """`lrs.store.protocols.rejections.Rejections` on MongoDB."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: deque[Rejection] = deque(maxlen=10_000)
        self._recent: dict[str, deque[int]] = defaultdict(deque)
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None

    def migrate(self) -> None:
        """Create the collection and its indexes where they are missing; remove what is older than 30 days."""
        self._database.migrate(LAYOUT)
        self.purge(_oldest())

    def wants(self, credential_id: str, at: int) -> bool:
        """Whether `note` would keep it."""
        with self._lock:
            return self._has_room(credential_id, at)

    def _has_room(self, credential_id: str, at: int) -> bool:
        recent = self._recent[credential_id]
        while recent and recent[0] < at - 60_000_000:
            recent.popleft()
        return len(recent) < PER_MINUTE

    def note(self, rejection: Rejection) -> None:
        """Keep it within a second; at most 60 a minute a credential and process, so that a broken sender cannot fill the disk."""
        with self._lock:
            if not self._has_room(rejection.credential_id, rejection.at):
                return
            self._recent[rejection.credential_id].append(rejection.at)
            self._waiting.append(rejection)
            if self._timer is None:
                self._timer = threading.Timer(FLUSH_SECONDS, self._flush_quietly)
                self._timer.daemon = True
                self._timer.start()

    def flush(self) -> None:
        """Write what waits."""
        with self._lock:
            self._timer = None
            rows = list(self._waiting)
            self._waiting.clear()
        if not rows:
            return

        def work(calls: Calls) -> None:
            first = numbers.draw(calls, NAME, len(rows))
            calls.insert(NAME, [fields_of(one, first + place) for place, one in enumerate(rows)])

        self._database.write(work)
        self.purge(_oldest())

    def _flush_quietly(self) -> None:
        try:
            self.flush()
        except StoreUnavailable:
            # a diagnostic log may lose rows while the store takes none; statements may not wait for it
            return

    def list(
        self, credential_id: str = "", limit: int = 100, *, sought: Sought = ALL, before: int | None = None
    ) -> builtins.list[Rejection]:
        """The newest first, those of this process that are still buffered too."""
        self._flush_quietly()
        wanted = _wanted(replace(sought, credential_id=credential_id or sought.credential_id), before)
        if limit < 1:
            return []
        with self._database.read() as calls:
            return [_rejection(one) for one in calls.find(NAME, wanted, sort=[("_id", -1)], limit=limit)]

    def by_number(self, n: int) -> Rejection | None:
        """The rejection with this number."""
        self._flush_quietly()
        with self._database.read() as calls:
            found = calls.one(NAME, {"_id": n, "at": {"$gte": _oldest()}})
        return _rejection(found) if found else None

    def counts(self, by: str, sought: Sought = ALL, most: int = 10_000) -> dict[str, int]:
        """How many of the newest there are of each; KeyError for a `by` that is not in `KEYS`."""
        keys = KEYS[by]
        self._flush_quietly()
        if most < 1:
            return {}
        fields = dict.fromkeys(("rules", "cause", "code", "status", "credential_id"), 1)
        with self._database.read() as calls:
            newest = calls.find(NAME, _wanted(sought, None), fields, sort=[("_id", -1)], limit=most)
        found = Counter(key for one in newest for key in keys(one))
        return dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0].encode())))

    def count(self) -> int:
        """How many are kept."""
        self._flush_quietly()
        with self._database.read() as calls:
            return calls.count(NAME, {"at": {"$gte": _oldest()}})

    def purge(self, older_than: int) -> int:
        """Remove what came before this time; how many."""
        removed = 0
        while True:
            with self._database.read() as calls:
                found = [one["_id"] for one in calls.find(NAME, {"at": {"$lt": older_than}}, {"_id": 1}, limit=PURGED_AT_ONCE)]
            if not found:
                return removed
            with self._database.alone() as calls:
                removed += calls.delete_many(NAME, {"_id": {"$in": found}})


def _oldest() -> int:
    return time.time_ns() // 1000 - KEPT_US


def fields_of(one: Rejection, n: int) -> Document:
    """With what it is counted and sought by taken out of its detail, so that no query reads JSON."""
    said = _read(one.detail)
    findings = said.get("findings")
    listed = findings if isinstance(findings, builtins.list) else []
    rules = [finding.get("rule") if isinstance(finding, dict) else None for finding in listed]
    named = {one.code if rule is None else str(rule) for rule in rules}
    conflict = said.get("conflict")
    cause = conflict.get("cause") if isinstance(conflict, dict) else None
    return {"_id": Int64(n), "at": Int64(one.at), "credential_id": one.credential_id, "status": one.status, "code": one.code,
            "detail": one.detail, "excerpt": one.excerpt, "rules": sorted(named) or [one.code], "sought": sorted({one.code, *named}),
            "cause": str(cause) if cause else one.code}


def _read(detail: str) -> dict[str, Any]:
    try:
        said = json.loads(detail)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _wanted(sought: Sought, before: int | None) -> Document:
    """The condition. Rows whose time is over are not shown, also where nobody has removed them yet."""
    at = {"$gte": max(_oldest(), sought.since or 0)}
    if sought.until is not None:
        at["$lt"] = sought.until
    said: dict[str, Any] = {"_id": None if before is None else {"$lt": before}, "status": sought.status,
                            "credential_id": sought.credential_id or None, "code": sought.code or None, "sought": sought.rule or None}
    return {"at": at, **{name: value for name, value in said.items() if value is not None}}


def _rejection(one: Document) -> Rejection:
    return Rejection(int(one["at"]), one["credential_id"], one["status"], one["code"], one["detail"], one["excerpt"], int(one["_id"]))
