"""Every completion rule with its test cases, by the number of the rule."""

from __future__ import annotations

import hashlib

import pytest
from completion_flow import ANN, CMI5, COURSE, SCORM, TYPE, Flow, statement

from lrs.completions.catalogue import Catalogue, ProviderRules
from lrs.completions.events import COMPLETION_ONLY, PASS_FAIL_ONLY
from lrs.completions.judge import judge
from lrs.completions.model import Course, Person
from verbs.read import read

FIRE = Course(COURSE)
XAPI_FR = "http://vocab.xapi.fr/activities/"
CMI5_COURSE = "https://w3id.org/xapi/cmi5/activitytype/course"
SATISFIED = "https://w3id.org/xapi/adl/verbs/satisfied"
LESSON = "https://acme.example/sco/1"


def test_rule_1_completed_on_an_uncatalogued_lesson_is_no_event():
    flow = Flow()
    judgement = flow.send(statement("completed", "https://x.example/lesson/1", "lesson"))
    assert flow.names() == []
    assert judgement.rule == "1"
    assert "(rule 1)" in judgement.why


def test_rule_1_a_course_type_completes_and_a_training_program_does_not():
    flow = Flow()
    flow.send(statement("completed", "https://campus.example/c/77", XAPI_FR + "course"))
    flow.send(statement("completed", "https://campus.example/tp/12", XAPI_FR + "training-program"))
    assert [p.course for p in flow.events] == ["https://campus.example/c/77"]


def test_rule_1_a_content_set_is_a_course_only_by_its_component():
    flow = Flow()
    for name, component in (("c1", "course"), ("b1", "mod_book")):
        flow.send(
            statement(
                "completed",
                f"https://campus.example/{name}",
                "https://w3id.org/xapi/tla/activity-types/content_set",
                definition={"https://w3id.org/xapi/vle/extensions/component": component},
            )
        )
    assert [p.course for p in flow.events] == ["https://campus.example/c1"]


def test_rule_1_moodles_ims_package_carries_the_course_type_and_is_no_course():
    flow = Flow()
    flow.send(statement("completed", "https://moodle.example/mod/imscp/view.php?id=7", CMI5_COURSE), "moodle")
    assert flow.names() == []
    flow.send(statement("completed", "https://moodle.example/course/view.php?id=7", CMI5_COURSE), "moodle")
    assert flow.names() == ["learning.completed"]


@pytest.mark.parametrize(
    "name", ["cmi.interaction", "question", "objective", "module", "lesson", "page", "media", "attempt", "interaction"]
)
def test_rule_1_a_type_that_never_qualifies_blocks_even_a_catalogued_id(name):
    flow = Flow(FIRE)
    flow.send(statement("completed", COURSE, name))
    assert flow.names() == []


def test_rule_1_answered_never_completes_a_course():
    flow = Flow(FIRE)
    flow.send(statement("answered", COURSE, "course", result={"completion": True, "success": True}))
    assert flow.names() == []


def test_rule_1c_a_provider_rule_adds_a_course_type():
    kind = "https://x.example/types/simulation"
    flow = Flow(rules=(ProviderRules("sim", course_types=frozenset({kind})),))
    flow.send(statement("completed", "https://x.example/sim/1", kind), "sim")
    flow.send(statement("completed", "https://x.example/sim/2", kind), "other")
    assert [p.course for p in flow.events] == ["https://x.example/sim/1"]


def test_rule_1a_two_ids_of_one_open_edx_course_are_one_achievement():
    flow = Flow()
    block = "https://lms.acme.example/xblock/block-v1:ACME+SAFE1+2026+type@course+block@course"
    flow.send(statement("completed", block, "course"), "openedx")
    flow.send(statement("passed", "https://lms.acme.example/course/course-v1:ACME+SAFE1+2026", "course"), "openedx")
    assert flow.names() == ["learning.completed", "learning.updated"]
    assert len({p.id for p in flow.events}) == 1


@pytest.mark.parametrize("spelling", ["course/course-v1:K+1", "courses/course-v1:K+1", "xblock/block-v1:K+1+type@course+block@course"])
def test_rule_1a_every_spelling_leads_to_the_catalogued_course_whichever_it_holds(spelling):
    for held in ("course/course-v1:K+1", "courses/course-v1:K+1", "xblock/block-v1:K+1+type@course+block@course"):
        catalogue = Catalogue([Course("https://e.example/" + held)])
        assert catalogue.canonical("https://e.example/" + spelling) == "https://e.example/" + held
        assert catalogue.canonical("https://other.example/" + spelling) != "https://e.example/" + held


