"""Rules 8 to 13a: what a verb and its result amount to, scores, and one achievement of many statements."""

from __future__ import annotations

import pytest
from completion_flow import COURSE, Flow, statement

from lrs.completions.catalogue import ProviderRules
from lrs.completions.events import COMPLETION_ONLY, PASS_FAIL_ONLY
from lrs.completions.model import Course
from verbs.read import read

FIRE = Course(COURSE)
CMI5_COURSE = "https://w3id.org/xapi/cmi5/activitytype/course"


TABLE_8 = [
    ("passed", {}, "passed"),
    ("passed", {"completion": True}, "passed"),
    ("passed", {"completion": False}, "passed_incomplete"),
    ("passed", {"success": False}, "contradiction"),
    ("completed", {}, "completed"),
    ("completed", {"success": True}, "passed"),
    ("completed", {"success": False}, "completed_failed"),
    ("completed", {"completion": False}, "progress"),
    ("failed", {"completion": True}, "failed"),
    ("failed", {}, "failed"),
    ("failed", {"completion": False}, "failed_incomplete"),
    ("failed", {"success": True}, "contradiction"),
]


@pytest.mark.parametrize(("verb", "result", "status"), TABLE_8)
def test_rule_8_every_line_of_the_table(verb, result, status):
    flow = Flow(FIRE)
    judgement = flow.send(statement(verb, result=result))
    sent = status in ("passed", "completed", "failed", "completed_failed")
    assert flow.statuses() == ([("learning.completed", status)] if sent else [])
    assert judgement.hold == ("" if sent else status)


def test_rule_8_completed_without_success_is_failed_where_only_pass_and_fail_exist():
    flow = Flow(FIRE)
    flow.send(statement("completed", result={"success": False}))
    assert flow.on_record()[0].outcome.status == "completed_failed"
    assert PASS_FAIL_ONLY["completed_failed"].status == "failed"
    assert COMPLETION_ONLY["completed_failed"].status == "completed"


def test_rule_8_passed_with_success_false_is_listed_as_contradictory():
    flow = Flow(FIRE)
    judgement = flow.send(statement("passed", result={"success": False}))
    assert flow.names() == []
    assert judgement.hold == "contradiction"
    assert "contradict" in judgement.why


def test_rule_9_attempted_with_completion_is_a_start():
    flow = Flow(FIRE)
    judgement = flow.send(statement("attempted", result={"completion": True}))
    assert flow.names() == []
    assert read(statement("attempted", result={"completion": True})).verb == "attempted"
    assert judgement.rule == "9"


def test_rule_9_a_provider_rule_makes_it_count():
    flow = Flow(FIRE, rules=(ProviderRules("captivate", attempted_completes=True),))
    flow.send(statement("attempted", result={"completion": False}), "captivate")
    assert flow.names() == []
    flow.send(statement("attempted", result={"completion": True, "success": True}), "captivate")
    assert flow.statuses() == [("learning.completed", "passed")]


def test_rule_10_progressed_to_the_end_is_no_completion():
    flow = Flow(FIRE)
    result = {"completion": True, "extensions": {"https://w3id.org/xapi/cmi5/result/extensions/progress": 100}}
    flow.send(statement("progressed", result=result))
    assert flow.names() == []


@pytest.mark.parametrize("kind", ["course", "lesson", ""])
def test_rule_10_progressed_never_completes_whatever_its_object_is_to_a_course(kind):
    on = ProviderRules("acme", opt_in=frozenset({"progressed"}))
    flow = Flow(Course(COURSE, single_au="https://x.example/au"), rules=(on,))
    for activity in (COURSE, "https://x.example/au", "https://uncatalogued.example/c"):
        judgement = flow.send(statement("progressed", activity, kind, result={"completion": True, "success": True}))
        assert judgement.rule == "10"
    assert flow.names() == []
    assert flow.on_record() == []


def test_rule_10_the_scaled_of_progressed_changes_no_score():
    flow = Flow(FIRE)
    flow.send(statement("passed", result={"score": {"scaled": 0.9}}))
    flow.send(statement("progressed", result={"completion": True, "score": {"scaled": 0.35}}))
    assert flow.names() == ["learning.completed"]
    assert flow.on_record()[0].outcome.score_scaled == 0.9


