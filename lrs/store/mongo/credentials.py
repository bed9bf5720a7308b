"""Credentials in MongoDB."""
from __future__ import annotations

import builtins
import secrets
from functools import cached_property

from bson import Int64

from lrs.store.mongo.database import Calls, Database, Document, Layout
from lrs.store.protocols.credentials import Credential, Launch

NAME = "credentials"
LAYOUT = Layout(
    {NAME: {"by_expiry": [("expires", 1), ("created", 1), ("_id", 1)], "by_origins": [("origins", 1)], "by_fetch": [("fetch", 1)]},
     "secret_key": {}},
    {"secret_key": lambda: [{"_id": 1, "key": secrets.token_bytes(32)}]},
    frozenset({"by_origins", "by_fetch"}),
)


class MongoCredentials:
    """`lrs.store.protocols.credentials.Credentials` on MongoDB. `origins` and `fetch` are there only where they say something."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def migrate(self) -> None:
        """Create the collections, the indexes and the hash key where they are missing."""
        self._database.migrate(LAYOUT)

    @cached_property
    def secret_key(self) -> bytes:
        """The key of the secrets' hashes."""
        with self._database.read() as calls:
            found = calls.find("secret_key", {"_id": 1})
        return bytes(found[0]["key"])

    def create(self, credential: Credential) -> bool:
        """Store it; False if its key is taken."""
        def work(calls: Calls) -> bool:
            if calls.one(NAME, {"_id": credential.key}, {"_id": 1}):
                return False
            calls.insert(NAME, [_fields(credential)])
            return True

        return self._database.write(work)

    def by_key(self, key: str) -> Credential | None:
        """The credential with this key, revoked ones included."""
        with self._database.read() as calls:
            found = calls.one(NAME, {"_id": key})
        return _credential(found) if found else None

    def list(self) -> builtins.list[Credential]:
        """All credentials but those of launches, oldest first."""
        with self._database.read() as calls:
            return [_credential(one) for one in calls.find(NAME, {"expires": 0}, sort=[("created", 1), ("_id", 1)])]

    def origins(self, now: int) -> frozenset[str]:
        """The origins of all open credentials."""
        with self._database.read() as calls:
            found = calls.find(NAME, {"origins": {"$exists": True}, "revoked": False}, {"origins": 1, "expires": 1})
        return frozenset(origin for one in found if one["expires"] == 0 or one["expires"] > now for origin in one["origins"])

    def fetch(self, token: bytes) -> tuple[Credential, bool] | None:
        """The launch credential that this hash fetches, and whether this is the first time."""
        def work(calls: Calls) -> tuple[Credential, bool] | None:
            found = calls.one(NAME, {"fetch": token}) if token else None
            if found is None:
                return None
            first = not found["fetched"]
            if first:
                calls.update(NAME, {"_id": found["_id"]}, {"$set": {"fetched": True}})
            return _credential(found), first

        return self._database.write(work)

    def sweep(self, before: int) -> int:
        """Remove launch credentials that expired before this time."""
        with self._database.alone() as calls:
            return calls.delete_many(NAME, {"expires": {"$gt": 0, "$lt": before}})

    def revoke(self, key: str) -> bool:
        """From the next request on it opens nothing; False if there is none."""
        with self._database.alone() as calls:
            return calls.update(NAME, {"_id": key}, {"$set": {"revoked": True}})


def _fields(one: Credential) -> Document:
    fields: Document = {"_id": one.key, "name": one.name, "provider": one.provider, "scopes": sorted(one.scopes), "digest": one.digest,
                        "authority": one.authority, "created": Int64(one.created), "revoked": one.revoked, "expires": Int64(0)}
    if one.origins:
        fields["origins"] = list(one.origins)
    if one.launch is not None:
        launch = one.launch
        fields |= {"expires": Int64(launch.expires), "fetched": False, "actor": launch.actor, "activity": launch.activity,
                   "registration": launch.registration, "for_key": launch.for_key}
        if launch.fetch:
            fields["fetch"] = launch.fetch
    return fields


def _credential(found: Document) -> Credential:
    launch = None
    if "actor" in found:
        launch = Launch(found["actor"], found["activity"], int(found["expires"]), found["registration"], found["for_key"],
                        found.get("fetch", b""))
    return Credential(found["_id"], found["name"], found["provider"], frozenset(found["scopes"]), found["digest"], found["authority"],
                      int(found["created"]), found["revoked"], tuple(found.get("origins", ())), launch)
