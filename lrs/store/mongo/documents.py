"""State and profile documents in MongoDB."""
from __future__ import annotations

import hashlib

from bson import Int64

from lrs.errors import TooLarge
from lrs.statements.documents import Decide, Document, Key
from lrs.store.mongo import clock
from lrs.store.mongo.clock import Clock
from lrs.store.mongo.database import Calls, Database, Layout
from lrs.store.mongo.database import Document as Fields

NAME = "documents"
LAYOUT = Layout({NAME: {"by_scope": [("scope", 1), ("registration", 1)]}})
MOST = 16 * 1024 * 1024 - 64 * 1024
"""Bytes of content: MongoDB's limit of a document is 16 MiB, its other fields included."""


class MongoDocuments:
    """`lrs.store.protocols.documents.Documents` on MongoDB."""

    def __init__(self, database: Database, time: Clock | None = None) -> None:
        self._database, self._clock = database, time or clock.of(database)

    def migrate(self) -> None:
        """Create the collection and its index where they are missing."""
        self._database.migrate(LAYOUT)

    def get(self, key: Key) -> Document | None:
        """The document that stands there."""
        with self._database.read() as calls:
            return _document(calls.one(NAME, {"_id": _name(key)}))

    def change(self, key: Key, decide: Decide) -> Document | None:
        """Put there what `decide` makes of what stands there, in one transaction; `decide` is asked again when somebody came
        between. Raises `TooLarge` for more than a document of MongoDB holds."""
        now = self._clock.now()

        def work(calls: Calls) -> Document | None:
            found = calls.one(NAME, {"_id": _name(key)})
            made = decide(_document(found))
            if made is None:
                if found is not None:
                    calls.delete(NAME, {"_id": found["_id"]})
                return None
            if len(made.content) > MOST:
                raise TooLarge(f"a document may have {MOST} bytes in this store", "", MOST)
            updated = max(now, int(found["updated"]) + 1 if found else 0)
            fields = {"_id": _name(key), "scope": _scope(key), "registration": key.registration, "id": key.id, "kind": key.kind,
                      "activity": key.activity, "agent": key.agent, "content": made.content, "content_type": made.content_type,
                      "updated": Int64(updated)}
            if found is None:
                calls.insert(NAME, [fields])
            else:
                calls.replace(NAME, {"_id": fields["_id"]}, fields)
            return Document(made.content, made.content_type, updated)

        return self._database.write(work)

    def ids(self, key: Key, since: int | None = None, *, any_registration: bool = False) -> dict[str, int]:
        """The ids of all documents at the key, sorted, with when each was last written."""
        wanted = {**_there(key, any_registration), "updated": {"$gt": since or 0}}
        with self._database.read() as calls:
            found = calls.find(NAME, wanted, {"_id": 0, "id": 1, "updated": 1})
        latest: dict[str, int] = {}
        for one in found:
            latest[one["id"]] = max(latest.get(one["id"], 0), int(one["updated"]))
        return {name: latest[name] for name in sorted(latest, key=str.encode)}

    def delete_all(self, key: Key, *, any_registration: bool = False) -> int:
        """Remove all documents at the key, in one transaction."""
        return self._database.write(lambda calls: calls.delete_many(NAME, _there(key, any_registration)))


def _digest(*parts: str) -> bytes:
    # no part can be taken for a piece of its neighbour: each is preceded by its length
    return hashlib.sha256("".join(f"{len(part)}:{part}" for part in parts).encode()).digest()[:16]


def _name(key: Key) -> bytes:
    return _digest(key.kind, key.activity, key.agent, key.registration, key.id)


def _scope(key: Key) -> bytes:
    return _digest(key.kind, key.activity, key.agent)


def _there(key: Key, any_registration: bool) -> Fields:
    return {"scope": _scope(key)} if any_registration else {"scope": _scope(key), "registration": key.registration}


def _document(found: Fields | None) -> Document | None:
    return None if found is None else Document(found["content"], found["content_type"], int(found["updated"]))
