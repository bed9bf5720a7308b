"""Who is given which of the deliveries that are due, and what becomes of one whose worker ended: the rules of every store, pure."""
from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TypeVar

import orjson

from lrs.statements.instants import printed
from lrs.store.protocols.work import Admission, Attempt, Limits, TargetRow

COMPANY = 2
"""Workers that ended in a row while they held a delivery and others: after so many it is a *suspect*, and is sent alone.
In company a loss proves nothing: any of those in flight, or nothing of them, may have been the cause."""

ALONE = 3
"""Workers that ended in a row while they held a suspect and nothing else: after so many it is dead."""

AHEAD_MAX_US = 2 * 86_400 * 1_000_000
"""µs; nothing waits so long. A time further ahead was set by a clock that was wrong, and is taken for now."""

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Standing:
    """A target for which something is due and that may be called: its calls in flight, and how many may start."""

    target: TargetRow
    in_flight: int
    admission: Admission


@dataclass(frozen=True, slots=True)
class Loss:
    """What becomes of a delivery whose lease ended without an outcome: `state` waiting | dead, `lost` times in a row until
    now, `due` µs (None: dead), `why` for people. `noted`: it is written down as an attempt."""

    state: str
    lost: int
    due: int | None
    why: str
    noted: bool


def is_suspect(lost: int) -> bool:
    """Whether a delivery that was lost so often in a row goes alone."""
    return lost >= COMPANY


def after_loss(lost: int, owner: str, until: int, now: int, waits: Sequence[int]) -> Loss:
    """What becomes of a delivery that had been lost `lost` times in a row before its `owner` ended, whose lease ran until
    `until` (µs); `now` is when that is found, by the wall clock. `waits`: seconds before a suspect's first, second … try alone.

    A suspect is claimed alone only (see `held_back`), so its further losses are losses alone.
    """
    lost, alone = lost + 1, lost + 1 - COMPANY
    who = f"{owner or 'a worker'} (its lease ended {_utc(until)})"
    if alone >= ALONE:
        why = (f"{ALONE} workers ended while they were sending it and nothing else, the last one {who}; its attempts name the others. "
               "Look in their logs for what ended them, then replay it")
        return Loss("dead", lost, None, why, True)
    if alone < 0:
        return Loss("waiting", lost, now, f"its worker ended while it was sending it and others: {who}", False)
    if alone:
        why = f"{alone} of {ALONE}: its worker ended while it was sending it and nothing else: {who}"
    else:
        why = f"{COMPANY} workers in a row ended while they were sending it and others, the last one {who}: it goes alone now"
    return Loss("waiting", lost, now + waits[min(alone, len(waits) - 1)] * 1_000_000, why, True)


def held_back(alone: bool, owner: str, holders: Sequence[str], in_flight: bool) -> bool:
    """Whether this claimant gets nothing now. `holders`: owners of the suspects that are in flight; `in_flight`: it has
    something in flight itself. Over all workers one suspect is in flight at most, and its owner has nothing beside it."""
    return bool(holders) or in_flight if alone else owner in holders


def calls(rows: Sequence[Row], batch: int, lost: Callable[[Row], int]) -> list[list[Row]]:
    """Rows, all due at one target, by call. Those whose worker ended go first, each in a call of its own."""
    again = [[row] for row in rows if lost(row)]
    fresh = [row for row in rows if not lost(row)]
    return again + [fresh[at:at + batch] for at in range(0, len(fresh), batch)]


def shares(n: int, standing: Mapping[str, Standing], waiting: Mapping[str, Sequence[object]]) -> dict[str, int]:
    """How many of its `waiting` calls each target gets of n: each place goes to the one with the fewest in flight, then to
    the one that was served longest ago."""
    given: dict[str, int] = {}
    for _ in range(n):
        hungry = [name for name in waiting if given.get(name, 0) < len(waiting[name])]
        if not hungry:
            break
        next_ = min(hungry, key=lambda name: (standing[name].in_flight + given.get(name, 0), standing[name].target.health.served_at, name))
        given[next_] = given.get(next_, 0) + 1
    return given


def judged(targets: Iterable[TargetRow], written: Iterable[tuple[str, Attempt]], limits: Limits) -> Iterator[tuple[TargetRow, str]]:
    """Those of the targets that attempts (target's name, attempt) change, as they are after them, each with what an operator should
    hear of it, '' for nothing."""
    known = {target.name: target for target in targets}
    for name, group in groupby(sorted(written, key=lambda pair: pair[0]), key=lambda pair: pair[0]):
        if name not in known:
            continue
        was = known[name]
        target = limits.judge(was, [attempt for _, attempt in group])
        if target == was:
            continue
        if target.state != was.state:
            yield target, f"target {name} {target.state}: {target.why}"
        elif target.health.openings > was.health.openings:
            yield target, f"target {name} rests: {target.health.failures} calls in a row failed"
        else:
            yield target, ""


def as_told(event: str, payload: bytes, *, got: bool, tried: bool) -> tuple[str, bytes] | None:
    """Event and payload as a target must hear them that `got` an earlier revision, or to which one may have come (`tried`):
    an update of what it never got is a completion, a revoke of what it never got is nothing (None)."""
    if event.endswith(".revoked") and not got and not tried:
        return None
    if event == "learning.updated" and not got:
        return "learning.completed", orjson.dumps({**orjson.loads(payload), "event": "learning.completed"})
    return event, payload


def _utc(us: int) -> str:
    return printed(us)[:19] + "Z"