def test_rule_1a_an_alias_of_the_catalogue_is_the_course():
    flow = Flow(Course(COURSE, aliases=("https://publisher.example/fs",)))
    flow.send(statement("completed", "https://publisher.example/fs"))
    assert [p.course for p in flow.events] == [COURSE]


def test_rule_2_a_course_that_is_its_own_parent_is_a_root_course():
    flow = Flow()
    own = {"contextActivities": {"parent": [{"id": "https://s.example/c1"}]}}
    flow.send(statement("passed", "https://s.example/c1", "course", context=own))
    assert flow.statuses() == [("learning.completed", "passed")]


def test_rule_2_own_parent_is_seen_through_aliases():
    flow = Flow()
    own = {"contextActivities": {"parent": [{"id": "https://e.example/courses/course-v1:K", "definition": {"type": TYPE + "course"}}]}}
    flow.send(statement("passed", "https://e.example/course/course-v1:K", "course", context=own))
    assert flow.names() == ["learning.completed"]


def test_rule_3_of_four_adapt_completions_only_the_course_counts():
    flow = Flow()
    kinds = {
        "component": TYPE + "interaction",
        "block": "http://w3id.org/xapi/adapt/types/block",
        "page": TYPE + "lesson",
        "course": TYPE + "course",
    }
    for name, kind in kinds.items():
        flow.send(statement("completed", f"https://adapt.example/{name}", kind))
    assert [p.course for p in flow.events] == ["https://adapt.example/course"]


def test_rule_4_an_objective_whose_id_begins_with_the_courses_id_is_not_the_course():
    flow = Flow(FIRE)
    judgement = flow.send(statement("passed", COURSE + "/6Lp9", "objective"))
    assert flow.names() == []
    assert judgement.rule == "4"


def test_rule_5_all_of_completes_the_course_only_after_the_last_part():
    flow = Flow(Course(COURSE, all_of=("https://x.example/a", "https://x.example/b")))
    flow.send(statement("completed", "https://x.example/a", "module"))
    assert flow.names() == []
    flow.send(statement("completed", "https://x.example/b", "module", at="2026-03-05T10:00:00Z"))
    assert flow.names() == ["learning.completed"]
    assert len(flow.events[0].payload["evidence"]) == 2


def test_rule_5_two_people_do_not_complete_it_together():
    flow = Flow(Course(COURSE, all_of=("https://x.example/a", "https://x.example/b")))
    flow.send(statement("completed", "https://x.example/a"))
    flow.send(statement("completed", "https://x.example/b", who="bob@acme.example"))
    assert flow.names() == []


def test_rule_5_the_single_au_stands_for_its_course():
    flow = Flow(Course(COURSE, single_au=LESSON))
    flow.send(statement("passed", LESSON, "lesson", result={"score": {"scaled": 0.9}}))
    assert [(p.course, p.payload["result"]) for p in flow.events] == [(COURSE, {"status": "passed", "score": 90})]


def test_rule_6_satisfied_counts_on_the_course_and_not_on_the_block():
    flow = Flow()
    context = CMI5 | {"registration": "11111111-1111-4111-8111-111111111111"}
    flow.send(statement(SATISFIED, "https://lms.example/block", "https://w3id.org/xapi/cmi5/activitytype/block", context=context))
    assert flow.names() == []
    flow.send(statement(SATISFIED, "https://lms.example/course", CMI5_COURSE, context=context))
    assert [(p.event, p.course) for p in flow.events] == [("learning.completed", "https://lms.example/course")]


def test_rule_6_a_passed_that_is_only_allowed_in_a_cmi5_session_is_no_evidence():
    flow = Flow()
    context = {"extensions": {"https://w3id.org/xapi/cmi5/context/extensions/sessionid": "s1"}}
    judgement = flow.send(statement("passed", "https://x.example/au", "course", context=context))
    assert flow.names() == []
    assert judgement.rule == "6"
    trusting = Flow(rules=(ProviderRules("acme", not_cmi5=True),))
    trusting.send(statement("passed", "https://x.example/au", "course", context=context))
    assert trusting.names() == ["learning.completed"]


