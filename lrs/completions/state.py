"""What is known of one subject in one course: the evidence, the windows, and what was published of each."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

import orjson

from lrs.completions.model import Evidence


@dataclass(frozen=True, slots=True)
class Window:
    """One achievement. `n` is its number and `id` its event id, both given when it was opened and never changed.

    `anchor` is the time (µs) of the evidence that opened it, `opened` that evidence's seq. `registration` is set in
    courses with attempts per registration. `revision` is the last published one (0: none), `status`,
    `score_scaled`, `score_raw` what it said, `revoked` whether it was a revoke.
    """

    n: int
    id: str
    anchor: int
    opened: int
    registration: str = ""
    revision: int = 0
    status: str = ""
    score_scaled: float | None = None
    score_raw: float | None = None
    revoked: bool = False


@dataclass(frozen=True, slots=True)
class CourseState:
    """`evidence` by statement seq; `placed`: the window number of each seq that belongs to one. Never mutated."""

    evidence: Mapping[int, Evidence] = field(default_factory=dict)
    placed: Mapping[int, int] = field(default_factory=dict)
    windows: tuple[Window, ...] = ()


def to_json(state: CourseState) -> bytes:
    """The state as JSON text; equal states give equal bytes, and `from_json` gives the very state back."""
    value = {
        "evidence": [_row(state.evidence[seq], _EVIDENCE) for seq in sorted(state.evidence)],
        "placed": sorted([seq, n] for seq, n in state.placed.items()),
        "windows": [_row(w, _WINDOW) for w in state.windows],
    }
    return orjson.dumps(value)


def from_json(text: bytes | str) -> CourseState:
    """The state that `to_json` wrote. Raises ValueError or TypeError for anything else."""
    value = orjson.loads(text)
    evidence = [Evidence(**row) for row in value["evidence"]]
    return CourseState(
        {e.seq: e for e in evidence},
        dict(value["placed"]),
        tuple(Window(**row) for row in value["windows"]),
    )


def _row(one: Evidence | Window, defaults: Mapping[str, object]) -> dict[str, object]:
    """Its fields. Optional ones are left out where they hold their default: a course that repeats its verdict stays small."""
    return {name: value for name, default in defaults.items() if (value := getattr(one, name)) != default}


# a field that must be given has MISSING, which nothing is equal to
_EVIDENCE: Mapping[str, object] = {one.name: one.default for one in fields(Evidence)}
_WINDOW: Mapping[str, object] = {one.name: one.default for one in fields(Window)}
