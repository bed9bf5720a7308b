"""Removes what connections sent once it is older than their setting `retention_days`."""
from __future__ import annotations

from typing import Protocol

from lrs.store.protocols.connections import Connections
from lrs.store.protocols.payloads import Payloads

DAYS = 30
"""Of a connection that sets nothing."""
LONGEST = 366
DAY = 86_400 * 1_000_000


class Kept(Protocol):
    """The parts of a store that this needs."""

    @property
    def connections(self) -> Connections: ...
    @property
    def payloads(self) -> Payloads: ...


def purge(store: Kept, now: int) -> int:
    """Remove the payloads whose time is over at `now` (µs since 1970); how many. Once an hour is often enough."""
    removed = 0
    for connection in store.connections.list():
        days = connection.settings.get("retention_days", DAYS)
        kept = days if isinstance(days, int) and not isinstance(days, bool) and 1 <= days < LONGEST else DAYS
        removed += store.payloads.purge(now - kept * DAY, connection.name)
    # no connection keeps anything longer; what is older belongs to none
    return removed + store.payloads.purge(now - LONGEST * DAY)
