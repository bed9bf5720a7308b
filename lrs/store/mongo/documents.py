"""State and profile documents in MongoDB."""
from __future__ import annotations

from collections.abc import Iterator

from bson import Int64

from lrs.statements.documents import PIECE, Decide, Document, Key
from lrs.store.mongo import clock
from lrs.store.mongo.clock import Clock
from lrs.store.mongo.database import Calls, Database, Layout
from lrs.store.mongo.database import Document as Fields
from lrs.store.mongo.digest import digest
from lrs.store.spooled import spooled

NAME, PIECES = "documents", "document_pieces"
LAYOUT = Layout({NAME: {"by_scope": [("scope", 1), ("registration", 1)]}, PIECES: {"by_document": [("document", 1), ("n", 1)]}})


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
            found = _document(calls, calls.one(NAME, {"_id": name_of(key)}))
        # document and pieces must be of one time: a transaction sees one
        return found if found is None or isinstance(found.content, bytes) else self._database.write(lambda calls: _held(calls, key))

    def change(self, key: Key, decide: Decide) -> Document | None:
        """Put there what `decide` makes of what stands there, in one transaction; `decide` is asked again when somebody came
        between."""
        now = self._clock.now()

        def work(calls: Calls) -> Document | None:
            found = calls.one(NAME, {"_id": name_of(key)})
            made = decide(_document(calls, found))
            if found is not None:
                calls.delete_many(PIECES, {"document": found["_id"]})
            if made is None:
                if found is not None:
                    calls.delete(NAME, {"_id": found["_id"]})
                return None
            updated = max(now, int(found["updated"]) + 1 if found else 0)
            pieces = made.pieces()
            fields = fields_of(key, next(pieces), made.size, made.sha1, made.content_type, updated)
            if found is None:
                calls.insert(NAME, [fields])
            else:
                calls.replace(NAME, {"_id": fields["_id"]}, fields)
            for n, piece in enumerate(pieces, 1):
                calls.insert(PIECES, [{"_id": name_of(key) + n.to_bytes(4, "big"), "document": name_of(key), "n": n, "piece": piece}])
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
        def work(calls: Calls) -> int:
            for found in calls.find(NAME, _there(key, any_registration), {"_id": 1}):
                calls.delete_many(PIECES, {"document": found["_id"]})
            return calls.delete_many(NAME, _there(key, any_registration))

        return self._database.write(work)


class _Stored:
    """Content in the caller's transaction, which alone may read it."""

    def __init__(self, calls: Calls, found: Fields) -> None:
        self._calls, self._found, self.size, self.sha1 = calls, found, int(found["size"]), str(found["sha1"])

    def pieces(self) -> Iterator[bytes]:
        """All of it, from the beginning."""
        yield self._found["content"]
        for n in range(1, -(-self.size // PIECE)):
            piece = self._calls.one(PIECES, {"_id": self._found["_id"] + n.to_bytes(4, "big")})
            assert piece is not None, "pieces come and go with their document, in one transaction"
            yield piece["piece"]


def _held(calls: Calls, key: Key) -> Document | None:
    found = _document(calls, calls.one(NAME, {"_id": name_of(key)}))
    if found is None or isinstance(found.content, bytes):
        return found
    return Document(spooled(found.pieces(), None, found.sha1), found.content_type, found.updated)


def name_of(key: Key) -> bytes:
    return digest(key.kind, key.activity, key.agent, key.registration, key.id)


def _scope(key: Key) -> bytes:
    return digest(key.kind, key.activity, key.agent)


def fields_of(key: Key, first: bytes, size: int, sha1: str, content_type: str, updated: int) -> Fields:
    return {"_id": name_of(key), "scope": _scope(key), "registration": key.registration, "id": key.id, "kind": key.kind,
            "activity": key.activity, "agent": key.agent, "content": first, "size": Int64(size), "sha1": sha1,
            "content_type": content_type, "updated": Int64(updated)}


def _there(key: Key, any_registration: bool) -> Fields:
    return {"scope": _scope(key)} if any_registration else {"scope": _scope(key), "registration": key.registration}


def _document(calls: Calls, found: Fields | None) -> Document | None:
    if found is None:
        return None
    content = found["content"] if found["size"] <= PIECE else _Stored(calls, found)
    return Document(content, found["content_type"], int(found["updated"]))
