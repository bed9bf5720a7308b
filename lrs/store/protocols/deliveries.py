"""What a store promises about deliveries: one for each event and target, claimed by one worker at a time."""
from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

OPEN = ("pending", "leased", "waiting", "parked")
"""The states that hold back later revisions of the same achievement at the same target."""

STATES = (*OPEN, "delivered", "dead", "cancelled")


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery leased to one worker. `id` is the webhook-id, constant over retries and replays. `event` is what is
    to be said now. `unclear`: an earlier try ended without an answer, so the target may have it already. `lease` is
    the token to record the outcome with; after `lease_until` (µs) somebody else may claim it."""

    id: str
    target: str
    event: str
    event_id: str
    revision: int
    payload: Mapping[str, Any]
    attempts: int = 0
    unclear: bool = False
    lease: str = ""
    lease_until: int = 0


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a claimed delivery. `state` is delivered | waiting | parked | dead | cancelled, `attempts` how
    many are used up now, `due` (µs) when to try again. `status`, `milliseconds` and `body` (cut at 2 kB) are kept as
    the attempt. `unclear`: it may have arrived though no answer came. `target_state`: paused or disabled to stop the
    whole target in the same write, for the reason `why`."""

    id: str
    lease: str
    state: str
    attempts: int
    due: int | None = None
    why: str = ""
    status: int | None = None
    milliseconds: float = 0.0
    body: str = ""
    remote_id: str = ""
    unclear: bool = False
    target_state: str = ""


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """A delivery as people see it. Times in µs since 1970 UTC."""

    id: str
    target: str
    event: str
    event_id: str
    revision: int
    subject: str
    course: str
    state: str
    attempts: int
    due: int
    why: str
    remote_id: str
    unclear: bool
    created: int
    changed: int


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try: when (µs), what came of it, the HTTP status if there was one, how long, the answer's first 2 kB."""

    at: int
    state: str
    status: int | None
    milliseconds: float
    why: str
    body: str


@dataclass(frozen=True, slots=True)
class Selection:
    """Which deliveries: all conditions that are given must hold. `since` inclusive and `until` exclusive (µs) are
    about when the delivery was created."""

    ids: Collection[str] = ()
    target: str = ""
    states: Collection[str] = ()
    event_id: str = ""
    since: int | None = None
    until: int | None = None


@dataclass(frozen=True, slots=True)
class Counts:
    """`deliveries` by state, `targets` by (target, state), `feed` rows, `parked_subjects` whom the directory does not
    know yet, `oldest_due` (µs) of what could be sent now or later."""

    deliveries: Mapping[str, int] = field(default_factory=dict)
    targets: Mapping[tuple[str, str], int] = field(default_factory=dict)
    feed: int = 0
    parked_subjects: int = 0
    oldest_due: int | None = None


class Deliveries(Protocol):
    """Unique on (target, event id, revision); made by `Work.advance` only."""

    def claim_due(
        self, n: int, lease_seconds: float, owner: str, now_us: int, targets: Collection[str] | None = None
    ) -> list[Claimed]:
        """Lease at most n due deliveries of active targets (of `targets`, if given), in turn by target; one commit.

        No two claims get the same delivery before its lease ends; one whose lease ended comes back as `unclear`.
        Nothing is claimed past an open earlier revision of the same achievement at the same target.
        """
        ...

    def record(self, results: Sequence[Result], now_us: int) -> int:
        """Write outcomes in one commit; how many counted. A stale lease token changes nothing."""
        ...

    def release_owner(self, owner: str, now_us: int) -> int:
        """Mark what a worker that is gone still holds as unclear; it is claimed again when its lease ends."""
        ...

    def deliveries(self, selection: Selection, limit: int = 100) -> list[DeliveryRow]:
        """The newest that match."""
        ...

    def delivery(self, delivery_id: str) -> DeliveryRow | None:
        """The one with this id."""
        ...

    def attempts(self, delivery_id: str) -> list[Attempt]:
        """Its tries, in order."""
        ...

    def replay(self, selection: Selection, now_us: int, *, dry: bool = False) -> int:
        """Send again, under the same id, those that match; or only count them. Leased and cancelled ones never;
        without ids or states: those delivered or dead."""
        ...

    def release(self, selection: Selection, now_us: int) -> int:
        """Make parked ones that match due now."""
        ...

    def counts(self) -> Counts:
        """What `lrs status` shows."""
        ...
