"""Keeps the definitions of activities: follows the log of statements and puts what they say into the store's table."""
from __future__ import annotations

import time

from lrs.auth.defining import learned, said
from lrs.services import Services

SLICE = 500
"""Statements a write: it stays well below the 50 ms that the worker may hold up who stores."""
EVERY = 5.0
"""Seconds between two writes while less than a slice is new; who asks meanwhile reads that tail itself."""


class Definitions:
    """One slice a call. Several workers may do it: a slice that another one was faster with changes nothing."""

    def __init__(self, services: Services) -> None:
        self._store = services.store
        self._next = 0.0

    def __call__(self) -> int:
        """Learn from the next statements; how many they were, 0 when there is nothing to do for now."""
        if time.monotonic() < self._next:
            return 0
        cursor, _ = self._store.definitions.of(())
        records = self._store.statements.follow(cursor, SLICE)
        if len(records) < SLICE:
            self._next = time.monotonic() + EVERY
        if not records:
            return 0
        told = list(said(records))
        _, known = self._store.definitions.of(list({activity for _, definitions in told for activity, _ in definitions}))
        self._store.definitions.learn(learned(self._store.credentials, known, told), cursor, records[-1].seq)
        return len(records)
