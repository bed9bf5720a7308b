"""Merge two states that turned out to be one: of an identifier and its person, or of an alias and its course."""
from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from msgspec.structs import replace

from lrs.completions.events import REVOKED
from lrs.completions.fold import Feed, fold, going_on, publication
from lrs.completions.model import Course, Evidence, Person, Publication
from lrs.completions.outcome import Outcome, outcome
from lrs.completions.state import CourseState, Window
from lrs.completions.subjects import needs_person
from lrs.completions.windows import living, nearest


@dataclass(frozen=True, slots=True)
class Rebound:
    """The state to store under the new subject (delete the old subject's), what to publish now, and the achievement
    ids whose parked deliveries are to be cancelled: what they would have said is in `publications`. `onward`: further
    evidence of the new subject to fold, as in `Folded`."""

    state: CourseState
    publications: tuple[Publication, ...]
    cancelled: tuple[str, ...]
    onward: tuple[tuple[str, Evidence], ...] = ()


def rebind(
    source: CourseState,
    target: CourseState | None,
    *,
    from_subject: str,
    to_subject: str,
    course: Course,
    person: Person | None,
    now_us: int,
    feed: Feed = lambda _: None,
) -> Rebound:
    """Merge the state of `from_subject` (an identifier, or a person merged away) into that of `to_subject`.

    A window of the source joins the target's nearest within `repeat_after_days`, else it comes along under a new
    number. An id that was sent stays; where both were sent, the older stays and the other gets `learning.revoked`.
    What was only held for an unknown subject was never sent: it is folded again and released as revision 1. `feed` is
    that of `to_subject`, as in `fold`.
    """
    return _merged(source, target, held=needs_person(from_subject), subject=to_subject, named=course, course=course,
                   person=person, now_us=now_us, feed=feed)  # fmt: skip


def merge_states(
    from_alias: CourseState,
    into: CourseState | None,
    *,
    alias: str,
    subject: str,
    course: Course,
    person: Person | None,
    now_us: int,
    feed: Feed = lambda _: None,
) -> Rebound:
    """Merge what a subject achieved under `alias` into its state of `course`, which has that alias since (rule 1a).

    As in `rebind`: the windows join where they are near, the id that was sent stays, of two that were sent the older
    one, and the other gets `learning.revoked` under the course id that it was sent with. Nothing that was sent is
    sent again. For the keys to look for see `lrs.completions.catalogue.former_keys`; delete the alias' state.
    """
    evidence = {seq: replace(e, activity=course.id if e.activity == alias else e.activity) for seq, e in from_alias.evidence.items()}
    return _merged(replace(from_alias, evidence=evidence), into, held=needs_person(subject), subject=subject,
                   named=dataclasses.replace(course, id=alias), course=course, person=person, now_us=now_us,
                   feed=feed)  # fmt: skip


def _merged(
    source: CourseState,
    target: CourseState | None,
    *,
    held: bool,
    subject: str,
    named: Course,
    course: Course,
    person: Person | None,
    now_us: int,
    feed: Feed,
) -> Rebound:
    """`held`: nothing of the source was sent. `named`: the course as the source's events named it."""
    into = target or CourseState()
    windows = list(into.windows)
    known = {w.n for w in windows}
    numbers: dict[int, int] = {}
    revoked: list[tuple[Window, Outcome, Course]] = []
    for window in source.windows:
        moved = _unsent(window) if held else window
        # Only the target's own: two windows of the source are two achievements, and stay two.
        there = nearest([w for w in windows if w.n in known], window.anchor, course, window.registration)
        if there is None:
            numbers[window.n] = max((w.n for w in windows), default=0) + 1
            windows.append(replace(moved, n=numbers[window.n]))
            continue
        numbers[window.n] = there.n
        stays, goes = _ranked(there, moved)
        windows[windows.index(there)] = replace(stays, n=there.n, registration=there.registration or moved.registration)
        if goes.revision and not goes.revoked and goes.id != stays.id:
            of, under = (source, named) if goes is moved else (into, course)
            spoken = going_on(goes, feed(goes.id))
            if not spoken.revoked:
                revoked.append((spoken, _last_said(of, spoken, under), under))
    evidence = {**source.evidence, **into.evidence}
    for seq in source.evidence.keys() & into.evidence.keys():
        evidence[seq] = replace(into.evidence[seq], voided=into.evidence[seq].voided or source.evidence[seq].voided)
    placed = {**{seq: numbers[n] for seq, n in source.placed.items() if n in numbers}, **into.placed}
    folded = fold(
        CourseState(evidence, placed, tuple(windows)), (), course=course, subject=subject, person=person, now_us=now_us, feed=feed
    )
    withdrawn = [
        publication(
            REVOKED, replace(w, revision=w.revision + 1), said, course=under, subject=subject, person=person, now_us=now_us
        )
        for w, said, under in revoked
    ]
    # an id of the source may be the target's own by now: an identifier was somebody's, then nobody's, and is again
    sent = {w.id for w in into.windows if w.revision}
    cancelled = tuple(w.id for w in source.windows if w.id not in sent) if held else tuple(w.id for w, _, _ in revoked)
    return Rebound(folded.state, (*withdrawn, *folded.publications), cancelled, folded.onward)


def _unsent(window: Window) -> Window:
    return replace(window, revision=0, status="", score_scaled=None, score_raw=None, revoked=False)


def _ranked(there: Window, moved: Window) -> tuple[Window, Window]:
    """Of two windows that are one achievement: the one whose id stays (sent before unsent, then the older) first."""
    first, second = sorted((there, moved), key=lambda w: (w.revision == 0, w.opened, w is moved))
    return first, second


def _last_said(state: CourseState, window: Window, course: Course) -> Outcome:
    standing = next((living(state)[n] for n in living(state) if _is(state, n, window)), {})
    said = outcome(standing.values(), course.all_of) or Outcome(window.status, window.anchor)
    return replace(said, status=window.status, score_scaled=window.score_scaled, score_raw=window.score_raw)


def _is(state: CourseState, n: int, window: Window) -> bool:
    return any(w.n == n and w.id == window.id for w in state.windows)
