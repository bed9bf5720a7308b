"""All that a MongoDB database keeps, as rows of `lrs.store.protocols.copied`."""
from __future__ import annotations

import hashlib
import json
import struct
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import pymongo
from bson import Binary, Int64
from bson.binary import UUID_SUBTYPE
from pymongo import ReplaceOne, UpdateOne
from pymongo.errors import BulkWriteError

from lrs.errors import WrongState
from lrs.statements.documents import PIECE, Key
from lrs.store.mongo import audit, definitions, documents, owed, payloads, references, rejections, sessions
from lrs.store.mongo.database import DUPLICATE, Calls, Database, Document, Write
from lrs.store.mongo.digest import digest
from lrs.store.mongo.intents import GIVEN, NOBODY
from lrs.store.mongo.rows import key as uuid_key
from lrs.store.protocols.copied import PARTS, SEQUENCES, SILENT_SECONDS, Row
from lrs.store.protocols.rejections import Rejection

MARK = "moves"
WRITES: Document = {"writes": Int64(1)}
"""Of documents that count how often they were written."""
AT_ONCE = 250
"""Writes sent in one call."""
PIECES_AT_ONCE = 32
PATIENCE = 60.0
"""Seconds that a call may take here: nobody waits for an answer."""
COUNT_PATIENCE = 600.0
Name = Callable[[Row], Any]


def _first(key: Row) -> Any:
    return _bson(key[0])


@dataclass(frozen=True, slots=True)
class Kept:
    """Where a part stands: the collection, the document's fields in the order of the part's, what else a document has, and by which
    field it is walked, `at` giving its value for a key."""

    collection: str
    fields: tuple[str, ...]
    more: Mapping[str, Any] = field(default_factory=dict)
    by: str = "_id"
    at: Name = _first


def _kept(collection: str, fields: str, more: Mapping[str, Any] | None = None, by: str = "_id", at: Name = _first) -> Kept:
    return Kept(collection, tuple(fields.split()), more or {}, by, at)


KEPT = {
    "term_key": _kept("term_key", "key", {"_id": 1}), "secret_key": _kept("secret_key", "key", {"_id": 1}),
    "attachments": _kept("attachments", "_id size"),
    "connections": _kept("connections", "_id source credential settings state created"),
    "people": _kept("people", "_id body"), "identifiers": _kept("identifiers", "_id owner"), "courses": _kept("courses", "_id body"),
    "course_ids": _kept("course_ids", "_id owner"), "changes": _kept("changes", "_id kind key at"),
    "rewritten": _kept("rewritten", "_id seq"), "targets": _kept("targets", "_id connector settings state why health", WRITES),
    "cursors": _kept("cursors", "_id seq change", WRITES), "searches": _kept("session_searches", "_id due why", WRITES),
    "credentials": _kept("credentials", ""), "statements": _kept("statements", "", by="seq"), "deliveries": _kept(
        "deliveries", "", at=lambda key: owed.key(key[0])),
    "mappings": _kept("mappings", "kind number body state who at note base applied change", at=lambda key: f"{key[0]}:{key[1]}"),
    "documents": _kept("documents", "", at=lambda key: documents.name_of(Key(*key))),
    "definitions": _kept("definitions", "activity official others", at=lambda key: definitions.name_of(key[0])),
    "audit": _kept("audit", "_id at who action thing detail refused"),
    "feed": _kept("feed", "n event_id revision event body", by="n"), "states": _kept("states", "", at=lambda key: digest(*key)),
    "attempts": _kept("attempts", "", at=lambda key: (owed.key(key[0]) or b"") + key[1].to_bytes(4, "big")),
    "sessions": _kept("sessions", "connection instance revision last due poll_due body", at=lambda key: digest(*key)),
    "payloads": _kept("payloads", "n at connection kind body note", by="n"),
    "rejections": _kept("rejections", "_id at credential_id status code detail excerpt"),
}
PLACES = {"definitions": "definitions_cursor", "sessions": "session_cursor"}


