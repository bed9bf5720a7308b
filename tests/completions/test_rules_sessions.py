"""Rules 19 and 19a: which sessions complete a course, and how long somebody must have been there."""
from __future__ import annotations

from typing import Any

import pytest
from completion_flow import COURSE, Flow, statement

from lrs.completions import presence
from lrs.completions.catalogue import Catalogue, activities_of, former_keys, types_of
from lrs.completions.model import Course
from lrs.sources import sessions
from verbs.read import read
from verbs.tables import load

ROOM = "https://zoom.example/m/1/instance/9"
SERIES = "https://zoom.example/m/1"
CLASSROOM = sessions.CLASSROOM
FACE_TO_FACE = "https://w3id.org/xapi/acrossx/activities/face-to-face-discussion"
JISC = "http://xapi.jisc.ac.uk/event_timetabled"
HOUR = {"scheduled_seconds": 3600, "length_seconds": 3700, "threshold_percent": 80}


def attended(minutes: float | None = None, completion: bool | None = None, session: dict[str, Any] | None = None, **more: Any) -> dict:
    """The attendance of a session as its conclusion writes it; without `session`, as somebody else would."""
    result = {"duration": f"PT{round(minutes * 60)}S"} if minutes is not None else {}
    result |= {} if completion is None else {"completion": completion}
    activities = {"parent": [{"id": SERIES, "definition": {"type": CLASSROOM}}]}
    context: dict[str, Any] = {"contextActivities": more.pop("activities", activities)}
    context |= {} if session is None else {"extensions": {sessions.SESSION: session}}
    room, kind = more.pop("room", ROOM), more.pop("kind", CLASSROOM)
    return statement("attended", room, kind, result=result, context=context, **more)


@pytest.mark.parametrize(("minutes", "events"), [(47, []), (47.99, []), (48, ["learning.completed"]), (60, ["learning.completed"])])
def test_rule_19_eighty_percent_of_the_scheduled_hour_completes(minutes, events):
    flow = Flow(Course(COURSE, sessions=(ROOM,)))
    judgement = flow.send(attended(minutes, session={"scheduled_seconds": 3600}))
    assert flow.statuses() == [(event, "completed") for event in events]
    assert judgement.rule == "19"


def test_rule_19_attended_without_a_tie_is_no_event_and_a_tie_releases_it_when_it_is_read_again():
    lesson = attended(completion=True, activities={"parent": [{"id": COURSE}]})
    flow = Flow(Course(COURSE))
    assert flow.send(lesson).rule == "19"
    assert flow.names() == []
    tied = Course(COURSE, sessions=(ROOM,))
    assert ROOM in activities_of(tied)
    flow.catalogue = Catalogue([tied])
    for _ in range(2):
        flow.send_again(lesson)
    assert flow.statuses() == [("learning.completed", "completed")]


@pytest.mark.parametrize("length", [{"scheduled_seconds": 0}, {}, {"scheduled_seconds": None}, {"scheduled_seconds": "PT1H"}])
@pytest.mark.parametrize(("minutes", "events"), [(39, []), (40, ["learning.completed"])])
def test_rule_19_without_a_scheduled_length_the_actual_one_counts(length, minutes, events):
    flow = Flow(Course(COURSE, sessions=(ROOM,)))
    flow.send(attended(minutes, session={**length, "length_seconds": 3000}))
    assert flow.names() == events


@pytest.mark.parametrize("tie", [ROOM, SERIES, CLASSROOM, CLASSROOM + "/"])
def test_rule_19_a_tie_names_the_session_its_series_or_its_activity_type(tie):
    flow = Flow(Course(COURSE, sessions=(tie,)))
    flow.send(attended(completion=True))
    assert [(p.event, p.course) for p in flow.events] == [("learning.completed", COURSE)]


def test_rule_19_a_grouping_activity_that_the_catalogue_names_is_a_tie():
    flow = Flow(Course(COURSE, sessions=(SERIES,)))
    flow.send(attended(completion=True, activities={"grouping": [{"id": SERIES}]}))
    assert flow.names() == ["learning.completed"]