@pytest.mark.parametrize("au_first", [True, False])
def test_rule_6_satisfied_is_a_pass_if_its_registration_has_a_passed(au_first):
    flow = Flow(Course("https://lms.example/course"))
    context = CMI5 | {"registration": "11111111-1111-4111-8111-111111111111"}
    au = statement("passed", "https://lms.example/au", at="2026-01-02T10:00:00Z", context=context)
    verdict = statement(SATISFIED, "https://lms.example/course", CMI5_COURSE, at="2026-06-02T10:00:00Z", context=context)
    for value in (au, verdict) if au_first else (verdict, au):
        flow.send(value)
    assert flow.statuses()[-1][1] == "passed"
    assert len({p.id for p in flow.events}) == 1
    flow.void(au)
    assert flow.statuses()[-1] == ("learning.updated", "completed")


def test_rule_6_an_au_with_a_course_type_is_not_the_course():
    flow = Flow()
    flow.send(statement("passed", "https://lms.example/au", "course", context=CMI5))
    assert flow.names() == []


@pytest.mark.parametrize("mode", ["Browse", "Review"])
def test_rule_6_nothing_counts_in_browse_and_review(mode):
    flow = Flow(FIRE)
    context = CMI5 | {"extensions": {"https://w3id.org/xapi/cmi5/context/extensions/launchmode": mode}}
    flow.send(statement("passed", COURSE, context=context))
    assert flow.names() == []


def test_rule_6_waived_on_the_single_au_is_the_status_waived():
    flow = Flow(Course(COURSE, single_au="https://lms.example/au"))
    flow.send(
        statement(
            "https://w3id.org/xapi/adl/verbs/waived", "https://lms.example/au", context=CMI5, result={"success": True, "completion": True}
        )
    )
    assert flow.statuses() == [("learning.completed", "waived")]


@pytest.mark.parametrize("courses", [(), (Course(COURSE, single_au=LESSON),)])
def test_rule_7_a_scorm_lesson_terminated_incomplete_is_no_event(courses):
    flow = Flow(*courses)
    flow.send(statement("completed", LESSON, "lesson", context=SCORM))
    flow.send(statement("terminated", LESSON, "lesson", context=SCORM, result={"completion": False}))
    assert flow.names() == []


def test_rule_7a_the_status_of_the_sco_opens_and_the_course_status_raises():
    flow = Flow(Course(COURSE, single_au=LESSON))
    flow.send(statement("terminated", LESSON, "lesson", context=SCORM, result={"completion": True}))
    flow.send(statement("completed", COURSE, context=SCORM, result={"success": True}, at="2026-03-02T10:05:00Z"))
    flow.send(statement("completed", COURSE, context=SCORM, result={"success": True}, at="2026-03-02T10:05:00Z"))
    assert flow.statuses() == [("learning.completed", "completed"), ("learning.updated", "passed")]


def test_rule_7a_in_reverse_order_there_is_one_event():
    flow = Flow(Course(COURSE, single_au=LESSON))
    flow.send(statement("completed", COURSE, context=SCORM, result={"success": True}, at="2026-03-02T10:05:00Z"))
    flow.send(statement("completed", COURSE, context=SCORM, result={"success": True}, at="2026-03-02T10:05:00Z"))
    flow.send(statement("terminated", LESSON, "lesson", context=SCORM, result={"completion": True}))
    assert flow.statuses() == [("learning.completed", "passed")]


@pytest.mark.parametrize(("completion", "events"), [(True, ["learning.completed"]), (False, []), (None, [])])
def test_rule_7a_terminated_counts_for_a_course_only_with_completion(completion, events):
    flow = Flow(FIRE)
    flow.send(statement("terminated", COURSE, context=SCORM, result={} if completion is None else {"completion": completion}))
    assert flow.names() == events


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


def test_rule_14_voiding_revokes_only_what_nothing_else_supports():
    flow = Flow(FIRE)
    first, second = statement("completed"), statement("completed", at="2026-03-02T10:01:00Z")
    flow.send(first)
    flow.send(second)
    flow.void(first)
    assert flow.names() == ["learning.completed"]
    flow.void(second)
    assert flow.names() == ["learning.completed", "learning.revoked"]
    assert flow.events[1].id == flow.events[0].id
    assert flow.events[1].revision == 2


def test_rule_14_done_again_after_a_revoke_it_is_the_same_id_and_the_next_revision():
    flow = Flow(FIRE)
    first = statement("completed")
    flow.send(first)
    flow.void(first)
    flow.send(statement("passed", at="2026-03-04T10:00:00Z"))
    assert [(p.event, p.revision) for p in flow.events] == [("learning.completed", 1), ("learning.revoked", 2), ("learning.completed", 3)]
    assert len({p.id for p in flow.events}) == 1


