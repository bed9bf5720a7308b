"""The feed in work.db: immutable rows with their own counter."""
from __future__ import annotations

import json
import sqlite3

from lrs.completions.model import Publication
from lrs.store.protocols.feed import FeedRow
from lrs.store.sqlite.database import Database

SCRIPTS = (
    """CREATE TABLE feed (n INTEGER PRIMARY KEY, event_id TEXT NOT NULL, revision INTEGER NOT NULL, event TEXT NOT NULL,
         subject TEXT NOT NULL, course TEXT NOT NULL, body BLOB NOT NULL, UNIQUE (event_id, revision));""",
)


class SqliteFeed:
    """`lrs.store.protocols.feed.Feed` on SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def feed(self, after: int, limit: int) -> list[FeedRow]:
        """At most `limit` rows with n > after, oldest first."""
        with self._database.read() as db:
            return [FeedRow(n, bytes(body)) for n, body in
                    db.execute("SELECT n, body FROM feed WHERE n > ? ORDER BY n LIMIT ?", (after, limit))]


def publish(db: sqlite3.Connection, publication: Publication) -> bool:
    """Append the event inside the caller's write; False if this revision stands already."""
    n = db.execute("SELECT coalesce(max(n), 0) + 1 FROM feed").fetchone()[0]
    done = db.execute(
        "INSERT INTO feed VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (event_id, revision) DO NOTHING",
        (n, publication.id, publication.revision, publication.event, publication.subject, publication.course, body(publication)),
    )
    return done.rowcount == 1


def body(publication: Publication) -> bytes:
    """The bytes an event is served and sent as."""
    return json.dumps(publication.payload, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
