"""What a store promises about the audit log."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Entry:
    """Who did what to what. `who` is a credential's key, or `cli:<system user>`; `action` a noun and a verb
    (`target.pause`); `thing` the name of what it was done to; `detail` what matters of before and after, never a
    secret. `at` is µs since 1970 UTC, `n` its number in the log. `refused`: '' or why it was not done."""

    who: str
    action: str
    thing: str
    detail: Mapping[str, Any] = field(default_factory=dict)
    refused: str = ""
    at: int = 0
    n: int = 0


class Audit(Protocol):
    """An append-only log: there is no method that changes or removes an entry."""

    def append(self, entry: Entry) -> int:
        """Write it, durable on return; its number. `at` and `n` are the store's. Raises `StoreUnavailable`."""
        ...

    def list(self, *, thing: str = "", who: str = "", action: str = "", before: int | None = None, limit: int = 100) -> list[Entry]:
        """The newest first, those with n < `before`; `action` may be a noun alone (`target`)."""
        ...
