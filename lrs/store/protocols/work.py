"""What a store promises about the worker's side: cursors, achievements, the feed, deliveries, targets."""
from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import msgspec


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a consumer has come: the seq of the last statement, the number of the last directory change."""

    seq: int = 0
    change: int = 0


BEGINNING = Cursor()
"""Of a consumer that has not begun."""


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
    must stand so when this is written: states are read, changed and put back, and no two consumers may do so at once.

    Consumers that do so at once all the same, as partitions of routing may, say what they have gone by: `loaded`, the
    `fingerprint` of all states of each subject; `heard`, the highest revision that the feed had of an achievement (0: none)."""

    states: Sequence[StateRow] = ()
    published: Sequence[Published] = ()
    owed: Sequence[tuple[int, str]] = ()
    cancelled: Sequence[str] = ()
    released: Sequence[tuple[str, str]] = ()
    fences: Sequence[tuple[str, Cursor]] = ()
    loaded: Mapping[str, bytes] = field(default_factory=dict)
    heard: Mapping[str, int] = field(default_factory=dict)


def fingerprint(states: Iterable[StateRow]) -> bytes:
    """16 bytes that are others when the states of a subject, given in the order of their courses, are."""
    made = hashlib.blake2b(digest_size=16)
    for one in states:
        for part in (one.course.encode(), one.body or b"", b"held" if one.held else b""):
            made.update(len(part).to_bytes(8, "big") + part)
    return made.digest()


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that is ours until `lease_until` (µs of the store's time, in which no step of a wall clock is seen). `id`
    is the webhook-id; `unclear`: an earlier attempt ended unknown; `attempts` used up so far; `event` may say completed for
    an update whose target never got one."""

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
    target may have acted on it; `target_state`: paused or disabled where the whole target must stop; `says`: what it
    tells of the target: up (delivered) | refused (it answers, and takes this one not) | down | slow (asked to slow
    down) | '' (nothing); `not_before`: µs, when the target wants to be called again, 0 if it did not say."""

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
    says: str = ""
    not_before: int = 0


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


class Health(msgspec.Struct, frozen=True):
    """What is remembered of a target between calls; times in µs, 0 = never. `tokens` as of `refilled_at` (None: never
    called); `served_at` of the last claim; `not_before`: it asked to be left alone until then; `failures` in a row,
    `openings` of the breaker in a row and `open_until`; `failed` and `first_failure_at` of the failures since the last
    delivery, `failing_since` once they were several."""

    tokens: float | None = None
    refilled_at: int = 0
    served_at: int = 0
    not_before: int = 0
    failures: int = 0
    openings: int = 0
    open_until: int = 0
    failed: int = 0
    first_failure_at: int = 0
    failing_since: int = 0


NEVER_CALLED = Health()


@dataclass(frozen=True, slots=True)
class TargetRow:
    """A target: connector, settings, state (active | paused | disabled) and why it is in it."""

    name: str
    connector: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    state: str = "active"
    why: str = ""
    health: Health = NEVER_CALLED


@dataclass(frozen=True, slots=True)
class Admission:
    """How many calls of a target may start now, how many deliveries one of them may carry, and its health as of now
    (before the tokens of these calls are taken)."""

    calls: int
    batch: int
    health: Health


class Limits(Protocol):
    """The rules of pace and rest, handed in: pure functions that the store calls inside its write."""

    @property
    def lone_waits(self) -> Sequence[int]:
        """Seconds before the first, second … try alone of a delivery whose workers ended (see `claim_due`)."""
        ...

    def admit(self, target: TargetRow, in_flight: int, now: int) -> Admission:
        """How many calls may start beside those in flight."""
        ...

    def judge(self, target: TargetRow, ended: Sequence[Attempt]) -> TargetRow:
        """The target (state, why, health) after these attempts at it."""
        ...


class Unlimited:
    """`Limits` that admit everything, one delivery a call, and only stop a target that an attempt says must stop."""

    lone_waits: Sequence[int] = (0,)

    def admit(self, target: TargetRow, in_flight: int, now: int) -> Admission:
        """As many as are wanted."""
        return Admission(1_000_000 if target.state == "active" else 0, 1, target.health)

    def judge(self, target: TargetRow, ended: Sequence[Attempt]) -> TargetRow:
        """As the last attempt that says so."""
        for one in ended:
            target = replace(target, state=one.target_state, why=one.why) if one.target_state else target
        return target


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which deliveries: all conditions hold; `since`, `until` are µs of creation (since inclusive, until exclusive);
    `event` such as learning.completed; `person` an employee id; `course` a course's id."""

    ids: tuple[str, ...] = ()
    target: str = ""
    state: str = ""
    since: int | None = None
    until: int | None = None
    event: str = ""
    person: str = ""
    course: str = ""


@dataclass(frozen=True, slots=True)
class Removal:
    """Whether a target is gone; if not, how many of its deliveries are not sent yet, and how many are on the wire."""

    done: bool
    waiting: int = 0
    sending: int = 0


class Work(Protocol):
    """The worker's side of the store. Every method may raise `StoreUnavailable`."""

    def cursor(self, consumer: str) -> Cursor:
        """Where the consumer stands; the beginning if it never ran."""
        ...

    def cursors(self) -> dict[str, Cursor]:
        """Every consumer's cursor, as of one moment."""
        ...

    def advance(self, consumer: str, was: Cursor, now: Cursor, output: Output) -> bool:
        """Output and cursor in ONE write; False (and nothing written) if the cursor is not `was` any more, or a fence
        has moved, or what was loaded or heard is not so any more. A publication whose (id, revision) the feed has already is
        refused by itself, and said in the log: the first stands, nobody is owed the second, and the consumer goes on."""
        ...

    def states(self, subjects: Sequence[str]) -> list[StateRow]:
        """Everything known of these subjects."""
        ...

    def subjects(self, prefix: str, limit: int) -> list[str]:
        """At most `limit` subjects of whom something is known and whose key begins so, in order."""
        ...

    def last_published(self, event_id: str) -> Published | None:
        """What the feed last said of this achievement: its highest revision; None where it has no row of it."""
        ...

    def holders(self, seq: int) -> list[str]:
        """The subjects for whom the statement with this seq is evidence. Looks at every state: for rare questions."""
        ...

    def feed(self, after: int, limit: int) -> list[FeedRow]:
        """At most `limit` rows with n > after, oldest first."""
        ...

    def claim_due(self, n: int, lease_seconds: float, owner: str, now: int, limits: Limits = ...,
                  ended: Sequence[Attempt] = (), alone: bool = False) -> list[Claimed]:
        """The deliveries of at most n calls that are due, leased in one commit, in which also what `ended` is recorded;
        those of one call bear the same `lease`. Leases go by the store's own time; `now` (µs, the wall clock) says what is
        due. Never two of one achievement and target. Places are shared out among the targets, the one with the fewest calls
        in flight first, within the `limits` of each over all workers.

        A delivery whose lease expired in the hands of two workers in a row is a suspect (`lrs.store.claiming`): it waits
        as `limits.lone_waits` say, and is claimed only where `alone` is asked for, then one, while no other suspect is in
        flight and the owner has nothing else in flight; the owner gets nothing beside it. Lost so three times it is dead;
        any recorded outcome makes it as good as new. Its losses are kept as attempts."""
        ...

    def is_suspect_due(self, now: int, limits: Limits = ...) -> bool:
        """Whether a claim `alone` may find something now; a look that writes nothing."""
        ...

    def record(self, attempts: Sequence[Attempt], limits: Limits = ...) -> int:
        """Write how attempts ended, and what that makes of their targets, in one commit; a stale lease changes nothing.
        Returns how many were written."""
        ...

    def give_back(self, claimed: Sequence[Claimed], now: int) -> None:
        """Return claims on which nothing was sent, due at once."""
        ...

    def deliveries(self, wanted: Wanted, limit: int, before: tuple[int, str] | None = None) -> list[DeliveryRow]:
        """The newest first, by (created, id); only those before the given (created, id) of a row."""
        ...

    def change_target(self, name: str, settings: Mapping[str, Any], before: Mapping[str, Any] | None = None) -> bool:
        """Replace a target's settings; its state stays. False if there is none, or if its settings are not `before` any
        more, where that is given: somebody else has changed them since they were read."""
        ...

    def attempts(self, delivery_id: str) -> list[Attempt]:
        """Every attempt of a delivery, oldest first."""
        ...

    def cancel(self, wanted: Wanted, *, why: str, dry: bool) -> int:
        """Cancel what is not being sent at this moment and not finished; `dry` only counts them."""
        ...

    def replay(self, wanted: Wanted, *, now: int, dry: bool) -> int:
        """Make finished deliveries due again under the same id; `dry` only counts them. Later revisions of theirs that
        were delivered go again after them, and count. Without `ids` or `state`, cancelled ones stay; nothing goes to a target that was
        removed."""
        ...

    def held(self, limit: int = ...) -> list[StateRow]:
        """States with an achievement that waits for a person."""
        ...

    def count_held(self) -> int:
        """How many there are."""
        ...

    def feed_length(self) -> int:
        """The number of the last row of the feed."""
        ...

    def data_version(self) -> int:
        """A number that is another one whenever somebody else has written what may give a worker something to do since it was
        read last."""
        ...

    def expire_leases(self, targets: Sequence[str], owner: str, now: int) -> int:
        """Make leases of other owners due at once, as unclear attempts: for the only worker, at its start, and for targets that
        drop a repeated webhook-id."""
        ...

    def release(self, wanted: Wanted, *, now: int) -> int:
        """Make parked deliveries due again; how many."""
        ...

    def count_by_state(self) -> dict[str, int]:
        """How many deliveries are in each state."""
        ...

    def oldest_due(self, target: str, now: int) -> int | None:
        """Since when (µs) the longest due delivery of a target has been due; None if none is."""
        ...

    def payload(self, delivery_id: str) -> bytes | None:
        """The bytes that a delivery carries; None if there is none of this id."""
        ...

    def add_target(self, target: TargetRow) -> bool:
        """Keep a new target; False if its name is taken. What was owed to a removed one of that name stands under another from
        then on (`former_name`): it is not the new one's."""
        ...

    def remove_target(self, name: str, *, drop: str = ...) -> Removal | None:
        """Remove a target that nothing waits for and nothing is on its way to; `drop`: cancel what waits, with this reason. What was
        owed to it stays on record. From this commit on nothing is owed to it. None if there is none."""
        ...

    def targets(self) -> list[TargetRow]:
        """All of them, by name."""
        ...

    def target(self, name: str) -> TargetRow | None:
        """The target of this name."""
        ...

    def set_target_state(self, name: str, state: str, why: str = ...) -> bool:
        """active | paused | disabled. Making it active forgets its faults and makes what waits due at once. False if there is
        none."""
        ...
