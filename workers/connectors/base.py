"""What a connector is: a delivery in, an outcome out; never an HTTP status."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Delivered:
    """The target has it. `remote_id` is the target's own id of what was written, if it told."""

    remote_id: str = ""


@dataclass(frozen=True, slots=True)
class Retry:
    """A passing fault; `after` seconds if the target said so, else by the schedule."""

    why: str
    after: float | None = None


@dataclass(frozen=True, slots=True)
class Throttled:
    """The target asked to slow down (uses up no attempt); `after` seconds."""

    why: str
    after: float | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """Refused for good: dead at once."""

    why: str


@dataclass(frozen=True, slots=True)
class Misconfigured:
    """The target's settings or secret are wrong (401, 403): the target is paused. `disable`: it answered 410."""

    why: str
    disable: bool = False


@dataclass(frozen=True, slots=True)
class Parked:
    """Cannot be sent until somebody adds what is missing (no employee id, no training type …)."""

    why: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """Not meant for this kind of target (a `failed` for a list of completions): cancelled, nobody need act."""

    why: str


Outcome = Delivered | Retry | Throttled | Rejected | Misconfigured | Parked | Skipped


@dataclass(frozen=True, slots=True)
class Answer:
    """An outcome with what is kept of the exchange for the attempt row (body ≤ 2 kB, secrets masked)."""

    outcome: Outcome
    status: int | None = None
    milliseconds: float = 0.0
    body: str = ""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event owed to one target. `id` is the webhook-id, constant over retries; `payload` the flat event."""

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
class Target:
    """A configured receiver. `settings` hold what its connector's schema asks for (url, secret, …)."""

    name: str
    connector: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    state: str = "active"
    why: str = ""


class Connector(Protocol):
    """Sends one kind of event stream to one kind of system. One that writes several deliveries in one call is a
    `BatchConnector`; one with a `pace` (`workers.limits.Pace`) says what its vendor bears."""

    name: str
    dedupes: bool
    """True if the receiver drops a repeated webhook-id, so that an unclear attempt may simply be sent again."""

    def send(self, delivery: Delivery, target: Target) -> Answer:
        """Send now; never raises for what the network or the target does."""
        ...

    def probe(self, target: Target) -> Answer:
        """Whether the target can be reached with its settings; writes nothing that stands for a completion."""
        ...

    def find(self, delivery: Delivery, target: Target) -> bool | None:
        """Whether the target already holds this event; None if it cannot be known."""
        ...


@runtime_checkable
class BatchConnector(Protocol):
    """Writes up to `batch_max` deliveries in one call. Only for targets that may be sent the same twice (`dedupes`)."""

    batch_max: int

    def send_batch(self, deliveries: Sequence[Delivery], target: Target) -> list[Answer]:
        """One call; an answer for each delivery, in their order. Refused as a whole: every answer is `Rejected` with
        the status of the call (400, 413, 422). Never raises for what the network or the target does."""
        ...

    def batch_key(self, delivery: Delivery, target: Target) -> str:
        """What two rows of one call may not share; '' if anything goes."""
        ...