class MongoCopied:
    """`lrs.store.protocols.copied.Copied` of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextmanager
    def held(self) -> Iterator[None]:
        """No worker and no writer of statements was seen lately. Nothing keeps one from beginning."""
        with self._database.read() as calls:
            seen = [(int(one["at"]), f"worker {one['_id']['worker']}") for one in calls.find("heartbeats", {})]
            seen += [(int(one["seen"]), f"writer {one['_id']}") for one in calls.find("writers", {"_id": {"$gte": 0}})
                     if one["owner"] != NOBODY]
        at, who = max(seen, default=(0, ""))
        age = time.time() - at / 1_000_000
        if age < SILENT_SECONDS:
            raise WrongState(f"{who} was at work on the database {age:.0f} s ago: stop every process of it, and wait {SILENT_SECONDS} s")
        yield

    def page(self, part: str, after: Row | None, n: int) -> list[Row]:
        """Rows in the order of their documents' `_id`, statements and what is numbered in that of their number."""
        if part in ("places", "numbers"):
            return [] if after else self._few(part)
        kept = KEPT[part]
        wanted: Document = {"seq": {"$gt": 0}} if part == "statements" else {}
        if after is not None:
            wanted = {kept.by: {"$gt": kept.at(after)}}
        with self._database.read() as calls, pymongo.timeout(PATIENCE):
            found = calls.find(kept.collection, wanted, sort=[(kept.by, 1)], limit=n)
            read = _READ.get(part)
            if read is not None:
                return read(calls, found)
        return [tuple(_plain(one.get(name)) for name in kept.fields) for one in found]

    def _few(self, part: str) -> list[Row]:
        with self._database.read() as calls:
            if part == "places":
                return [(name, int((calls.one(collection, {"_id": 1}) or {"seq": 0})["seq"])) for name, collection in PLACES.items()]
            known = {one["_id"]: int(one["n"]) for one in calls.find("numbers", {})}
        return [(name, known.get(name, 0)) for name in SEQUENCES]

    def write(self, part: str, rows: Sequence[Row]) -> None:
        """Each by itself: they are whole when the last of them is, and done again they are the same."""
        documents_: dict[str, list[Document]] = {}
        for collection, document in (pair for row in rows for pair in _WRITE.get(part, _put(part))(row)):
            documents_.setdefault(collection, []).append(document)
        with self._database.alone() as calls, pymongo.timeout(PATIENCE):
            if part == "documents":
                calls.delete_many(documents.PIECES, {"document": {"$in": [documents.name_of(Key(*row[:5])) for row in rows]}})
            if part == "statements":
                _mark(calls, rows)
            for collection, some in documents_.items():
                at_once = PIECES_AT_ONCE if collection == documents.PIECES else AT_ONCE
                for start in range(0, len(some), at_once):
                    _place(calls, collection, some[start:start + at_once])

    def count(self, part: str) -> int:
        """How many rows there are."""
        if part in ("places", "numbers"):
            return len(self._few(part))
        with self._database.read() as calls, pymongo.timeout(COUNT_PATIENCE):
            return calls.count(KEPT[part].collection, {"seq": {"$gt": 0}} if part == "statements" else {})

    def index(self, rows: Sequence[tuple[int, int, Sequence[int]]], absent: Sequence[str]) -> None:
        """Documents of `shadows`; and of each that is absent, that it is awaited (see `references`)."""
        shadows: list[Document] = [{"_id": references.packed((seq, via)), "terms": [Int64(term) for term in terms]}
                                   for seq, via, terms in rows]
        awaited: list[Write] = [UpdateOne({"_id": uuid_key(one)}, {"$inc": {"awaited": 1}}, upsert=True) for one in absent]
        with self._database.alone() as calls, pymongo.timeout(PATIENCE):
            for start in range(0, len(shadows), AT_ONCE):
                _place(calls, references.SHADOWS, shadows[start:start + AT_ONCE])
            for start in range(0, len(awaited), AT_ONCE):
                calls.write_each("statements", awaited[start:start + AT_ONCE])

    def begin_after(self, moment: int) -> None:
        """Below what has been promised nothing is drawn."""
        with self._database.alone() as calls, pymongo.timeout(PATIENCE):
            calls.update("writers", {"_id": GIVEN}, {"$max": {"given": Int64(moment)}}, upsert=True)

    def mark(self, said: str | None) -> None:
        """A document of its own."""
        with self._database.alone() as calls, pymongo.timeout(PATIENCE):
            if said is None:
                calls.delete(MARK, {"_id": 1})
            else:
                calls.update(MARK, {"_id": 1}, {"$set": {"said": said}}, upsert=True)

    def marked(self) -> str | None:
        """What the document says."""
        with self._database.read() as calls:
            found = calls.one(MARK, {"_id": 1})
        return str(found["said"]) if found else None


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return bytes(value)
    return int(value) if isinstance(value, int) else value


