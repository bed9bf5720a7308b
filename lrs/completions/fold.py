"""Fold evidence into the achievements of a subject in a course, and say what must be published."""
from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec
from msgspec.structs import replace

from lrs.completions.events import COMPLETED, OF_CREDENTIAL, REVOKED, UPDATED, payload
from lrs.completions.model import CREDENTIAL, Course, Evidence, LastWord, Person, Publication
from lrs.completions.outcome import FAILED, RANK, Outcome, better, outcome
from lrs.completions.state import CourseState, Window
from lrs.completions.windows import living, place

LINK = "cmi5:"
"""Prefix of the keys that join a registration's `passed` with its `satisfied` (rule 6); they publish nothing."""

Feed = Callable[[str], LastWord | None]
"""What was last said under an achievement id; None where nothing was."""


class Folded(msgspec.Struct, frozen=True):
    """The new state, what to publish (held by the caller while `needs_person(subject)`), and `onward`: further
    (key of a course state, evidence) pairs of the same subject to fold, in a loop until there are none."""

    state: CourseState
    publications: tuple[Publication, ...] = ()
    onward: tuple[tuple[str, Evidence], ...] = ()


@dataclass(frozen=True, slots=True)
class Standing:
    """An achievement as it is on record, sent or not."""

    window: Window
    outcome: Outcome | None
    sources: frozenset[str]


def fold(
    state: CourseState | None,
    evidence: Sequence[Evidence],
    *,
    course: Course,
    subject: str,
    person: Person | None = None,
    now_us: int,
    feed: Feed = lambda _: None,
) -> Folded:
    """Add evidence (none: judge anew, e.g. after a change of the catalogue). Idempotent: the same again changes
    nothing. `course` is `catalogue.course(key)`. `person` fills `user` in the payload.

    What is published goes on from what `feed` last said under its id: another state may have spoken under it, and
    revisions rise for the reader, not for the state. For a subject of whom nothing is published there is no feed."""
    old = state or CourseState()
    merged = _put(old.evidence, evidence, course)
    if course.id.startswith(LINK):
        return Folded(replace(old, evidence=merged), (), _onward(merged.values()))
    new = place(CourseState(merged, old.placed, old.windows), course)
    before, after = living(old), living(new)
    windows: list[Window] = []
    publications: list[Publication] = []
    for window in new.windows:
        standing = after.get(window.n, {})
        then = before.get(window.n, {})
        now = outcome(standing.values(), course.all_of)
        lost = bool(then.keys() - standing.keys())
        event = _event(window, now, lost=lost)
        if event and (spoken := going_on(window, feed(window.id))) != window:
            window = spoken
            event = _event(window, now, lost=lost)
        if not event or (event == UPDATED and course.id.startswith(CREDENTIAL)):
            windows.append(window)
            continue
        said = now if event != REVOKED else outcome(then.values(), course.all_of)
        said = said or Outcome(window.status, window.anchor, score_scaled=window.score_scaled, score_raw=window.score_raw)
        if event == REVOKED:
            said = replace(said, status=window.status, score_scaled=window.score_scaled, score_raw=window.score_raw)
        window = replace(
            window,
            revision=window.revision + 1,
            status=said.status,
            score_scaled=said.score_scaled,
            score_raw=said.score_raw,
            revoked=event == REVOKED,
        )
        windows.append(window)
        publications.append(publication(event, window, said, course=course, subject=subject, person=person, now_us=now_us))
    return Folded(CourseState(new.evidence, new.placed, tuple(windows)), tuple(publications))


def standings(state: CourseState, course: Course) -> list[Standing]:
    """Every achievement of the state as it is on record now, in order of window number."""
    alive = living(state)
    return [
        Standing(
            w,
            outcome(alive.get(w.n, {}).values(), course.all_of),
            frozenset(e.source for e in alive.get(w.n, {}).values()),
        )
        for w in state.windows
    ]


def going_on(window: Window, last: LastWord | None) -> Window:
    """The window as the feed left it: what it says next has the next revision, and follows from what stands there."""
    if last is None:
        return window
    return replace(window, revision=last.revision, status=last.status, score_scaled=last.score_scaled, score_raw=last.score_raw,
                   revoked=last.revoked)  # fmt: skip


def publication(
    event: str, window: Window, said: Outcome, *, course: Course, subject: str, person: Person | None, now_us: int
) -> Publication:
    """The event of a window at the window's revision; under the key of a credential, the credential's (rule 20)."""
    if course.id.startswith(CREDENTIAL):
        event = OF_CREDENTIAL[event]
    body = payload(
        event, window.id, window.revision, subject=subject, course_id=course.id, person=person, outcome=said, now_us=now_us
    )
    return Publication(event, window.id, window.revision, subject, course.id, body)


def _event(window: Window, now: Outcome | None, *, lost: bool) -> str:
    """The event that this outcome calls for, given what was published last; '' for none (rules 13 to 15).

    `lost`: evidence of the window was taken back just now. Then a revoke, or a correction downwards, is due; a fall
    for any other reason is on record only.
    """
    published = window.revision > 0 and not window.revoked
    if now is None:
        return REVOKED if published and lost else ""
    if not published:
        return COMPLETED
    rise = RANK[now.status] - RANK[window.status]
    was, score = (window.score_scaled, window.score_raw), (now.score_scaled, now.score_raw)
    if rise > 0 or (lost and rise < 0) or (rise < 0 and window.status in FAILED and now.status == "completed"):
        return UPDATED
    if now.status == window.status and ((now.own_score and better(was, score)) or (lost and better(score, was))):
        return UPDATED
    return ""


def _put(known: Mapping[int, Evidence], evidence: Sequence[Evidence], course: Course) -> dict[int, Evidence]:
    merged = dict(known)
    for e in evidence:
        # The trust of rule 16 for evidence that came over a registration, where judge knew no course.
        if e.status == "registration_passed" and course.provider and e.provider != course.provider:
            continue
        there = merged.get(e.seq)
        if there is None:
            merged[e.seq] = e
        elif e.map_version >= there.map_version:
            merged[e.seq] = replace(e, voided=e.voided or there.voided)
        elif e.voided:
            merged[e.seq] = replace(there, voided=True)
    return merged


def _onward(evidence: Iterable[Evidence]) -> tuple[tuple[str, Evidence], ...]:
    known = list(evidence)
    courses = dict.fromkeys(e.activity for e in known if e.status == "satisfied" and not e.voided)
    passes = [replace(e, status="registration_passed") for e in known if e.status == "passed"]
    return tuple((course, e) for course in courses for e in passes)
