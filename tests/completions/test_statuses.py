"""The tables that say a status in a destination's words, and corrections that go downwards."""
from __future__ import annotations

import pytest
from completion_flow import COURSE, Flow, statement

from lrs.completions.events import COMPLETION_ONLY, PASS_FAIL_ONLY, Said
from lrs.completions.model import Course

PLAYBOOK = {
    "passed": (Said("passed"), Said("completed")),
    "completed": (Said("passed", if_ungraded=True), Said("completed")),
    "failed": (Said("failed"), Said()),
    "completed_failed": (Said("failed"), Said("completed", "without success")),
    "passed_incomplete": (Said(), Said()),
    "waived": (Said("passed", "waived"), Said("completed", "waived")),
    "attended": (Said(), Said()),
    "awarded": (Said(), Said()),
}


@pytest.mark.parametrize("status", PLAYBOOK)
def test_every_status_is_said_as_the_table_prescribes(status):
    assert (PASS_FAIL_ONLY[status], COMPLETION_ONLY[status]) == PLAYBOOK[status]


def test_the_tables_hold_the_same_statuses_and_no_other():
    assert PASS_FAIL_ONLY.keys() == COMPLETION_ONLY.keys() == PLAYBOOK.keys()


def test_voiding_the_pass_of_a_completed_course_corrects_what_was_sent():
    flow = Flow(Course(COURSE))
    passed = statement("passed", at="2026-03-03T10:00:00Z", result={"score": {"scaled": 0.9}})
    flow.send(statement("completed"))
    flow.send(passed)
    flow.void(passed)
    assert flow.statuses() == [("learning.completed", "completed"), ("learning.updated", "passed"), ("learning.updated", "completed")]
    assert flow.events[-1].payload["score_scaled"] is None


def test_a_yearly_all_of_course_is_sent_every_year():
    flow = Flow(Course(COURSE, all_of=("https://x.example/a", "https://x.example/b")))
    for year in (2024, 2025):
        for day, part in enumerate("aabb", start=1):
            flow.send(statement("passed", f"https://x.example/{part}", at=f"{year}-05-0{day}T10:00:00Z"))
    assert flow.statuses() == [("learning.completed", "passed")] * 2
    assert [len(s.outcome.statements) for s in flow.on_record()] == [4, 4]


def test_an_lms_verdict_on_an_all_of_course_stands_by_itself():
    flow = Flow(Course(COURSE, all_of=("https://x.example/a", "https://x.example/b")))
    flow.send(statement("completed", "https://x.example/a"))
    flow.send(statement("completed", COURSE))
    flow.send(statement("completed", "https://x.example/b"))
    assert flow.names() == ["learning.completed"]
