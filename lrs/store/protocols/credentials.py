"""What a store promises about credentials."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Launch:
    """What limits a credential to one launch of content: the Agent (JSON text), the activity's id, when it `expires` (µs
    since 1970 UTC), the registration ('' for none), the key of the credential it was made `for_key` ('' for none: it ends
    with that one), and the hash of the token that fetches it once (empty: nothing does)."""

    actor: bytes
    activity: str
    expires: int
    registration: str = ""
    for_key: str = ""
    fetch: bytes = b""


@dataclass(frozen=True, slots=True)
class Credential:
    """A Basic credential. `key` is also its id, `digest` the keyed hash of its secret, `authority` the JSON text of
    the Agent that its statements carry (xAPI 1.0.3 Data 2.4.9), fixed at creation. `created` is µs since 1970 UTC.
    `origins`: the pages that may use it from a browser; empty: those of the setting. `launch`: one launch's limits."""

    key: str
    name: str
    provider: str
    scopes: frozenset[str]
    digest: bytes
    authority: bytes
    created: int
    revoked: bool = False
    origins: tuple[str, ...] = ()
    launch: Launch | None = None


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
        """All credentials but those of launches, oldest first."""
        ...

    def origins(self, now: int) -> frozenset[str]:
        """The origins of all credentials that are open at `now` (µs since 1970 UTC)."""
        ...

    def fetch(self, token: bytes) -> tuple[Credential, bool] | None:
        """The launch credential that this hash of a token fetches, and whether this is the first time: of many who ask
        at once one is the first. None if there is none."""
        ...

    def sweep(self, before: int) -> int:
        """Remove launch credentials that expired before this time (µs since 1970 UTC); how many."""
        ...

    def revoke(self, key: str) -> bool:
        """From the next request on it opens nothing; False if there is none."""
        ...
