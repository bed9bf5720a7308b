"""What a store promises about payloads: what outside sources sent, kept as it came for a while."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Payload:
    """What came over a connection. `at` is µs since 1970 UTC, `kind` the source's name of the event ('' if it names
    none), `note` why nothing was made of it ('' where something was, or nothing is made of such events)."""

    n: int
    at: int
    connection: str
    kind: str
    body: bytes
    note: str


class Payloads(Protocol):
    """Payloads are evidence and diagnosis; statements do not depend on them. Every method may raise `StoreUnavailable`."""

    def keep(self, connection: str, kind: str, body: bytes, note: str = "") -> int:
        """Keep it, durable on return; its number. The same body of the same connection is kept once: kept again, only
        its note changes (unless the new one is '')."""
        ...

    def list(self, connection: str = "", *, before: int = 0, limit: int = 100) -> list[Payload]:
        """The newest first, of one connection or of all; `before`: only those with a lower number (0: from the newest)."""
        ...

    def purge(self, older_than: int, connection: str = "") -> int:
        """Remove what came before this time (µs since 1970), of one connection or of all; how many were removed."""
        ...
