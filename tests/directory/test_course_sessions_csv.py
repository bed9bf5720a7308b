"""The columns of a course that tie live sessions to it."""
from __future__ import annotations

import pytest

from lrs.directory import csv

HEADER = "id,sessions,attendance_percent\n"


def test_sessions_are_separated_as_aliases_are_and_the_threshold_is_a_percentage():
    rows, refused = csv.courses([HEADER, "urn:c,https://zoom.example/m/1; urn:type:webinar urn:type:webinar,75\n"])
    assert refused == []
    assert rows[0][1].sessions == ("https://zoom.example/m/1", "urn:type:webinar")
    assert rows[0][1].attendance_percent == 75


@pytest.mark.parametrize("lines", [[HEADER, "urn:c,,\n"], ["id\n", "urn:c\n"]])
def test_without_them_a_course_has_no_session_and_no_threshold_of_its_own(lines):
    course = csv.courses(lines)[0][0][1]
    assert (course.sessions, course.attendance_percent) == ((), None)


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        ("urn:s,0", 'attendance_percent "0" is no whole number from 1 to 100'),
        ("urn:s,101", 'attendance_percent "101" is no whole number from 1 to 100'),
        ("urn:s,80%", 'attendance_percent "80%" is no whole number from 1 to 100'),
        ("urn:s,-5", 'attendance_percent "-5" is no whole number from 1 to 100'),
        ("urn:s,٨٠", 'attendance_percent "٨٠" is no whole number from 1 to 100'),
        ("urn:s; Monday,80", 'sessions: "Monday" is no IRI; write the id of a session or of its series, or an activity type'),
    ],
)
def test_what_cannot_be_a_session_or_a_percentage_is_refused_with_its_line(cells, why):
    rows, refused = csv.courses([HEADER, f"urn:c,{cells}\n", "urn:d,urn:s,100\n"])
    assert [(one.line, one.why) for one in refused] == [(2, why)]
    assert [course.id for _, course in rows] == ["urn:d"]
