"""What a store promises about the data of attachments."""
from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Protocol


class Staged(Protocol):
    """Data that has been received and belongs to nothing yet."""

    @property
    def matches(self) -> bool:
        """Whether its bytes have the hash under which it came."""
        ...

    def head(self, size: int) -> bytes:
        """Its first bytes, at most `size`."""
        ...

    def keep(self) -> None:
        """Keep it for good under its hash, durable on return; the same bytes are kept once. May raise `StoreUnavailable`."""
        ...

    def discard(self) -> None:
        """Let go of it, unless it was kept. May be called twice."""
        ...


class Attachments(Protocol):
    """Bytes by their SHA-2 hash (lower-case hex). Methods may raise `StoreUnavailable`."""

    def stage(self, pieces: Iterable[bytes], sha2: str, digest: Any) -> Staged:
        """Receive data without holding it in memory; `digest` is a new `hashlib` object that is fed on the way. What the
        pieces raise is raised, and nothing is left behind."""
        ...

    def has(self, sha2: str) -> bool:
        """Whether the content is here."""
        ...

    def read(self, sha2: str) -> Iterator[bytes]:
        """The content in pieces of at most 64 kB; nothing where it is not here."""
        ...

    def size(self, sha2: str) -> int | None:
        """Its bytes; None where it is not here."""
        ...
