"""When the index of new statements is written, and when its rows are moved to where they stay."""
from __future__ import annotations

import time
from collections.abc import Callable

from lrs.store.protocols.statements import Statements

MANY, SOME_SECONDS = 500, 0.25
"""Statements of one slice after which more are expected at once; else how long they gather: a few at a time would each be pages of
a commit."""
GATHERED, QUIET_SECONDS = 16_000, 2.0
"""Statements whose rows gather before they are moved on, unless none came for so many seconds. Many moved together share the pages
that they fall on, and while statements come in fast nobody who posts has to wait for it. They fill some six megabytes, which the
one who adds to them keeps in memory."""
ROWS = 5_000
"""Rows moved in one transaction: some milliseconds in which nobody else writes."""


class Indexing:
    """A slice of it a call; how much was done, 0 when nothing is left for now."""

    def __init__(self, statements: Statements, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock`: seconds."""
        self._statements, self._clock = statements, clock
        self._next = self._newest = clock()
        # what an earlier process left is not known
        self._gathered, self._left = 0, True

    def __call__(self) -> int:
        """Raises `StoreUnavailable`."""
        now, indexed = self._clock(), 0
        if now >= self._next:
            indexed = self._statements.index_postings()
            self._next = now if indexed >= MANY else now + SOME_SECONDS
        if indexed:
            self._gathered, self._left, self._newest = self._gathered + indexed, True, now
        if not self._left or (self._gathered < GATHERED and now - self._newest < QUIET_SECONDS):
            return indexed
        merged = self._statements.merge_postings(ROWS)
        if not merged:
            self._gathered, self._left = 0, False
        return indexed + merged
