"""The log of refused requests, in a file of its own, written once a second."""
from __future__ import annotations

import builtins
import threading
import time
from collections import defaultdict, deque
from dataclasses import replace
from typing import Any

from lrs.errors import StoreUnavailable
from lrs.store.protocols.rejections import ALL, KEPT_US, Rejection, Sought
from lrs.store.sqlite.database import Database

SCRIPTS = (
    """CREATE TABLE rejections (n INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, credential_id TEXT NOT NULL,
         status INTEGER NOT NULL, code TEXT NOT NULL, detail TEXT NOT NULL, excerpt TEXT NOT NULL);
       CREATE INDEX rejections_of ON rejections (credential_id, n);""",
    "CREATE INDEX rejections_at ON rejections (at)",
)
COLUMNS = "at, credential_id, status, code, detail, excerpt"
PER_MINUTE = 60
FLUSH_SECONDS = 1.0

FINDINGS = "json_each(CASE WHEN json_valid(detail) THEN detail ELSE '{}' END, '$.findings')"
RULE = "CASE one.type WHEN 'object' THEN json_extract(one.value, '$.rule') END"
KEYS: dict[str, str] = {
    "rule": f"""SELECT DISTINCT n, coalesce({RULE}, code) AS key FROM newest
                LEFT JOIN {FINDINGS} AS one""",
    "cause": """SELECT n, coalesce(nullif(CASE WHEN json_valid(detail) THEN json_extract(detail, '$.conflict.cause') END, ''), code) AS key
                FROM newest""",
    "code": "SELECT n, code AS key FROM newest",
    "status": "SELECT n, CAST(status AS TEXT) AS key FROM newest",
    "credential": "SELECT n, credential_id AS key FROM newest",
}
"""What to count by → the rows (n, key), of which each counts one."""


class SqliteRejections:
    """`lrs.store.protocols.rejections.Rejections` on SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: deque[Rejection] = deque(maxlen=10_000)
        self._recent: dict[str, deque[int]] = defaultdict(deque)
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None

    def migrate(self) -> None:
        """Create the table where it is missing; remove what is older than 30 days."""
        self._database.migrate("rejections", SCRIPTS)
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
        """Keep it within a second; at most 60 a minute a credential, so that a broken sender cannot fill the disk."""
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
        """Write what waits, and drop what is older than 30 days."""
        with self._lock:
            self._timer = None
            rows = [(r.at, r.credential_id, r.status, r.code, r.detail, r.excerpt) for r in self._waiting]
            self._waiting.clear()
        if rows:
            with self._database.write() as db:
                db.executemany(f"INSERT INTO rejections ({COLUMNS}) VALUES (?,?,?,?,?,?)", rows)
                db.execute("DELETE FROM rejections WHERE at < ?", (_oldest(),))

    def _flush_quietly(self) -> None:
        try:
            self.flush()
        except StoreUnavailable:
            # a diagnostic log may lose rows on a full disk; statements may not wait for it
            return

    def list(
        self, credential_id: str = "", limit: int = 100, *, sought: Sought = ALL, before: int | None = None
    ) -> builtins.list[Rejection]:
        """The newest first, those of this process that are still buffered too."""
        self._flush_quietly()
        where, values = _where(replace(sought, credential_id=credential_id or sought.credential_id), before)
        with self._database.read() as db:
            rows = db.execute(f"SELECT {COLUMNS}, n FROM rejections WHERE {where} ORDER BY n DESC LIMIT ?", (*values, limit))
            return [Rejection(*row) for row in rows]

    def by_number(self, n: int) -> Rejection | None:
        """The rejection with this number."""
        self._flush_quietly()
        with self._database.read() as db:
            row = db.execute(f"SELECT {COLUMNS}, n FROM rejections WHERE n = ? AND at >= ?", (n, _oldest())).fetchone()
        return Rejection(*row) if row else None

    def counts(self, by: str, sought: Sought = ALL, most: int = 10_000) -> dict[str, int]:
        """How many of the newest there are of each; KeyError for a `by` that is not in `KEYS`."""
        self._flush_quietly()
        where, values = _where(sought, None)
        with self._database.read() as db:
            rows = db.execute(
                f"""WITH newest AS (SELECT n, credential_id, status, code, detail FROM rejections WHERE {where} ORDER BY n DESC LIMIT ?)
                    SELECT key, count(*) FROM ({KEYS[by]}) GROUP BY key ORDER BY count(*) DESC, key""", (*values, most))
            return {str(key): int(count) for key, count in rows}

    def count(self) -> int:
        """How many are kept."""
        self._flush_quietly()
        with self._database.read() as db:
            return int(db.execute("SELECT count(*) FROM rejections WHERE at >= ?", (_oldest(),)).fetchone()[0])

    def purge(self, older_than: int) -> int:
        """Remove what came before this time; how many."""
        with self._database.write() as db:
            return db.execute("DELETE FROM rejections WHERE at < ?", (older_than,)).rowcount


def _oldest() -> int:
    return time.time_ns() // 1000 - KEPT_US


def _where(sought: Sought, before: int | None) -> tuple[str, tuple[Any, ...]]:
    """The condition and its values. Rows whose time is over are not shown, also where nobody has removed them yet."""
    bounds: list[tuple[str, Any]] = [
        ("at >= ?", max(_oldest(), sought.since or 0)), ("at < ?", sought.until), ("n < ?", before), ("status = ?", sought.status),
        ("credential_id = ?", sought.credential_id or None), ("code = ?", sought.code or None),
        (f"(code = ? OR EXISTS (SELECT 1 FROM {FINDINGS} AS one WHERE {RULE} = ?))", sought.rule or None)]
    used = [(text, value) for text, value in bounds if value is not None]
    return " AND ".join(text for text, _ in used), tuple(value for text, value in used for _ in range(text.count("?")))
