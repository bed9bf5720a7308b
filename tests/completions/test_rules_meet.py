"""The points where two rules meet, each with the reading that was chosen."""
from __future__ import annotations

import pytest
from completion_flow import COURSE, SCORM, TYPE, Flow, statement

from lrs.completions.catalogue import ProviderRules
from lrs.completions.model import Course

PART = "https://x.example/part"
UNCOMPLETED = "https://xapi.edlm/profiles/edlm-lms/concepts/verbs/uncompleted"


def test_rules_1_and_5_meet_a_catalogued_lesson_counts_as_the_single_au_of_a_course_and_not_by_its_own_id():
    blocked = Flow(Course(PART))
    blocked.send(statement("completed", PART, "lesson"))
    assert blocked.names() == []
    mapped = Flow(Course(COURSE, single_au=PART))
    mapped.send(statement("completed", PART, "lesson"))
    assert [p.course for p in mapped.events] == [COURSE]


@pytest.mark.parametrize(("course", "events"), [(Course(COURSE, single_au=PART), 2), (Course(COURSE), 1)])
def test_rules_14_and_5_meet_uncompleted_revokes_only_a_completion_that_rests_on_that_activity(course, events):
    flow = Flow(course)
    flow.send(statement("completed", PART if course.single_au else COURSE))
    flow.send(statement(UNCOMPLETED, PART, at="2026-03-03T10:00:00Z"))
    assert flow.names() == ["learning.completed", "learning.revoked"][:events]


def test_rules_14_and_5_meet_uncompleted_leaves_a_verdict_on_the_course_itself():
    flow = Flow(Course(COURSE, single_au=PART))
    flow.send(statement("completed", PART))
    flow.send(statement("completed", COURSE))
    flow.send(statement(UNCOMPLETED, PART, at="2026-03-03T10:00:00Z"))
    assert flow.names() == ["learning.completed"]


def test_rule_13_meets_the_order_of_statuses_a_passed_after_completed_updates_the_same_achievement():
    flow = Flow(Course(COURSE))
    flow.send(statement("completed"))
    flow.send(statement("passed", at="2026-03-03T10:00:00Z"))
    assert flow.statuses() == [("learning.completed", "completed"), ("learning.updated", "passed")]
    assert len({p.id for p in flow.events}) == 1


@pytest.mark.parametrize(("withdraw", "last"), [(False, "learning.completed"), (True, "learning.revoked")])
def test_rules_13_and_13a_meet_a_withdrawn_pass_is_a_revoke_only_where_the_provider_rule_says_so(withdraw, last):
    flow = Flow(Course(COURSE), rules=(ProviderRules("openedx", failed_is_outcome=False, withdraw_on_failed=withdraw),))
    flow.send(statement("passed", COURSE, "course"), "openedx")
    flow.send(statement("failed", COURSE, "course", at="2026-03-03T10:00:00Z"), "openedx")
    assert flow.names()[-1] == last


def test_rules_7a_and_16_meet_of_a_scos_outcome_and_the_course_status_only_the_trusted_is_evidence():
    flow = Flow(Course(COURSE, single_au=PART, provider="lms"))
    assert flow.send(statement("terminated", PART, "lesson", context=SCORM, result={"completion": True}), "player").hold == "untrusted"
    assert flow.names() == []
    flow.send(statement("completed", COURSE, context=SCORM, result={"success": True}), "lms")
    assert flow.statuses() == [("learning.completed", "passed")]
    assert len(flow.evidence()) == 1


def test_rules_19_and_1_meet_a_tied_activity_type_makes_no_course_of_its_activities():
    flow = Flow(Course(COURSE, sessions=(TYPE + "meeting",)))
    flow.send(statement("completed", "https://x.example/meeting/1", "meeting"))
    assert flow.names() == []
    flow.send(statement("attended", "https://x.example/meeting/1", "meeting", result={"completion": True}))
    assert [p.course for p in flow.events] == [COURSE]


@pytest.mark.parametrize(("sessions", "events"), [((), []), ((COURSE,), ["learning.completed"])])
def test_rules_19_and_1_meet_attended_on_a_course_still_needs_the_tie(sessions, events):
    flow = Flow(Course(COURSE, sessions=sessions))
    flow.send(statement("attended", COURSE, "course", result={"completion": True}))
    assert flow.names() == events


def test_rule_14_meets_the_order_of_delivery_a_revoke_has_the_same_id_and_a_higher_revision():
    flow = Flow(Course(COURSE))
    value = statement("completed")
    flow.send(value)
    flow.void(value)
    completed, revoked = flow.events
    assert (completed.id, completed.revision) == (revoked.id, revoked.revision - 1)
