"""Which window each piece of evidence belongs to, and which evidence still stands."""
from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from msgspec.structs import replace

from lrs import named_uuids
from lrs.completions.model import Course, Evidence
from lrs.completions.outcome import NEUTRAL, outcome, whole_of
from lrs.completions.state import CourseState, Window

ACHIEVEMENTS = UUID("6f1c36a4-2b0e-5f0d-9d6b-7f6f3a1f6c11").bytes
_DAY_US = 86_400 * 1_000_000


def place(state: CourseState, course: Course) -> CourseState:
    """The state with all evidence that stands in its window; windows are opened as needed, never changed otherwise.

    Evidence within `repeat_after_days` of the time at which a window was opened joins it: the nearest, the earlier
    on a tie. Parts of an all-of rule wait outside until there is a window near, or until all of them are there.
    """
    placed, windows = dict(state.placed), list(state.windows)
    dead = _dead(state.evidence, placed)
    waiting = [e for seq, e in sorted(state.evidence.items()) if seq not in placed and seq not in dead and _placeable(e)]
    for e in waiting:
        if e.activity in course.all_of or e.status in NEUTRAL:
            continue
        window = nearest(windows, e.at, course, e.registration)
        if window is None:
            window = _open(windows, e, course)
        elif course.attempts and e.registration and not window.registration:
            claimed = replace(window, registration=e.registration)
            windows[windows.index(window)] = window = claimed
        placed[e.seq] = window.n
    _place_near(waiting, placed, windows, course)
    _place_parts(state.evidence, placed, windows, course)
    _place_near(waiting, placed, windows, course)
    return CourseState(state.evidence, placed, tuple(windows))


def living(state: CourseState) -> dict[int, dict[int, Evidence]]:
    """The evidence that stands, by window number and seq: not voided, and not taken back by a later statement.

    A registration's `passed` stands in every window that holds a `satisfied` of that registration (rule 6).
    """
    return _living(state.evidence, state.placed)


def achievement_id(course_id: str, opening: Evidence) -> str:
    """The id of the achievement that this evidence opens. The subject is no part of it: an achievement that is
    rebound from an identifier to a person keeps it."""
    return named_uuids.text(ACHIEVEMENTS, f"{course_id}\n{opening.statement_id or opening.seq}")


def nearest(windows: list[Window], at: int, course: Course, registration: str = "") -> Window | None:
    """The window that evidence of this time (µs) belongs to; None if it opens its own.

    The one whose opening is nearest within the course's repeat_after_days, the earlier on a tie. With attempts per
    registration that of the same registration at any time, else the nearest that no registration has claimed.
    """
    if course.attempts and registration:
        own = [w for w in windows if w.registration == registration]
        if own:
            return own[0]
        windows = [w for w in windows if not w.registration]
    reach = course.repeat_after_days * _DAY_US
    near = [w for w in windows if abs(w.anchor - at) <= reach]
    return min(near, key=lambda w: (abs(w.anchor - at), w.anchor, w.n), default=None)


def _open(windows: list[Window], e: Evidence, course: Course) -> Window:
    window = Window(
        n=max((w.n for w in windows), default=0) + 1,
        id=achievement_id(course.id, e),
        anchor=e.at,
        opened=e.seq,
        registration=e.registration if course.attempts else "",
    )
    windows.append(window)
    return window


def _place_near(waiting: list[Evidence], placed: dict[int, int], windows: list[Window], course: Course) -> None:
    for e in waiting:
        if e.seq not in placed:
            window = nearest(windows, e.at, course, e.registration)
            if window is not None:
                placed[e.seq] = window.n


def _place_parts(evidence: Mapping[int, Evidence], placed: dict[int, int], windows: list[Window], course: Course) -> None:
    """Open a window when all parts of an all-of rule are there: among those that wait, and those of windows in
    which nothing stands any more."""
    if not course.all_of:
        return
    dead = _dead(evidence, placed)
    alive = _living(evidence, placed)
    used = {n for n, standing in alive.items() if outcome(standing.values(), course.all_of) is not None}
    pool = [
        e
        for seq, e in sorted(evidence.items())
        if seq not in dead and e.activity in course.all_of and _placeable(e) and placed.get(seq) not in used
    ]
    whole = whole_of(sorted(pool, key=lambda e: (e.at, e.seq)), course.all_of)
    if whole is None:
        return
    window = nearest(windows, whole.at, course, "") or _open(windows, whole, course)
    for e in pool:
        placed[e.seq] = window.n


def _placeable(e: Evidence) -> bool:
    return e.status not in ("withdrawn", "registration_passed")


def _living(evidence: Mapping[int, Evidence], placed: Mapping[int, int]) -> dict[int, dict[int, Evidence]]:
    dead = _dead(evidence, placed)
    alive: dict[int, dict[int, Evidence]] = {}
    for seq, n in placed.items():
        if seq in evidence and seq not in dead:
            alive.setdefault(n, {})[seq] = evidence[seq]
    passes = [e for e in evidence.values() if e.status == "registration_passed" and not e.voided and e.registration]
    for standing in alive.values() if passes else ():
        satisfied = {e.registration for e in standing.values() if e.status == "satisfied"}
        standing.update({e.seq: e for e in passes if e.registration in satisfied})
    return alive


def _dead(evidence: Mapping[int, Evidence], placed: Mapping[int, int]) -> set[int]:
    """Seqs of evidence that is voided or taken back. What takes back (rule 14) reaches the same activity, earlier
    statements only, and of several windows only the one with the latest of them."""
    dead = {seq for seq, e in evidence.items() if e.voided}
    for taker in evidence.values():
        if taker.status != "withdrawn" or taker.voided:
            continue
        when = (taker.at, taker.seq)
        earlier = [e for e in evidence.values() if e.activity == taker.activity and (e.at, e.seq) < when and _placeable(e) and not e.voided]
        latest = max((e for e in earlier if e.seq in placed), key=lambda e: (e.at, e.seq), default=None)
        dead |= {e.seq for e in earlier if e.seq not in placed or (latest and placed[e.seq] == placed[latest.seq])}
    return dead
