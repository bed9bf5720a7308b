"""Who is refused again and again rests for a while, so that others have the process: pure, one object a web process."""
from __future__ import annotations

from collections import OrderedDict

SECONDS = 5.0
"""For so long a client may be refused at the limit's rate before it rests; a burst of as many is the same."""

REST = 10.0
"""Seconds of rest."""

COUNTED = frozenset({400, 401, 403, 413, 415, 422})
"""Refusals that a client brings about by what it sends. Not 404, 409 and 412: asking for what is not there is usual."""

CLIENTS_MAX = 10_000
"""Clients remembered; who was refused longest ago is forgotten first."""


class Refusals:
    """Counts refusals by client: more than `rate` a second for `SECONDS` make it rest. Times are seconds of any clock that
    never goes back. `rate` 0: nobody ever rests."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._resting: dict[str, float] = {}
        self._until = 0.0

    def refused(self, client: str, now: float) -> None:
        """This client was refused just now."""
        if not self._rate or not client:
            return
        level, at = self._levels.pop(client, (0.0, now))
        level = max(0.0, level - (now - at) * self._rate) + 1
        if level > self._rate * SECONDS:
            self._until = now + REST
            self._resting = {one: until for one, until in self._resting.items() if until > now} | {client: self._until}
            return
        self._levels[client] = level, now
        if len(self._levels) > CLIENTS_MAX:
            self._levels.popitem(last=False)

    def rest(self, client: str, now: float) -> float:
        """Seconds until it is heard again; 0 for who does not rest."""
        return max(0.0, self._resting.get(client, 0.0) - now)

    def anybody(self, now: float) -> bool:
        """Whether anybody rests: else there is no need to look who asks."""
        return now < self._until
