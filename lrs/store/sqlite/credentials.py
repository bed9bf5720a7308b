"""Credentials in statements.db."""
from __future__ import annotations

import json
import secrets
from functools import cached_property

from lrs.memo import Memo
from lrs.store.protocols.credentials import Credential, Launch
from lrs.store.sqlite.database import Database

SCRIPTS = (
    """CREATE TABLE credentials (key TEXT PRIMARY KEY, name TEXT NOT NULL, provider TEXT NOT NULL, scopes TEXT NOT NULL,
         digest BLOB NOT NULL, authority BLOB NOT NULL, created INTEGER NOT NULL, revoked INTEGER NOT NULL DEFAULT 0);
       CREATE TABLE secret_key (one INTEGER PRIMARY KEY CHECK (one = 1), key BLOB NOT NULL);""",
    """ALTER TABLE credentials ADD COLUMN origins TEXT NOT NULL DEFAULT '[]';
       ALTER TABLE credentials ADD COLUMN expires INTEGER NOT NULL DEFAULT 0;
       ALTER TABLE credentials ADD COLUMN launch TEXT NOT NULL DEFAULT '';
       ALTER TABLE credentials ADD COLUMN fetch BLOB NOT NULL DEFAULT x'';
       ALTER TABLE credentials ADD COLUMN fetched INTEGER NOT NULL DEFAULT 0;
       CREATE INDEX credentials_origins ON credentials (origins) WHERE origins <> '[]';
       CREATE INDEX credentials_fetch ON credentials (fetch) WHERE fetch <> x'';
       CREATE INDEX credentials_expires ON credentials (expires) WHERE expires > 0;
       CREATE INDEX credentials_lasting ON credentials (created, key) WHERE expires = 0""",
)
COLUMNS = "key, name, provider, scopes, digest, authority, created, revoked, origins, expires, launch, fetch"


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
        launch = credential.launch
        limits = "" if launch is None else json.dumps([launch.actor.decode(), launch.activity, launch.registration, launch.for_key])
        row = (credential.key, credential.name, credential.provider, json.dumps(sorted(credential.scopes)), credential.digest,
               credential.authority, credential.created, credential.revoked, json.dumps(credential.origins),
               launch.expires if launch else 0, limits, launch.fetch if launch else b"")
        with self._database.write() as db:
            return db.execute(f"INSERT OR IGNORE INTO credentials ({COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)", row).rowcount == 1

    def by_key(self, key: str) -> Credential | None:
        """The credential with this key, revoked ones included."""
        row = self._database.row(f"SELECT {COLUMNS} FROM credentials WHERE key = ?", (key,))
        return _CREDENTIALS[row] if row else None

    def list(self) -> list[Credential]:
        """All credentials but those of launches, oldest first."""
        with self._database.read() as db:
            return [_CREDENTIALS[row] for row in db.execute(f"SELECT {COLUMNS} FROM credentials WHERE expires = 0 ORDER BY created, key")]

    def origins(self, now: int) -> frozenset[str]:
        """The origins of all open credentials."""
        with self._database.read() as db:
            rows = db.execute("SELECT DISTINCT origins FROM credentials WHERE origins <> '[]' AND revoked = 0 "
                              "AND (expires = 0 OR expires > ?)", (now,)).fetchall()
        return frozenset(one for row in rows for one in json.loads(row[0]))

    def fetch(self, token: bytes) -> tuple[Credential, bool] | None:
        """The launch credential that this hash fetches, and whether this is the first time."""
        with self._database.write() as db:
            row = db.execute(f"SELECT {COLUMNS} FROM credentials WHERE fetch = ? AND fetch <> x''", (token,)).fetchone()
            if row is None:
                return None
            first = db.execute("UPDATE credentials SET fetched = 1 WHERE key = ? AND fetched = 0", (row[0],)).rowcount == 1
            return _CREDENTIALS[row], first

    def sweep(self, before: int) -> int:
        """Remove launch credentials that expired before this time."""
        with self._database.write() as db:
            return db.execute("DELETE FROM credentials WHERE expires > 0 AND expires < ?", (before,)).rowcount

    def revoke(self, key: str) -> bool:
        """From the next request on it opens nothing; False if there is none."""
        with self._database.write() as db:
            return db.execute("UPDATE credentials SET revoked = 1 WHERE key = ?", (key,)).rowcount == 1


def _credential(row: tuple) -> Credential:
    key, name, provider, scopes, digest, authority, created, revoked, origins, expires, launch, fetch = row
    limits = None
    if launch:
        actor, activity, registration, for_key = json.loads(launch)
        limits = Launch(actor.encode(), activity, expires, registration, for_key, bytes(fetch))
    return Credential(key, name, provider, frozenset(json.loads(scopes)), bytes(digest), bytes(authority), created, bool(revoked),
                      tuple(json.loads(origins)), limits)


_CREDENTIALS = Memo(_credential, 256)