def test_rule_14_a_void_that_is_routed_before_its_target_leaves_nothing_to_send():
    flow = Flow(FIRE)
    value = statement("completed")
    flow.sent[value["id"]] = (flow.seq + 1, value, "acme")
    flow.void(value)
    flow.send(value, at="2026-03-01T00:00:00.000001Z")
    assert flow.names() == []


RESET = "http://vocab.xapi.fr/verbs/reset"


def test_rule_14_reset_takes_back_the_learners_completion_that_rests_on_the_activity():
    flow = Flow(Course(COURSE, single_au=LESSON))
    flow.send(statement("completed", LESSON, "lesson"))
    flow.send(statement(RESET, LESSON, "lesson", who="teacher@acme.example", at="2026-03-03T10:00:00Z"))
    assert flow.names() == ["learning.completed"]
    learner = {"extensions": {"http://vocab.xapi.fr/extensions/learner": {"mbox": "mailto:ann@acme.example"}}}
    flow.send(statement(RESET, LESSON, "lesson", who="teacher@acme.example", at="2026-03-03T10:00:00Z", context=learner))
    assert flow.names() == ["learning.completed", "learning.revoked"]
    assert flow.events[1].subject == "person:00017"


def test_rule_14_reset_of_one_part_takes_back_an_all_of_completion_until_it_is_done_again():
    flow = Flow(Course(COURSE, all_of=("https://x.example/a", "https://x.example/b")))
    for part in "ab":
        flow.send(statement("completed", f"https://x.example/{part}"))
    uncompleted = "https://xapi.edlm/profiles/edlm-lms/concepts/verbs/uncompleted"
    flow.send(statement(uncompleted, "https://x.example/a", at="2026-03-03T10:00:00Z"))
    flow.send(statement("completed", "https://x.example/a", at="2026-03-04T10:00:00Z"))
    assert flow.names() == ["learning.completed", "learning.revoked", "learning.completed"]
    assert len({p.id for p in flow.events}) == 1


def test_rule_15_what_is_older_than_what_was_sent_changes_nothing():
    flow = Flow(FIRE)
    flow.send(statement("passed", at="2026-03-02T10:00:00Z"), at="2026-03-02T10:00:00Z")
    flow.send(statement("attempted", at="2026-03-02T09:00:00Z"), at="2026-03-02T11:00:00Z")
    flow.send(statement("failed", at="2026-03-02T08:00:00Z"), at="2026-03-02T12:00:00Z")
    assert flow.statuses() == [("learning.completed", "passed")]
    assert flow.on_record()[0].outcome.status == "passed"


@pytest.mark.parametrize(("at", "flags"), [("2026-03-02T10:05:00Z", ()), ("2026-03-02T10:05:01Z", ("clock_ahead",))])
def test_rule_15_a_timestamp_more_than_five_minutes_ahead_is_clamped_and_flagged(at, flags):
    flow = Flow(FIRE)
    judgement = flow.send(statement("passed", at=at), at="2026-03-02T10:00:00Z")
    assert judgement.flags == flags
    assert flow.events[0].payload["timestamp"] == ("2026-03-02T10:00:00.000000Z" if flags else "2026-03-02T10:05:00.000000Z")


def test_rule_16_a_credential_cannot_complete_another_providers_course():
    flow = Flow(Course(COURSE, provider="y"))
    judgement = flow.send(statement("passed"), "x")
    assert flow.names() == []
    assert (judgement.hold, judgement.rule) == ("untrusted", "16")
    flow.send(statement("passed"), "y")
    assert flow.names() == ["learning.completed"]


@pytest.mark.parametrize("kind", ["SubStatement", "StatementRef", "Agent"])
def test_rule_16_what_is_no_activity_is_never_evidence(kind):
    flow = Flow(FIRE)
    value = statement("passed")
    value["object"]["objectType"] = kind
    flow.send(value)
    assert flow.names() == []


def test_rule_16_a_group_completes_nothing_for_its_members():
    flow = Flow(FIRE)
    group = {"objectType": "Group", "mbox": "mailto:team@acme.example", "member": [{"mbox": "mailto:ann@acme.example"}]}
    flow.send(statement("passed", who=group))
    assert (flow.names(), flow.parked) == ([], [])


