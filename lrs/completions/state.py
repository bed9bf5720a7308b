"""What is known of one subject in one course: the evidence, the windows, and what was published of each."""
from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from lrs.completions.model import Evidence


class Window(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
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


class CourseState(msgspec.Struct, frozen=True):
    """`evidence` by statement seq; `placed`: the window number of each seq that belongs to one. Never mutated."""

    evidence: Mapping[int, Evidence] = msgspec.field(default_factory=dict)
    placed: Mapping[int, int] = msgspec.field(default_factory=dict)
    windows: tuple[Window, ...] = ()


class _Kept(msgspec.Struct, forbid_unknown_fields=True):
    """A state as it is written down. Optional fields of its rows are left out where they hold their default: a course that
    repeats its verdict stays small."""

    evidence: Sequence[Evidence]
    placed: Sequence[tuple[int, int]]
    windows: tuple[Window, ...]


_ENCODER, _DECODER = msgspec.json.Encoder(), msgspec.json.Decoder(_Kept)


def to_json(state: CourseState) -> bytes:
    """The state as JSON text; equal states give equal bytes, and `from_json` gives the very state back."""
    evidence = state.evidence
    return _ENCODER.encode(_Kept([evidence[seq] for seq in sorted(evidence)], sorted(state.placed.items()), state.windows))


def from_json(text: bytes | str) -> CourseState:
    """The state that `to_json` wrote. Raises ValueError for anything else."""
    kept = _DECODER.decode(text)
    return CourseState({one.seq: one for one in kept.evidence}, dict(kept.placed), kept.windows)