def test_rule_11_moodles_scorm_completed_waits_for_the_course():
    flow = Flow()
    sco = "https://xapi.edlm/profiles/edlm-lms/concepts/activity-types/scorm-content-object"
    flow.send(statement("completed", "https://moodle.example/mod/scorm/view.php?id=3", sco), "moodle")
    assert flow.names() == []
    flow.send(statement("completed", "https://moodle.example/course/view.php?id=2", CMI5_COURSE), "moodle")
    assert flow.names() == ["learning.completed"]


SCO = "https://xapi.edlm/profiles/edlm-lms/concepts/activity-types/scorm-content-object"


@pytest.mark.parametrize(
    ("result", "events"),
    [({}, []), ({"completion": False}, []), ({"success": True}, []), ({"score": {"scaled": 1}}, []),
     ({"completion": True}, [("learning.completed", "completed")]),
     ({"completion": True, "success": True}, [("learning.completed", "passed")])],
)  # fmt: skip
def test_rule_11_a_moodle_sco_counts_for_what_it_is_mapped_to_only_with_completion_true(result, events):
    flow = Flow(Course(COURSE, single_au="https://moodle.example/mod/scorm/view.php?id=3"))
    judgement = flow.send(statement("completed", "https://moodle.example/mod/scorm/view.php?id=3", SCO, result=result), "moodle")
    assert flow.statuses() == events
    assert judgement.rule == ("8" if events else "11")


def test_rule_11_another_verb_that_does_not_mean_complete_stays_so_with_completion_true():
    flow = Flow(FIRE)
    flow.send(statement("https://w3id.org/xapi/dod-isd/verbs/completed-assignment", COURSE, result={"completion": True}))
    assert flow.names() == []


@pytest.mark.parametrize(
    ("score", "scaled"), [({"raw": 45, "min": 0, "max": 50}, 0.9), ({"raw": 45}, None), ({"raw": 0, "min": 0, "max": 0}, None)]
)
def test_rule_12_the_score_is_scaled_where_that_can_be_known(score, scaled):
    flow = Flow(FIRE)
    flow.send(statement("passed", result={"score": score}))
    found = flow.events[0].payload
    assert (found["score_scaled"], found["score_raw"]) == (scaled, score["raw"])
    assert found["result"]["score"] == (None if scaled is None else 90)


def test_rule_12_scored_alone_updates_the_record_and_sends_nothing():
    flow = Flow(FIRE)
    flow.send(statement("scored", result={"score": {"scaled": 0.4}}))
    assert flow.names() == []
    flow.send(statement("completed", at="2026-03-03T10:00:00Z"))
    flow.send(statement("scored", result={"score": {"scaled": 0.8}}, at="2026-03-04T10:00:00Z"))
    assert flow.names() == ["learning.completed"]
    assert flow.on_record()[0].outcome.score_scaled == 0.8


@pytest.mark.parametrize(("score_min", "scaled"), [("pass_mark", 0.55), ("lowest", 0.25)])
def test_rule_12a_what_min_means_is_the_providers_setting(score_min, scaled):
    flow = Flow(FIRE, rules=(ProviderRules("nelc", score_min=score_min),))
    flow.send(statement("passed", result={"score": {"raw": 33, "min": 24, "max": 60}}), "nelc")
    assert flow.events[0].payload["score_scaled"] == pytest.approx(scaled)


def test_rule_13_two_completions_of_one_registration_are_one_event():
    flow = Flow(FIRE)
    context = {"registration": "22222222-2222-4222-8222-222222222222"}
    flow.send(statement("completed", context=context))
    flow.send(statement("completed", context=context))
    assert flow.names() == ["learning.completed"]


def test_rule_13_three_passes_of_one_day_are_one_event_with_three_statements():
    flow = Flow(FIRE)
    for at, context in (("10:00", {}), ("10:02", {}), ("10:07", {"registration": "22222222-2222-4222-8222-222222222222"})):
        flow.send(statement("passed", at=f"2026-03-02T{at}:00Z", context=context))
    assert flow.names() == ["learning.completed"]
    assert len(flow.on_record()[0].outcome.statements) == 3


