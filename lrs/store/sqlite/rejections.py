"""The log of refused requests, in a file of its own, written once a second."""
from __future__ import annotations

import threading
import time
from collections import defaultdict, deque

from lrs.errors import StoreUnavailable
from lrs.store.protocols.rejections import Rejection
from lrs.store.sqlite.database import Database

SCRIPTS = (
    """CREATE TABLE rejections (n INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, credential_id TEXT NOT NULL,
         status INTEGER NOT NULL, code TEXT NOT NULL, detail TEXT NOT NULL, excerpt TEXT NOT NULL);
       CREATE INDEX rejections_of ON rejections (credential_id, n);""",
)
COLUMNS = "at, credential_id, status, code, detail, excerpt"
PER_MINUTE = 60
KEPT_US = 30 * 86_400 * 1_000_000
FLUSH_SECONDS = 1.0


class SqliteRejections:
    """`lrs.store.protocols.rejections.Rejections` on SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: deque[Rejection] = deque(maxlen=10_000)
        self._recent: dict[str, deque[int]] = defaultdict(deque)
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None

    def migrate(self) -> None:
        """Create the table where it is missing."""
        self._database.migrate("rejections", SCRIPTS)

    def note(self, rejection: Rejection) -> None:
        """Keep it within a second; at most 60 a minute a credential, so that a broken sender cannot fill the disk."""
        with self._lock:
            recent = self._recent[rejection.credential_id]
            while recent and recent[0] < rejection.at - 60_000_000:
                recent.popleft()
            if len(recent) >= PER_MINUTE:
                return
            recent.append(rejection.at)
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
                db.execute("DELETE FROM rejections WHERE at < ?", (time.time_ns() // 1000 - KEPT_US,))

    def _flush_quietly(self) -> None:
        try:
            self.flush()
        except StoreUnavailable:
            # a diagnostic log may lose rows on a full disk; statements may not wait for it
            return

    def list(self, credential_id: str = "", limit: int = 100) -> list[Rejection]:
        """The newest first, of one credential or of all."""
        where, values = ("WHERE credential_id = ?", [credential_id]) if credential_id else ("", [])
        with self._database.read() as db:
            rows = db.execute(f"SELECT {COLUMNS}, n FROM rejections {where} ORDER BY n DESC LIMIT ?", (*values, limit))
            return [Rejection(*row) for row in rows]

    def count(self) -> int:
        """How many are kept."""
        with self._database.read() as db:
            return int(db.execute("SELECT count(*) FROM rejections").fetchone()[0])