def _bson(value: Any) -> Any:
    return Int64(value) if type(value) is int else value


def _fields(names: Sequence[str], row: Row) -> Document:
    return {name: _bson(value) for name, value in zip(names, row, strict=True) if value is not None}


def _mark(calls: Calls, statements: Sequence[Row]) -> None:
    """Say before they are there that some refer to others (`lrs.store.intents.Known`); at any place, since the greatest counts."""
    target = PARTS["statements"].fields.index("target")
    if referring := [row[0] for row in statements if row[target] is not None]:
        calls.update("writers", {"_id": 0}, {"$max": {"referring": Int64(max(referring))}})


def _place(calls: Calls, collection: str, some: list[Document]) -> None:
    try:
        calls.insert(collection, some)  # a third of what replacing costs
    except BulkWriteError as error:
        if any(one.get("code") != DUPLICATE for one in (error.details or {}).get("writeErrors", [])):
            raise
        # an earlier run, or `lrs migrate`, has been here
        calls.write_each(collection, [_replacing(one) for one in some])


def _replacing(document: Document) -> Write:
    return ReplaceOne({"_id": document["_id"]}, document, upsert=True)


Puts = Callable[[Row], list[tuple[str, Document]]]


def _put(part: str) -> Puts:
    kept = KEPT.get(part)

    def put(row: Row) -> list[tuple[str, Document]]:
        assert kept is not None, part
        document = {**kept.more, **_fields(kept.fields, row)}
        return [(kept.collection, {"_id": kept.at(row[:PARTS[part].key]), **document})]

    return put


def _put_statement(row: Row) -> list[tuple[str, Document]]:
    seq, name, text, reading, terms, credential, provider, target, voids, may_void_any, voided, effective, request = row
    uuid = Binary(name, UUID_SUBTYPE)
    document: Document = {
        "_id": uuid, "seq": Int64(seq), "text": text, "reading": reading,
        "terms": [Int64(term) for term in struct.unpack(f"<{len(terms) // 8}q", terms)], "credential_id": credential, "provider": provider,
        "voided": bool(voided), "void_effective": bool(effective)}
    document |= {"request": request} if request else {}
    document |= {name: Binary(value, UUID_SUBTYPE) for name, value in (("target", target), ("voids", voids)) if value is not None}
    made = [("statements", document)]
    if target is not None:
        made.append((references.REFERRALS, {
            "_id": uuid, "target": document["target"], "seq": Int64(seq), "voids": voids is not None, "provider": provider,
            "may_void_any": bool(may_void_any)}))
    return made


def _statements(calls: Calls, found: list[Document]) -> list[Row]:
    referring = [one["_id"] for one in found if "target" in one]
    may: dict[bytes, bool] = {}
    for some in owed.chunks(referring):
        may |= {one["_id"]: one["may_void_any"] for one in calls.find(references.REFERRALS, {"_id": {"$in": some}})}
    return [(int(one["seq"]), bytes(one["_id"]), one["text"], one["reading"], struct.pack(f"<{len(one['terms'])}q", *one["terms"]),
             one["credential_id"], one["provider"], *(_plain(one.get(name)) for name in ("target", "voids")),
             int(may.get(one["_id"], False)), int(one["voided"]), int(one["void_effective"]), one.get("request", "")) for one in found]


