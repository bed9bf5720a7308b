"""An alias that is catalogued after a completion: what stood under it becomes one with the course (rule 1a)."""
from __future__ import annotations

import pytest
from hypothesis import given
from test_fold_properties import ANN, COURSES, NOON, folded, once_each

from lrs.completions.catalogue import former_keys
from lrs.completions.fold import fold, standings
from lrs.completions.model import Course, Evidence, LastWord
from lrs.completions.rebind import Rebound, merge_states
from lrs.completions.state import CourseState

ALIAS = "https://publisher.example/fs"
COURSE = Course("https://lms.example/fs", aliases=(ALIAS,))
DAY = 86_400_000_000


def done(seq: int, day: int, status: str = "completed", of: str = ALIAS) -> Evidence:
    return Evidence(seq, f"s{seq}", NOON + day * DAY, status, "acme", "lms", of)


def state(course: Course, *items: Evidence) -> CourseState:
    return fold(None, items, course=course, subject="person:1", now_us=NOON).state


def merged(alias: CourseState, into: CourseState | None, subject: str = "person:1") -> Rebound:
    return merge_states(alias, into, alias=ALIAS, subject=subject, course=COURSE, person=ANN, now_us=NOON)


def test_the_alias_is_among_the_keys_to_look_for():
    assert former_keys(COURSE) == {ALIAS}


def test_what_stood_under_the_alias_alone_moves_and_is_not_sent_again():
    alias = state(Course(ALIAS), done(1, 0, "passed"))
    moved = merged(alias, None)
    assert moved.publications == moved.cancelled == ()
    assert [(w.id, w.revision) for w in moved.state.windows] == [(alias.windows[0].id, 1)]
    assert moved.state.evidence[1].activity == COURSE.id


@pytest.mark.parametrize(("alias_seq", "course_seq"), [(1, 2), (2, 1)])
def test_of_two_that_were_sent_the_older_stays_and_the_other_is_revoked_as_it_was_sent(alias_seq, course_seq):
    alias = state(Course(ALIAS), done(alias_seq, 0))
    into = state(COURSE, done(course_seq, 1, of=COURSE.id))
    moved = merged(alias, into)
    stays, goes = (alias, into) if alias_seq < course_seq else (into, alias)
    assert [w.id for w in moved.state.windows] == [stays.windows[0].id]
    assert [(p.event, p.id, p.revision) for p in moved.publications] == [("learning.revoked", goes.windows[0].id, 2)]
    assert moved.publications[0].payload["course"] == {"id": ALIAS if goes is alias else COURSE.id}
    assert moved.cancelled == (goes.windows[0].id,)
    assert len(standings(moved.state, COURSE)[0].outcome.statements) == 2


def test_what_another_state_has_taken_back_already_is_not_revoked_twice():
    alias, into = state(Course(ALIAS), done(2, 0)), state(COURSE, done(1, 1, of=COURSE.id))
    for said, revoked in ((LastWord(3, "passed"), [("learning.revoked", 4, "passed")]), (LastWord(2, "completed", revoked=True), [])):
        moved = merge_states(alias, into, alias=ALIAS, subject="person:1", course=COURSE, person=ANN, now_us=NOON,
                             feed={alias.windows[0].id: said}.get)
        assert [(p.event, p.revision, p.payload["result"]["status"]) for p in moved.publications] == revoked
        assert [w.id for w in moved.state.windows] == [into.windows[0].id]


def test_a_better_status_under_the_alias_raises_what_stays():
    moved = merged(state(Course(ALIAS), done(2, 1, "passed")), state(COURSE, done(1, 0, of=COURSE.id)))
    said = [(p.event, p.payload["result"]["status"]) for p in moved.publications]
    assert said == [("learning.revoked", "passed"), ("learning.updated", "passed")]


def test_windows_far_apart_stay_two_achievements():
    moved = merged(state(Course(ALIAS), done(2, 400)), state(COURSE, done(1, 0, of=COURSE.id)))
    assert moved.publications == ()
    assert [w.n for w in moved.state.windows] == [1, 2]


def test_reading_the_aliases_statements_again_after_the_merge_changes_nothing():
    moved = merged(state(Course(ALIAS), done(1, 0)), None)
    again = fold(moved.state, [done(1, 0, of=COURSE.id)], course=COURSE, subject="person:1", now_us=NOON)
    assert (again.state, again.publications) == (moved.state, ())


def test_a_learner_who_is_not_known_yet_has_one_achievement_to_release():
    moved = merged(state(Course(ALIAS), done(1, 0)), state(COURSE, done(2, 1, of=COURSE.id)), subject="ifi:mbox:x@y.example")
    assert len(moved.state.windows) == 1
    assert [p.event for p in moved.publications if p.event == "learning.revoked"] == []


@given(once_each(), once_each())
def test_no_evidence_is_lost_and_no_achievement_is_sent_twice(one, other):
    there = [e for e in other if e.seq not in {x.seq for x in one}]
    alias, _ = folded(one, Course("old"))
    into, _ = folded(there, COURSES[0])
    moved = merge_states(alias, into, alias="old", subject="person:1", course=COURSES[0], person=ANN, now_us=NOON)
    assert moved.state.evidence.keys() == alias.evidence.keys() | into.evidence.keys()
    known = {w.id for w in (*alias.windows, *into.windows) if w.revision and not w.revoked}
    assert not [p for p in moved.publications if p.event == "learning.completed" and p.id in known]
