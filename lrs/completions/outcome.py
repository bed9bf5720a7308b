"""What the evidence of one window amounts to: status, score, and the statements that say so."""
from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from lrs.completions.model import Evidence

RANK: Mapping[str, int] = {"attended": 0, "completed": 1, "completed_failed": 2, "failed": 3, "passed": 4, "waived": 4, "awarded": 4}
"""The order of the statuses within an attempt (waived beside passed): only a rise is an update. `awarded` is the one
status of a credential and occurs in no course (rule 20)."""

DONE = frozenset({"completed", "completed_failed", "passed", "waived"})
FAILED = frozenset({"failed", "completed_failed"})
NEUTRAL = frozenset({"scored", "registration_passed", "withdrawn", "attended"})
"""Evidence that opens no window and has no status of its own."""


class Outcome(msgspec.Struct, frozen=True):
    """`at` (µs), `source`, `duration` are those of the first evidence that gave the status. `score_scaled` and
    `score_raw` are the best that belongs to the status; `own_score` is False where only a `scored` gave it.
    `statements`: the ids of all evidence that stands, in order of time."""

    status: str
    at: int
    source: str = ""
    duration: float | None = None
    score_scaled: float | None = None
    score_raw: float | None = None
    own_score: bool = True
    map_version: int = 1
    statements: tuple[str, ...] = ()


def outcome(evidence: Iterable[Evidence], all_of: Sequence[str] = ()) -> Outcome | None:
    """What living evidence of one window amounts to; None if nothing in it says that the course is done or failed.

    A function of the set: the order of arrival does not matter. `all_of`: evidence on these activities counts only
    together (rule 5). Evidence is taken in order of time, ties by seq (rule 15); a rise counts, and after a
    failure also what another registration, a later attempt, achieved; the rest is on record only.
    """
    standing = sorted(evidence, key=lambda e: (e.at, e.seq))
    parts = frozenset(all_of)
    passed = {e.registration for e in standing if e.status == "registration_passed"}
    speaking = [e for e in standing if e.activity not in parts and e.status not in NEUTRAL]
    verdicts = [(e, _effective(e, passed)) for e in speaking]
    whole = whole_of(standing, all_of)
    if whole is not None:
        verdicts = sorted([*verdicts, (whole, whole.status)], key=lambda v: (v[0].at, v[0].seq))
    decided = _walk(verdicts)
    if decided is None:
        return None
    first, status = decided
    same = [e for e, s in verdicts if s == status]
    scaled, raw, own = _best_score(status, same, verdicts, standing)
    return Outcome(
        status=status,
        at=first.at,
        source=first.source,
        duration=next((e.duration for e in [first, *same] if e.duration is not None), None),
        score_scaled=scaled,
        score_raw=raw,
        own_score=own,
        map_version=max(e.map_version for e in standing),
        statements=tuple(dict.fromkeys(e.statement_id for e in standing if e.status != "withdrawn")),
    )


def whole_of(standing: Sequence[Evidence], all_of: Sequence[str]) -> Evidence | None:
    """The completion that follows from the parts, dated by the last of them; None while one is missing (rule 5).

    All passed (or waived) is passed, one done without success is completed_failed, else completed. It has no score:
    an average would be invented.
    """
    if not all_of:
        return None
    best: dict[str, Evidence] = {}
    for e in standing:
        if e.activity in all_of and e.status in DONE and (e.activity not in best or RANK[e.status] > RANK[best[e.activity].status]):
            best[e.activity] = e
    if len(best) < len(set(all_of)):
        return None
    statuses = {e.status for e in best.values()}
    status = next((s for s in ("completed_failed", "completed", "passed", "waived") if s in statuses), "completed")
    # Dated by the first time that each part was done, so that a repeat does not move it.
    first_done = {a: next(e for e in standing if e.activity == a and e.status in DONE) for a in best}
    last = max(first_done.values(), key=lambda e: (e.at, e.seq))
    return Evidence(last.seq, last.statement_id, last.at, status, last.provider, last.source, map_version=last.map_version)


def better(old: tuple[float | None, float | None], new: tuple[float | None, float | None]) -> bool:
    """Whether the second (scaled, raw) is a better score: scaled decides; raw only where neither has a scaled."""
    if old[0] is not None or new[0] is not None:
        return new[0] is not None and (old[0] is None or new[0] > old[0])
    return new[1] is not None and (old[1] is None or new[1] > old[1])


def _effective(e: Evidence, passed: set[str]) -> str:
    if e.status != "satisfied":
        return e.status
    return "passed" if e.registration and e.registration in passed else "completed"


def _walk(verdicts: Sequence[tuple[Evidence, str]]) -> tuple[Evidence, str] | None:
    current: tuple[Evidence, str] | None = None
    for e, status in verdicts:
        if status not in RANK:
            continue
        if current is None or RANK[status] > RANK[current[1]] or _later_attempt(current, e, status):
            current = (e, status)
    return current


def _later_attempt(current: tuple[Evidence, str], e: Evidence, status: str) -> bool:
    """Whether a lower status replaces a failure because another attempt reached it: both attempts must be known."""
    before = current[0].registration
    return current[1] in FAILED and status == "completed" and bool(before and e.registration) and before != e.registration


def _best_score(
    status: str, same: Sequence[Evidence], verdicts: Sequence[tuple[Evidence, str]], standing: Sequence[Evidence]
) -> tuple[float | None, float | None, bool]:
    """The best score of the evidence with this status; else of a plain completion, else of a `scored`: never the
    score of a failure for a pass."""
    plain = [e for e, s in verdicts if s == "completed"] if status in ("passed", "completed") else []
    scored = [e for e in standing if e.status == "scored"]
    for group, own in ((same, True), (plain, True), (scored, False)):
        best: tuple[float | None, float | None] = (None, None)
        for e in group:
            if better(best, (e.score_scaled, e.score_raw)):
                best = (e.score_scaled, e.score_raw)
        if best != (None, None):
            return (*best, own)
    return None, None, True
