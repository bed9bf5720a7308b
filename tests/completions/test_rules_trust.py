"""Rules 14 to 18: what takes back, order, trust, and whose completion it is."""

from __future__ import annotations

import hashlib

import pytest
from completion_flow import ANN, COURSE, Flow, statement

from lrs.completions.catalogue import Catalogue
from lrs.completions.judge import judge
from lrs.completions.model import Course, Person
from verbs.read import read

FIRE = Course(COURSE)
CMI5_COURSE = "https://w3id.org/xapi/cmi5/activitytype/course"
LESSON = "https://acme.example/sco/1"


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