def _put_credential(row: Row) -> list[tuple[str, Document]]:
    key, name, provider, scopes, digest, authority, created, revoked, origins, expires, launch, fetch, fetched = row
    document: Document = {"_id": key, "name": name, "provider": provider, "scopes": json.loads(scopes), "digest": digest,
                          "authority": authority, "created": Int64(created), "revoked": bool(revoked), "expires": Int64(expires)}
    document |= {"origins": json.loads(origins)} if json.loads(origins) else {}
    if launch:
        actor, activity, registration, for_key = json.loads(launch)
        document |= {"fetched": bool(fetched), "actor": actor.encode(), "activity": activity, "registration": registration,
                     "for_key": for_key, **({"fetch": fetch} if fetch else {})}
    return [("credentials", document)]


def _credentials(calls: Calls, found: list[Document]) -> list[Row]:
    def launch(one: Document) -> str:
        return json.dumps([one["actor"].decode(), one["activity"], one["registration"], one["for_key"]]) if "actor" in one else ""

    return [(one["_id"], one["name"], one["provider"], json.dumps(one["scopes"]), one["digest"], one["authority"], int(one["created"]),
             int(one["revoked"]), json.dumps(one.get("origins", [])), int(one["expires"]), launch(one), bytes(one.get("fetch", b"")),
             int(one.get("fetched", False))) for one in found]


def _put_mapping(row: Row) -> list[tuple[str, Document]]:
    made = _put("mappings")(row)
    if row[3] == "active":
        made.append(("active_mappings", {"_id": row[0], "number": Int64(row[1])}))
    return made


def _put_document(row: Row) -> list[tuple[str, Document]]:
    *parts, content, content_type, updated = row
    key = Key(*parts)
    name = documents.name_of(key)
    sha1 = hashlib.sha1(content, usedforsecurity=False).hexdigest()
    made = [(documents.NAME, documents.fields_of(key, content[:PIECE], len(content), sha1, content_type, updated))]
    for n, start in enumerate(range(PIECE, len(content), PIECE), 1):
        made.append((documents.PIECES, {"_id": name + n.to_bytes(4, "big"), "document": name, "n": n,
                                                "piece": content[start:start + PIECE]}))
    return made


def _documents(calls: Calls, found: list[Document]) -> list[Row]:
    made: list[Row] = []
    for one in found:
        rest = calls.find(documents.PIECES, {"document": one["_id"]}, sort=[("document", 1), ("n", 1)]) if one["size"] > PIECE else []
        made.append((*(one[name] for name in PARTS["documents"].fields[:5]), one["content"] + b"".join(piece["piece"] for piece in rest),
                     one["content_type"], int(one["updated"])))
    return made


def _put_state(row: Row) -> list[tuple[str, Document]]:
    subject, course, body, held = row
    said = {"held": f"{subject}\0{course}"} if held else {}
    return [("states", {"_id": digest(subject, course), "subject": subject, "course": course, "body": body, **said})]


def _states(calls: Calls, found: list[Document]) -> list[Row]:
    return [(one["subject"], one["course"], one["body"], int("held" in one)) for one in found]


def _put_attempt(row: Row) -> list[tuple[str, Document]]:
    delivery, place, at, state, used, why, status, milliseconds, body = row
    return [(owed.ATTEMPTS, owed.attempt(owed.key(delivery) or b"", place, at, state, used, why, status, milliseconds, body))]