def test_rule_17_a_parked_completion_is_sent_when_the_directory_learns_the_identifier():
    flow = Flow(FIRE)
    account = {"account": {"homePage": "https://moodle.example", "name": "4711"}}
    flow.send(statement("completed", who=account))
    assert flow.names() == []
    assert [p.subject for p in flow.parked] == ["ifi:account:https://moodle.example|4711"]
    held = flow.parked[0].id
    flow.learn(Person("00099", "new@acme.example", identifiers=("account:https://moodle.example|4711",)))
    assert [(p.event, p.revision, p.subject, p.id) for p in flow.events] == [("learning.completed", 1, "person:00099", held)]
    assert flow.events[0].payload["user"] == {"externalId": "00099", "email": "new@acme.example"}
    assert flow.parked == []


def test_rule_17_one_person_is_met_under_mbox_and_both_hashes():
    for text in ("mailto:ann@acme.example", "ann@acme.example"):
        person = Person("1", identifiers=(f"sha1:{hashlib.sha1(text.encode()).hexdigest()}",))
        flow = Flow(FIRE, people=(person,))
        flow.send(statement("completed", who="Ann@ACME.example"))
        assert [p.subject for p in flow.events] == ["person:1"]


@pytest.mark.parametrize("who", ["unknown@example.com", "Unknown@Example.com"])
def test_rule_17_the_address_of_nobody_is_never_matched(who):
    flow = Flow(FIRE, people=(Person("1", identifiers=("mbox:unknown@example.com",)),))
    flow.send(statement("completed", who=who))
    hashed = {"mbox_sha1sum": hashlib.sha1(b"mailto:unknown@example.com").hexdigest()}
    flow.send(statement("completed", who=hashed))
    assert (flow.names(), flow.parked) == ([], [])


def test_rule_18_leaving_a_course_and_leaving_a_meeting_revoke_nothing():
    flow = Flow(Course("https://moodle.example/course/view.php?id=2"))
    flow.send(statement("completed", "https://moodle.example/course/view.php?id=2", CMI5_COURSE), "moodle")
    left_course = statement("http://activitystrea.ms/leave", "https://moodle.example/course/view.php?id=2", CMI5_COURSE)
    left_meeting = statement("http://activitystrea.ms/leave", "https://moodle.example/mod/bbb/1", "meeting")
    assert [read(v, "moodle").verb for v in (left_course, left_meeting)] == ["registered", "attended"]
    flow.send(left_course, "moodle")
    flow.send(left_meeting, "moodle")
    assert flow.names() == ["learning.completed"]


def test_rule_19_attended_without_a_tie_is_no_event():
    flow = Flow(FIRE)
    context = {"contextActivities": {"parent": [{"id": COURSE}]}}
    room = "https://w3id.org/xapi/virtual-classroom/activity-types/virtual-classroom"
    flow.send(statement("attended", "https://x.example/room", room, context=context, result={"completion": True}))
    flow.send(statement("attended", COURSE, "course", result={"completion": True}))
    assert flow.names() == []


def test_rule_20_a_badge_won_and_lost_is_no_learning_event():
    flow = Flow(FIRE)
    for verb in ("achieved", "forfeited"):
        flow.send(statement(f"https://w3id.org/xapi/tla/verbs/{verb}", COURSE), "moodle")
    assert flow.names() == []


def test_an_unmapped_verb_is_held_and_never_sent():
    flow = Flow(FIRE)
    judgement = flow.send(statement("https://xapi.acme.example/verbs/completed"))
    assert flow.names() == []
    assert judgement.hold == "unmapped"


def test_a_void_itself_is_no_evidence():
    catalogue = Catalogue([FIRE])
    value = statement("voided")
    value["object"] = {"objectType": "StatementRef", "id": "x"}
    judgement = judge(value, read(value), seq=1, stored_us=1, provider="", catalogue=catalogue, now_us=1)
    assert (judgement.evidence, judgement.rule) == ((), "14")


def test_the_payload_is_the_one_flat_shape():
    flow = Flow(FIRE)
    value = statement("passed", result={"score": {"scaled": 0.925, "raw": 37, "max": 40}, "duration": "PT12M"})
    flow.send(value, "sim")
    body = flow.events[0].payload
    assert body == {
        "event": "learning.completed", "id": flow.events[0].id, "revision": 1, "occurred_at": "2026-03-02T10:00:00.000000Z",
        "user": {"externalId": ANN.employee_id, "email": ANN.email}, "course": {"id": COURSE},
        "result": {"status": "passed", "score": 92.5}, "timestamp": "2026-03-02T10:00:00.000000Z", "evidence": [value["id"]],
        "source": "sim", "map_version": 1, "duration": 720.0, "score_raw": 37.0, "score_scaled": 0.925,
    }  # fmt: skip