def test_rule_13_a_better_score_is_an_update_and_a_worse_one_is_not():
    flow = Flow(FIRE)
    for scaled in (0.7, 0.9, 0.8):
        flow.send(statement("passed", result={"score": {"scaled": scaled}}))
    assert [(p.event, p.revision, p.payload["result"]["score"]) for p in flow.events] == [
        ("learning.completed", 1, 70), ("learning.updated", 2, 90),
    ]  # fmt: skip


def test_rule_13_failed_after_passed_is_recorded_and_not_sent():
    flow = Flow(FIRE)
    flow.send(statement("passed"))
    flow.send(statement("failed", at="2026-03-03T10:00:00Z"))
    assert flow.statuses() == [("learning.completed", "passed")]
    assert len(flow.on_record()[0].outcome.statements) == 2


def test_rule_13_a_later_attempts_completed_on_a_failed_course_is_sent():
    flow = Flow(FIRE)
    flow.send(statement("failed", context={"registration": "22222222-2222-4222-8222-222222222222"}))
    flow.send(statement("completed", at="2026-03-03T10:00:00Z", context={"registration": "22222222-2222-4222-8222-222222222222"}))
    assert flow.statuses() == [("learning.completed", "failed")]
    flow.send(statement("completed", at="2026-03-04T10:00:00Z", context={"registration": "33333333-3333-4333-8333-333333333333"}))
    assert flow.statuses()[1:] == [("learning.updated", "completed")]


def test_rule_13_recertification_after_the_window_is_a_new_achievement():
    flow = Flow(FIRE)
    flow.send(statement("passed", at="2025-03-02T10:00:00Z"))
    flow.send(statement("passed", at="2026-03-02T10:00:00Z"))
    assert flow.names() == ["learning.completed", "learning.completed"]
    assert len({p.id for p in flow.events}) == 2


def test_rule_13_the_nearest_window_takes_it_and_the_earlier_on_a_tie():
    flow = Flow(Course(COURSE, repeat_after_days=10))
    flow.send(statement("completed", at="2026-01-01T00:00:00Z"))
    flow.send(statement("completed", at="2026-01-21T00:00:00Z"))
    flow.send(statement("completed", at="2026-01-11T00:00:00Z"))
    assert [len(s.outcome.statements) for s in flow.on_record()] == [2, 1]


def test_rule_13_attempts_per_registration_are_achievements_of_their_own():
    flow = Flow(Course(COURSE, attempts="per_registration"))
    for registration in ("22222222-2222-4222-8222-222222222222", "33333333-3333-4333-8333-333333333333", ""):
        flow.send(statement("completed", context={"registration": registration} if registration else {}))
    assert flow.names() == ["learning.completed"] * 2


def test_rule_13a_open_edx_failed_is_no_outcome_and_passed_is():
    flow = Flow()
    course = "https://lms.acme.example/course/course-v1:ACME+SAFE1+2026"
    judgement = flow.send(statement("failed", course, "course", result={"score": {"scaled": 0.05}}), "openedx")
    assert flow.names() == []
    assert judgement.rule == "13a"
    flow.send(statement("passed", course, "course"), "openedx")
    assert flow.statuses() == [("learning.completed", "passed")]


def test_rule_13a_a_withdrawn_pass_is_revoked_only_under_a_provider_rule():
    course = "https://lms.acme.example/course/course-v1:ACME+SAFE1+2026"
    for withdraw, expected in ((False, ["learning.completed"]), (True, ["learning.completed", "learning.revoked", "learning.completed"])):
        flow = Flow(rules=(ProviderRules("openedx", failed_is_outcome=False, withdraw_on_failed=withdraw),))
        for day, verb in enumerate(("passed", "failed", "passed"), start=1):
            flow.send(statement(verb, course, "course", at=f"2026-03-0{day}T10:00:00Z"), "openedx")
        assert flow.names() == expected
        assert len({p.id for p in flow.events}) == 1
        assert [p.revision for p in flow.events] == list(range(1, len(expected) + 1))
