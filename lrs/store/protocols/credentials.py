"""What a store promises about credentials."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Credential:
    """A Basic credential. `key` is also its id, `digest` the keyed hash of its secret, `authority` the JSON text of
    the Agent that its statements carry (xAPI 1.0.3 Data 2.4.9), fixed at creation. `created` is µs since 1970 UTC."""

    key: str
    name: str
    provider: str
    scopes: frozenset[str]
    digest: bytes
    authority: bytes
    created: int
    revoked: bool = False


class Credentials(Protocol):
    """Who may talk to the store. Every method may raise `StoreUnavailable`."""

    @property
    def secret_key(self) -> bytes:
        """The 32-byte key of the secrets' hashes, made once by migrate and kept in the store."""
        ...

    def create(self, credential: Credential) -> bool:
        """Store it, durable on return; False (and nothing changed) if its key is taken."""
        ...

    def by_key(self, key: str) -> Credential | None:
        """The credential with this key, revoked ones included."""
        ...

    def list(self) -> list[Credential]:
        """All credentials, oldest first."""
        ...

    def revoke(self, key: str) -> bool:
        """From the next request on it opens nothing; False if there is none."""
        ...
