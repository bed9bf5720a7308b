"""What a store promises about the feed: the log of published events."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class FeedRow:
    """One published event. `n` is the row's own counter (1, 2, 3 … without gaps); `body` the bytes as served."""

    n: int
    body: bytes


class Feed(Protocol):
    """Rows are written by `Work.advance` only and never change."""

    def feed(self, after: int, limit: int) -> list[FeedRow]:
        """At most `limit` rows with n > after, oldest first. Re-reading gives the same bytes."""
        ...