def _attempts(calls: Calls, found: list[Document]) -> list[Row]:
    if found:
        # the page may end in the midst of a delivery's
        name = found[-1]["_id"]
        found += calls.find(owed.ATTEMPTS, {"_id": {"$gt": name, "$lte": name[:16] + b"\xff" * 4}}, sort=[("_id", 1)])
    made: list[Row] = []
    for name, some in groupby(found, key=lambda one: one["_id"][:16]):
        for place, one in enumerate(sorted(some, key=lambda one: (one["at"], one["_id"])), 1):
            made.append((owed.shown(name), place, int(one["at"]), one["state"], int(one["attempts"]), one["why"], _plain(one["status"]),
                         float(one["milliseconds"]), one["body"]))
    return made


DELIVERY = PARTS["deliveries"].fields[1:]
FLAGS = ("unclear", "tried", "released", "reached", "arrived")
HOLDING = ("lease", "owner")


def _put_delivery(row: Row) -> list[tuple[str, Document]]:
    said = dict(zip(DELIVERY, row[1:], strict=True))
    document = {"_id": owed.key(row[0]), **_fields(DELIVERY, row[1:]), **owed.about(said["event"], said["payload"]),
                **{name: bool(said[name]) for name in FLAGS}}
    gone = [name for name in (*HOLDING, "lost") if not said[name]]
    if said["state"] == "leased":
        document["leased"] = said["target"]
        gone = [name for name in gone if name not in HOLDING]
    return [(owed.NAME, {name: value for name, value in document.items() if name not in gone})]


def _deliveries(calls: Calls, found: list[Document]) -> list[Row]:
    default = {**dict.fromkeys(HOLDING, ""), "lost": 0}
    return [(owed.shown(one["_id"]), *(_plain(one.get(name, default.get(name))) for name in DELIVERY)) for one in found]


def _put_session(row: Row) -> list[tuple[str, Document]]:
    kept = KEPT["sessions"]
    document = _fields(kept.fields, row)
    return [(kept.collection, {"_id": kept.at(row[:2]), **document, "last": document.get("last", Int64(sessions.NEVER))})]


def _sessions(calls: Calls, found: list[Document]) -> list[Row]:
    fields = KEPT["sessions"].fields
    return [tuple(None if value == sessions.NEVER else value for value in (_plain(one.get(name)) for name in fields)) for one in found]


def _put_audit(row: Row) -> list[tuple[str, Document]]:
    return [(audit.NAME, {**_fields(KEPT["audit"].fields, row), "noun": row[3].partition(".")[0]})]


def _put_feed(row: Row) -> list[tuple[str, Document]]:
    return [("feed", {"_id": digest(row[1], str(row[2])), **_fields(KEPT["feed"].fields, row)})]


def _put_payload(row: Row) -> list[tuple[str, Document]]:
    return [(payloads.NAME, {"_id": payloads.named(row[2], row[4]), **_fields(KEPT["payloads"].fields, row)})]


def _put_rejection(row: Row) -> list[tuple[str, Document]]:
    n, *said = row
    return [(rejections.NAME, rejections.fields_of(Rejection(*said), n))]


def _put_place(row: Row) -> list[tuple[str, Document]]:
    return [(PLACES[row[0]], {"_id": 1, "seq": Int64(row[1]), **WRITES})]


def _put_number(row: Row) -> list[tuple[str, Document]]:
    return [("numbers", {"_id": row[0], "n": Int64(row[1])})]


_READ: dict[str, Callable[[Calls, list[Document]], list[Row]]] = {
    "statements": _statements, "credentials": _credentials, "documents": _documents, "states": _states, "attempts": _attempts,
    "deliveries": _deliveries, "sessions": _sessions}
_WRITE: dict[str, Puts] = {
    "statements": _put_statement, "credentials": _put_credential, "mappings": _put_mapping, "documents": _put_document,
    "states": _put_state, "attempts": _put_attempt, "deliveries": _put_delivery, "sessions": _put_session, "audit": _put_audit,
    "feed": _put_feed, "payloads": _put_payload, "rejections": _put_rejection, "places": _put_place, "numbers": _put_number}
