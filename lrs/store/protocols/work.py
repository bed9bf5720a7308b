"""What a store promises about the worker's side: cursors, achievements, the feed, deliveries, targets."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a consumer has come: the seq of the last statement, the number of the last directory change."""

    seq: int = 0
    change: int = 0


@dataclass(frozen=True, slots=True)
class StateRow:
    """What is known of a subject in a course, as JSON (`lrs.completions.state`); body None deletes it.
    `held`: an achievement of it waits until the subject becomes a person."""

    subject: str
    course: str
    body: bytes | None
    held: bool = False


@dataclass(frozen=True, slots=True)
class Published:
    """A row for the feed: event, achievement id, revision, the payload's bytes exactly as they will be served."""

    event: str
    event_id: str
    revision: int
    body: bytes


@dataclass(frozen=True, slots=True)
class FeedRow:
    """A row of the feed: `n` is its number, rising without a gap."""

    n: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Output:
    """What routing one slice yields. `owed` names the targets of each publication by index; `cancelled` the
    achievement ids whose unsent deliveries are to be cancelled; `released` what changed, as ("person", employee id) or
    ("course", course id): deliveries about it that were parked become due. `fences`: other consumers' cursors, which
    must stand so when this is written: states are read, changed and put back, and no two consumers may do so at once."""

    states: Sequence[StateRow] = ()
    published: Sequence[Published] = ()
    owed: Sequence[tuple[int, str]] = ()
    cancelled: Sequence[str] = ()
    released: Sequence[tuple[str, str]] = ()
    fences: Sequence[tuple[str, Cursor]] = ()


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that is ours until `lease_until` (µs). `id` is the webhook-id; `unclear`: an earlier attempt ended
    unknown; `attempts` used up so far; `event` may say completed for an update whose target never got one."""

    id: str
    target: str
    event: str
    event_id: str
    revision: int
    payload: bytes
    attempts: int
    unclear: bool
    lease: str
    lease_until: int


@dataclass(frozen=True, slots=True)
class Attempt:
    """How one attempt ended, and what becomes of the delivery: `state`, `attempts` used up, `due` µs. `unclear`: the
    target may have acted on it; `target_state`: paused or disabled where the whole target must stop."""

    id: str
    lease: str
    at: int
    state: str
    attempts: int
    due: int | None
    why: str
    status: int | None = None
    milliseconds: float = 0.0
    body: str = ""
    unclear: bool = False
    target_state: str = ""


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """A delivery as an operator sees it; times in µs."""

    id: str
    target: str
    event: str
    event_id: str
    revision: int
    state: str
    attempts: int
    due: int | None
    why: str
    created: int


@dataclass(frozen=True, slots=True)
class TargetRow:
    """A target: connector, settings, state (active | paused | disabled) and why it is in it."""

    name: str
    connector: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    state: str = "active"
    why: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which deliveries: all conditions hold; `since`, `until` are µs of creation (since inclusive, until exclusive)."""

    ids: tuple[str, ...] = ()
    target: str = ""
    state: str = ""
    since: int | None = None
    until: int | None = None


class Work(Protocol):
    """The worker's side of the store. Every method may raise `StoreUnavailable`."""

    def cursor(self, consumer: str) -> Cursor:
        """Where the consumer stands; the beginning if it never ran."""
        ...

    def advance(self, consumer: str, was: Cursor, now: Cursor, output: Output) -> bool:
        """Output and cursor in ONE write; False (and nothing written) if the cursor is not `was` any more, or a fence
        has moved. A publication whose (id, revision) the feed has already is refused by itself, and said in the log: the
        first stands, nobody is owed the second, and the consumer goes on."""
        ...

    def states(self, subjects: Sequence[str]) -> list[StateRow]:
        """Everything known of these subjects."""
        ...

    def feed(self, after: int, limit: int) -> list[FeedRow]:
        """At most `limit` rows with n > after, oldest first."""
        ...

    def claim_due(self, n: int, lease_seconds: float, owner: str, now: int) -> list[Claimed]:
        """At most n deliveries that are due, leased in one commit; never two of one achievement and target."""
        ...

    def record(self, attempts: Sequence[Attempt]) -> int:
        """Write how attempts ended, in one commit; a stale lease changes nothing. Returns how many were written."""
        ...

    def deliveries(self, wanted: Wanted, limit: int) -> list[DeliveryRow]:
        """The newest first."""
        ...

    def attempts(self, delivery_id: str) -> list[Attempt]:
        """Every attempt of a delivery, oldest first."""
        ...

    def replay(self, wanted: Wanted, *, now: int, dry: bool) -> int:
        """Make finished deliveries due again under the same id; `dry` only counts them."""
        ...
