"""Rules 1 to 7a: what a course is, and what of its parts counts."""

from __future__ import annotations

import pytest
from completion_flow import CMI5, COURSE, SCORM, TYPE, Flow, statement

from lrs.completions.catalogue import Catalogue, ProviderRules
from lrs.completions.model import Course

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
