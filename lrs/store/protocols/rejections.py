"""What a store promises about refused requests."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Rejection:
    """A refused request: when (µs), by whom, its status, code, the JSON of its findings, its first 2 kB."""

    at: int
    credential_id: str
    status: int
    code: str
    detail: str
    excerpt: str
    n: int = 0


class Rejections(Protocol):
    """The log in which a provider looks up why a statement was refused."""

    def note(self, rejection: Rejection) -> None:
        """Keep it soon (buffered up to 1 s); at most 60 a minute a credential. Never raises."""
        ...

    def list(self, credential_id: str = "", limit: int = 100) -> list[Rejection]:
        """The newest first, of one credential or of all."""
        ...
