"""What a store promises about the data of attachments."""
from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol


class Attachments(Protocol):
    """Bytes by their SHA-2 hash (lower-case hex): the same bytes are kept once. Methods may raise `StoreUnavailable`."""

    def put(self, sha2: str, content: bytes) -> None:
        """Keep the content, durable on return. Its hash has been checked."""
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
