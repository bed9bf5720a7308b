"""What a store promises about live sessions: one row a run of a meeting, from its first event to its conclusion."""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A run of a meeting; all times in µs since 1970 UTC.

    `instance` and `series` are activity ids, `run` the vendor's id of the run. `first` and `last` are the times of the
    earliest and the latest thing known of it, `ended` that of its end. `reported`: the vendor's report has been read
    into statements. `due`: when to conclude (None: nothing new to conclude); `concluded` the number of the last
    conclusion; `why` what stood in its way or was wrong in it. `poll_due`: when to fetch the report next (None: no
    more); `polls` how often it was tried; `poll_why` what came of it. `revision` counts the writes of the row.
    """

    connection: str
    instance: str
    series: str = ""
    title: str = ""
    run: str = ""
    scheduled_start: int | None = None
    scheduled_seconds: int | None = None
    first: int | None = None
    last: int | None = None
    ended: int | None = None
    reported: bool = False
    due: int | None = None
    concluded: int = 0
    why: str = ""
    poll_due: int | None = None
    polls: int = 0
    poll_why: str = ""
    revision: int = 0


class Sessions(Protocol):
    """Every method may raise `StoreUnavailable`."""

    def cursor(self) -> int:
        """The seq of the last statement that the rows know of."""
        ...

    def advance(self, was: int, now: int, rows: Sequence[SessionRow]) -> bool:
        """Rows and cursor in ONE write; False, and nothing written, if the cursor is not `was` any more or one of the
        rows was written since it was read."""
        ...

    def rows(self, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], SessionRow]:
        """Those of the (connection, instance) that there are."""
        ...

    def put(self, row: SessionRow) -> bool:
        """Replace a row that was read; False, and nothing written, if it was written since."""
        ...

    def due(self, now: int, n: int) -> list[SessionRow]:
        """At most n sessions to conclude by now, the longest due first."""
        ...

    def poll_due(self, now: int, n: int) -> list[SessionRow]:
        """At most n sessions whose report is to be fetched by now, the longest due first."""
        ...

    def list(self, connection: str = "", limit: int = 100) -> list[SessionRow]:
        """Sessions of one connection or of all, the latest first."""
        ...

    def search_due(self, connection: str) -> int:
        """When the vendor is to be asked next which meetings there were, µs since 1970; 0 if it never was."""
        ...

    def searched(self, connection: str, was: int, due: int, why: str = "") -> bool:
        """Set that time; False, and nothing written, if it is not `was` any more: another worker is at it."""
        ...