@pytest.mark.parametrize("course", [Course(COURSE), Course(COURSE, single_au=SERIES), Course(COURSE, all_of=(SERIES,)),
                                    Course(COURSE, single_au=ROOM), Course(COURSE, aliases=(ROOM,))])  # fmt: skip
def test_rule_19_a_parent_that_is_a_course_or_a_part_is_no_tie(course):
    flow = Flow(course)
    for parent in (COURSE, SERIES):
        flow.send(attended(completion=True, activities={"parent": [{"id": parent}]}))
    assert flow.names() == []


def test_rule_19_a_session_named_in_an_all_of_rule_counts_as_that_part():
    other = "https://x.example/quiz"
    flow = Flow(Course(COURSE, all_of=(ROOM, other)))
    flow.send(attended(completion=True))
    assert flow.names() == []
    flow.send(statement("completed", other))
    assert flow.names() == ["learning.completed"]


def test_rule_19_an_all_of_rule_may_name_the_series_of_a_live_session():
    other = "https://x.example/quiz"
    flow = Flow(Course(COURSE, all_of=(SERIES, other)))
    flow.send(statement("completed", other))
    flow.send(attended(50, session=HOUR, completion=True))
    assert flow.names() == ["learning.completed"]


def test_rule_19_a_session_that_is_both_a_part_and_tied_counts_as_the_part():
    flow = Flow(Course(COURSE, all_of=(ROOM, "https://x.example/quiz"), sessions=(CLASSROOM,)))
    flow.send(attended(completion=True))
    assert flow.names() == []


@pytest.mark.parametrize(
    ("percent", "minutes", "completion", "events"),
    [
        (50, 40, False, ["learning.completed"]),
        (90, 50, True, []),
        (None, 40, False, []),
        (None, 30, True, ["learning.completed"]),
        (50, None, False, []),
        (90, None, True, ["learning.completed"]),
    ],
)
def test_rule_19_the_courses_own_threshold_decides_over_the_connections_verdict(percent, minutes, completion, events):
    flow = Flow(Course(COURSE, sessions=(ROOM,), attendance_percent=percent))
    flow.send(attended(minutes, completion, HOUR))
    assert flow.names() == events


def test_rule_19_without_a_verdict_the_threshold_of_the_conclusion_decides():
    flow = Flow(Course(COURSE, sessions=(ROOM,)))
    flow.send(attended(31, session={**HOUR, "threshold_percent": 50}))
    assert flow.names() == ["learning.completed"]


def test_rule_19_presence_may_be_measured_against_the_actual_length():
    assert presence.length_of({**HOUR, "measured_against": "actual"}) == 3700
    assert presence.length_of({**HOUR, "measured_against": "scheduled"}) == 3600
    assert presence.length_of({}) is None


@pytest.mark.parametrize("completion", [None, False])
def test_rule_19_a_duration_without_a_length_completes_nothing(completion):
    flow = Flow(Course(COURSE, sessions=(ROOM,), attendance_percent=1))
    flow.send(attended(600, completion))
    assert flow.names() == []


@pytest.mark.parametrize("verb", ["http://activitystrea.ms/join", "http://activitystrea.ms/leave", "initialized",
                                  "http://activitystrea.ms/checkin", "http://activitystrea.ms/host"])  # fmt: skip
def test_rule_19_joining_leaving_and_hosting_are_no_attendance(verb):
    flow = Flow(Course(COURSE, sessions=(ROOM, SERIES, CLASSROOM)))
    value = statement(verb, ROOM, CLASSROOM, result={"completion": True, "duration": "PT2H"})
    value["context"] = {"extensions": {sessions.SESSION: HOUR}}
    assert flow.send(value).rule == "19"
    assert flow.names() == []


def test_rule_19_a_corrected_conclusion_is_one_completion_and_too_short_a_one_revokes():
    flow = Flow(Course(COURSE, sessions=(ROOM,)))
    first, second, third = (attended(minutes, minutes >= 48, HOUR) for minutes in (55, 50, 20))
    flow.send(first)
    flow.send(second)
    flow.void(first)
    assert flow.names() == ["learning.completed"]
    flow.send(third)
    flow.void(second)
    assert flow.names() == ["learning.completed", "learning.revoked"]


