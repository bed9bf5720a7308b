"""Credentials in statements.db."""
from __future__ import annotations

import json
import secrets
from functools import cached_property

from lrs.store.protocols.credentials import Credential
from lrs.store.sqlite.database import Database

SCRIPTS = (
    """CREATE TABLE credentials (key TEXT PRIMARY KEY, name TEXT NOT NULL, provider TEXT NOT NULL, scopes TEXT NOT NULL,
         digest BLOB NOT NULL, authority BLOB NOT NULL, created INTEGER NOT NULL, revoked INTEGER NOT NULL DEFAULT 0);
       CREATE TABLE secret_key (one INTEGER PRIMARY KEY CHECK (one = 1), key BLOB NOT NULL);""",
)
COLUMNS = "key, name, provider, scopes, digest, authority, created, revoked"


class SqliteCredentials:
    """`lrs.store.protocols.credentials.Credentials` on SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def migrate(self) -> None:
        """Create the tables and the hash key where they are missing."""
        self._database.migrate("credentials", SCRIPTS)
        with self._database.write() as db:
            db.execute("INSERT OR IGNORE INTO secret_key VALUES (1, ?)", (secrets.token_bytes(32),))

    @cached_property
    def secret_key(self) -> bytes:
        """The key of the secrets' hashes."""
        with self._database.read() as db:
            return bytes(db.execute("SELECT key FROM secret_key").fetchone()[0])

    def create(self, credential: Credential) -> bool:
        """Store it; False if its key is taken."""
        row = (credential.key, credential.name, credential.provider, json.dumps(sorted(credential.scopes)),
               credential.digest, credential.authority, credential.created, credential.revoked)
        with self._database.write() as db:
            return db.execute(f"INSERT OR IGNORE INTO credentials ({COLUMNS}) VALUES (?,?,?,?,?,?,?,?)", row).rowcount == 1

    def by_key(self, key: str) -> Credential | None:
        """The credential with this key, revoked ones included."""
        with self._database.read() as db:
            row = db.execute(f"SELECT {COLUMNS} FROM credentials WHERE key = ?", (key,)).fetchone()
        return _credential(row) if row else None

    def list(self) -> list[Credential]:
        """All credentials, oldest first."""
        with self._database.read() as db:
            return [_credential(row) for row in db.execute(f"SELECT {COLUMNS} FROM credentials ORDER BY created, key")]

    def revoke(self, key: str) -> bool:
        """From the next request on it opens nothing; False if there is none."""
        with self._database.write() as db:
            return db.execute("UPDATE credentials SET revoked = 1 WHERE key = ?", (key,)).rowcount == 1


def _credential(row: tuple) -> Credential:
    key, name, provider, scopes, digest, authority, created, revoked = row
    return Credential(key, name, provider, frozenset(json.loads(scopes)), bytes(digest), bytes(authority), created, bool(revoked))
