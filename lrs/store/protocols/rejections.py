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


@dataclass(frozen=True, slots=True)
class Sought:
    """Which rejections: all conditions hold, '' and None are none. `rule` is the key of one of its findings' rules;
    `since` (inclusive) and `until` (exclusive) are µs since 1970 UTC."""

    credential_id: str = ""
    code: str = ""
    rule: str = ""
    status: int | None = None
    since: int | None = None
    until: int | None = None


ALL = Sought()
KEPT_US = 30 * 86_400 * 1_000_000
"""µs that a refusal is kept."""
COUNTED_BY = ("rule", "cause", "code", "status", "credential")
"""What rejections can be counted by. `cause`: of a conflict its known cause, else the code."""


class Rejections(Protocol):
    """The log in which a provider looks up why a statement was refused. It keeps 30 days; older rows are never shown."""

    def wants(self, credential_id: str, at: int) -> bool:
        """Whether `note` would keep a rejection of this credential at this time (µs): what is costly to make need not be
        made for a flood. Never raises."""
        ...

    def note(self, rejection: Rejection) -> None:
        """Keep it soon (buffered up to 1 s); at most 60 a minute a credential. Never raises."""
        ...

    def list(self, credential_id: str = "", limit: int = 100, *, sought: Sought = ALL, before: int | None = None) -> list[Rejection]:
        """The newest first, of one credential or of all, those with n < `before`."""
        ...

    def by_number(self, n: int) -> Rejection | None:
        """The rejection with this number."""
        ...

    def counts(self, by: str, sought: Sought = ALL, most: int = 10_000) -> dict[str, int]:
        """How many of the newest `most` there are of each (one of `COUNTED_BY`), the most frequent first. A request that
        breaks several rules counts once for each; one without findings has the rule of its code."""
        ...

    def purge(self, older_than: int) -> int:
        """Remove what came before this time (µs since 1970 UTC); how many."""
        ...

    def count(self) -> int:
        """How many are kept."""
        ...

    def flush(self) -> None:
        """Write what this process has buffered. Raises `StoreUnavailable`."""
        ...
