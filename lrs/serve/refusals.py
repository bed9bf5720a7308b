"""Who is refused again and again rests for a while, so that others have the process: pure, one object a web process."""
from __future__ import annotations

from collections import OrderedDict

SECONDS = 5.0
"""For so long a client may be refused at the limit's rate before it rests; a burst of as many is the same."""

REST = 10.0
"""Seconds of rest, from the last moment on at which it was refused at more than the rate."""

COUNTED = frozenset({400, 401, 403, 413, 415, 422})
"""Refusals that a client brings about by what it sends. Not 404, 409 and 412: asking for what is not there is usual."""

CLIENTS_MAX = 10_000
"""Clients remembered; who was refused longest ago is forgotten first."""


class Refusals:
    """Counts refusals by client: more than `rate` a second for `SECONDS` make it rest, until it has been slower for `REST`. Times are
    seconds of any clock that never goes back. `rate` 0: nobody ever rests."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._resting: dict[str, float] = {}
        self._until = 0.0

    def refused(self, client: str, now: float) -> None:
        """This client was refused just now."""
        if not self._rate or not client:
            return
        most = self._rate * SECONDS
        level, at = self._levels.pop(client, (0.0, now))
        level = max(0.0, level - (now - at) * self._rate) + 1
        self._levels[client] = min(level, most), now
        if level > most:
            if client not in self._resting:
                self._resting = {one: until for one, until in self._resting.items() if until > now}
            self._resting[client] = self._until = now + REST
        if len(self._levels) > CLIENTS_MAX:
            forgotten, _ = self._levels.popitem(last=False)
            self._resting.pop(forgotten, None)

    def rest(self, client: str, now: float) -> float:
        """Seconds until it is heard again; 0 for who does not rest. Who asks counts as refused, so that one who goes on at more than
        the rate goes on resting: what it sends after a rest would cost as much as before."""
        if self._resting.get(client, 0.0) <= now:
            return 0.0
        self.refused(client, now)
        return self._resting[client] - now

    def anybody(self, now: float) -> bool:
        """Whether anybody rests: else there is no need to look who asks."""
        return now < self._until
