"""Live sessions in MongoDB."""
from __future__ import annotations

import builtins
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace

import orjson
from bson import Int64
from pymongo import ReplaceOne

from lrs.store.mongo import owed
from lrs.store.mongo.database import Calls, Database, Document, Layout, Write
from lrs.store.mongo.digest import digest
from lrs.store.protocols.sessions import SessionRow

NAME, CURSOR, SEARCHES = "sessions", "session_cursor", "session_searches"
LAYOUT = Layout(
    {NAME: {"by_due": [("due", 1), ("connection", 1), ("instance", 1)],
            "by_poll_due": [("poll_due", 1), ("connection", 1), ("instance", 1)],
            "by_last": [("last", -1), ("connection", 1), ("instance", 1)],
            "by_connection": [("connection", 1), ("last", -1), ("instance", 1)]},
     CURSOR: {}, SEARCHES: {}},
    {CURSOR: lambda: [{"_id": 1, "seq": Int64(0), "writes": Int64(0)}]},
)
NEVER = -(2**63)
"""`last` of a session of which no time is known: it stands last, as a missing one does in the files."""


class MongoSessions:
    """`lrs.store.protocols.sessions.Sessions` on MongoDB. A row is JSON text beside what it is sought by; two that write one row
    meet at its revision, two that move the cursor at the cursor."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def migrate(self) -> None:
        """Create the collections and indexes where they are missing."""
        self._database.migrate(LAYOUT)

    def cursor(self) -> int:
        """The seq of the last statement that the rows know of."""
        with self._database.read() as calls:
            return _cursor(calls)

    def advance(self, was: int, now: int, rows: Sequence[SessionRow]) -> bool:
        """Rows and cursor in one transaction; False if either has moved."""
        def work(calls: Calls) -> bool:
            if _cursor(calls) != was or not _unmoved(calls, rows):
                return False
            # counted, since a write that changes nothing is none for the server: two that advance must meet
            calls.update(CURSOR, {"_id": 1}, {"$set": {"seq": Int64(now)}, "$inc": {"writes": Int64(1)}})
            _write(calls, rows)
            return True

        return self._database.write(work)

    def rows(self, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], SessionRow]:
        """Those that there are."""
        found: dict[tuple[str, str], SessionRow] = {}
        with self._database.read() as calls:
            for some in owed.chunks(digest(*key) for key in set(keys)):
                found |= {(one["connection"], one["instance"]): _row(one) for one in calls.find(NAME, {"_id": {"$in": some}})}
        return found

    def put(self, row: SessionRow) -> bool:
        """Replace it; False if it was written since it was read."""
        def work(calls: Calls) -> bool:
            if not _unmoved(calls, [row]):
                return False
            _write(calls, [row])
            return True

        return self._database.write(work)

    def due(self, now: int, n: int) -> builtins.list[SessionRow]:
        """Those to conclude by now."""
        return self._until("due", now, n)

    def poll_due(self, now: int, n: int) -> builtins.list[SessionRow]:
        """Those whose report is to be fetched by now."""
        return self._until("poll_due", now, n)

    def _until(self, field: str, now: int, n: int) -> builtins.list[SessionRow]:
        return self._list({field: owed.until_now(now)}, [(field, 1), ("connection", 1), ("instance", 1)], n)

    def list(self, connection: str = "", limit: int = 100) -> builtins.list[SessionRow]:
        """The latest first."""
        return self._list({"connection": connection} if connection else {}, [("last", -1), ("connection", 1), ("instance", 1)], limit)

    def search_due(self, connection: str) -> int:
        """When the vendor is to be asked next which meetings there were."""
        with self._database.read() as calls:
            return _search(calls, connection)

    def searched(self, connection: str, was: int, due: int, why: str = "") -> bool:
        """Set that time; False if another worker did."""
        def work(calls: Calls) -> bool:
            if _search(calls, connection) != was:
                return False
            change = {"$set": {"due": Int64(due), "why": why}, "$inc": {"writes": Int64(1)}}
            calls.update(SEARCHES, {"_id": connection}, change, upsert=True)
            return True

        return self._database.write(work)

    def _list(self, wanted: Document, order: Sequence[tuple[str, int]], n: int) -> builtins.list[SessionRow]:
        if n < 1:
            return []
        with self._database.read() as calls:
            return [_row(one) for one in calls.find(NAME, wanted, sort=order, limit=n)]


def _row(one: Document) -> SessionRow:
    return SessionRow(**{**orjson.loads(one["body"]), "revision": int(one["revision"])})


def _cursor(calls: Calls) -> int:
    found = calls.one(CURSOR, {"_id": 1})
    return int(found["seq"]) if found else 0


def _unmoved(calls: Calls, rows: Sequence[SessionRow]) -> bool:
    standing: dict[bytes, int] = {}
    for some in owed.chunks(digest(row.connection, row.instance) for row in rows):
        standing |= {one["_id"]: int(one["revision"]) for one in calls.find(NAME, {"_id": {"$in": some}}, {"revision": 1})}
    return all(standing.get(digest(row.connection, row.instance), 0) == row.revision for row in rows)


def _write(calls: Calls, rows: Sequence[SessionRow]) -> None:
    documents = [_document(replace(row, revision=row.revision + 1)) for row in rows]
    writes: builtins.list[Write] = [ReplaceOne({"_id": one["_id"]}, one, upsert=True) for one in documents]
    calls.write_each(NAME, writes)


def _document(row: SessionRow) -> Document:
    times = {field: Int64(value) for field in ("due", "poll_due") if (value := getattr(row, field)) is not None}
    return {"_id": digest(row.connection, row.instance), "connection": row.connection, "instance": row.instance, **times,
            "revision": Int64(row.revision), "last": Int64(NEVER if row.last is None else row.last), "body": orjson.dumps(asdict(row))}


def _search(calls: Calls, connection: str) -> int:
    found = calls.one(SEARCHES, {"_id": connection})
    return int(found["due"]) if found else 0