def test_rule_19_two_short_presences_do_not_add_up():
    flow = Flow(Course(COURSE, sessions=(SERIES,)))
    flow.send(attended(30, False, HOUR))
    flow.send(attended(30, False, HOUR, room=ROOM + "0"))
    assert flow.names() == []
    assert [e.status for e in flow.evidence()] == ["attended", "attended"]


def test_rule_19_one_session_may_be_tied_to_two_courses_with_their_own_thresholds():
    flow = Flow(Course("https://x.example/short", sessions=(ROOM,), attendance_percent=50),
                Course("https://x.example/long", sessions=(ROOM,), attendance_percent=100))  # fmt: skip
    flow.send(attended(40, False, HOUR))
    assert [p.course for p in flow.events] == ["https://x.example/short"]


def test_rule_19_a_tie_does_not_let_a_stranger_speak_for_a_course_of_another_provider():
    flow = Flow(Course(COURSE, provider="campus", sessions=(ROOM,)))
    assert flow.send(attended(completion=True), "zoom").hold == "untrusted"
    assert flow.names() == []


@pytest.mark.parametrize(
    ("kind", "provider", "status", "tied"),
    [(JISC, "jisc", "", []), (FACE_TO_FACE, "moodle", "attended", ["attended"]), (CLASSROOM, "nelc", "", [])],
)
def test_rule_19a_completion_false_is_absence_or_partial_presence_as_the_provider_means_it(kind, provider, status, tied):
    flow = Flow(Course(COURSE, sessions=(kind,), attendance_percent=1))
    value = attended(60, False, kind=kind)
    judgement = flow.send(value, provider)
    reading = read(value, provider)
    assert reading.outcome == status
    assert reading.duration == (3600 if status else None), "an absence has no presence time"
    assert [e.status for e in flow.evidence()] == tied
    assert judgement.rule == "19a"
    assert flow.names() == []


def test_rule_19a_a_moodle_face_to_face_that_was_attended_in_full_completes_what_it_is_tied_to():
    flow = Flow(Course(COURSE, sessions=(FACE_TO_FACE,)))
    flow.send(attended(60, True, kind=FACE_TO_FACE), "moodle")
    assert flow.names() == ["learning.completed"]


def test_rule_19a_a_booked_length_is_no_measured_presence():
    flow = Flow(Course(COURSE, sessions=(FACE_TO_FACE,), attendance_percent=10))
    flow.send(attended(60, None, kind=FACE_TO_FACE), "moodle")
    assert flow.names() == []


def test_rule_19a_a_measured_presence_that_was_too_short_is_partial_and_keeps_its_time():
    reading = read(attended(20, False, HOUR), "zoom")
    assert (reading.outcome, reading.duration) == ("attended", 1200)
    assert read(attended(0, False, HOUR), "zoom").outcome == ""


def test_the_session_extension_has_one_name_everywhere():
    assert presence.SESSION == sessions.SESSION
    assert load().measured_by == {sessions.SESSION}


def test_a_course_names_all_statements_that_a_change_of_it_concerns():
    course = Course(COURSE, aliases=("https://e.example/courses/course-v1:K",), single_au="a:1", all_of=("a:2", "a:3"),
                    sessions=(SERIES, CLASSROOM + "/"))  # fmt: skip
    assert activities_of(course) >= {COURSE, "a:1", "a:2", "a:3", SERIES, CLASSROOM + "/"}
    assert "https://e.example/xblock/block-v1:K+type@course+block@course" in activities_of(course)
    assert "https://e.example/course/course-v1:K" in activities_of(course)
    assert types_of(course) == {SERIES, CLASSROOM}
    assert activities_of(Course(COURSE)) == {COURSE}
    assert types_of(Course(COURSE)) == former_keys(Course(COURSE)) == set()
    assert former_keys(course) == set(activities_of(course)) - {COURSE, "a:1", "a:2", "a:3", SERIES, CLASSROOM + "/"}
