"""Rule 20: badges and certificates are awarded and revoked, and complete nothing."""
from __future__ import annotations

import pytest
from completion_flow import ANN, COURSE, Flow, statement
from msgspec.structs import replace

from lrs.completions.catalogue import Catalogue, ProviderRules
from lrs.completions.judge import judge
from lrs.completions.model import Course, Person
from verbs.read import read

TLA = "https://w3id.org/xapi/tla/verbs/"
BADGE = "https://moodle.example/badges/badge.php?id=7"
ON = (ProviderRules("moodle", opt_in=frozenset({"mastered"})),)
EARNED = "http://id.tincanapi.com/verb/earned"
EXPIRED = "http://id.tincanapi.com/verb/expired"


def told(flow: Flow) -> list[tuple[str, int]]:
    return [(p.event, p.revision) for p in flow.events]


def test_rule_20_a_badge_won_and_lost_is_a_credential_awarded_and_revoked():
    flow = Flow(Course(BADGE), rules=ON)
    for verb in ("achieved", "forfeited"):
        judgement = flow.send(statement(TLA + verb, BADGE), "moodle")
        assert judgement.rule == "20"
    assert told(flow) == [("credential.awarded", 1), ("credential.revoked", 2)]
    assert len({p.id for p in flow.events}) == 1


def test_rule_20_by_default_a_badge_sends_nothing_and_completes_no_course():
    flow = Flow(Course(COURSE))
    for verb in ("achieved", "forfeited"):
        flow.send(statement(TLA + verb, COURSE, "course"), "moodle")
    assert flow.names() == []


def test_rule_20_credentials_are_switched_on_a_provider_at_a_time_and_may_be_by_verb():
    flow = Flow(rules=(ProviderRules("moodle", opt_in=frozenset({EARNED})),))
    flow.send(statement(TLA + "achieved", BADGE), "moodle")
    flow.send(statement(EARNED, BADGE), "other")
    assert flow.names() == []
    flow.send(statement(EARNED, BADGE), "moodle")
    assert flow.names() == ["credential.awarded"]


def test_rule_20_the_event_names_the_credential_and_no_course():
    flow = Flow(rules=ON)
    value = statement(TLA + "achieved", BADGE)
    flow.send(value, "moodle")
    assert flow.events[0].payload == {
        "event": "credential.awarded", "id": flow.events[0].id, "revision": 1, "occurred_at": "2026-03-02T10:00:00.000000Z",
        "user": {"externalId": ANN.employee_id, "email": ANN.email}, "course": {"id": None}, "credential": {"id": BADGE},
        "result": {"status": "awarded", "score": None}, "timestamp": "2026-03-02T10:00:00.000000Z", "evidence": [value["id"]],
        "source": "moodle", "map_version": 1, "duration": None, "score_raw": None, "score_scaled": None,
    }  # fmt: skip


def test_rule_20_a_repeated_award_folds_however_late_and_with_whatever_score():
    flow = Flow(rules=ON)
    for year, scaled in ((2024, 0.5), (2025, 0.9), (2030, 1.0)):
        flow.send(statement(TLA + "achieved", BADGE, at=f"{year}-03-02T10:00:00Z", result={"score": {"scaled": scaled}}), "moodle")
    assert told(flow) == [("credential.awarded", 1)]


@pytest.mark.parametrize("taken", [TLA + "forfeited", EXPIRED])
def test_rule_20_awarded_again_after_a_revoke_it_is_the_next_revision(taken):
    flow = Flow(rules=ON)
    for year, verb in ((2024, TLA + "achieved"), (2026, taken), (2028, TLA + "achieved")):
        flow.send(statement(verb, BADGE, at=f"{year}-03-02T10:00:00Z"), "moodle")
    assert told(flow) == [("credential.awarded", 1), ("credential.revoked", 2), ("credential.awarded", 3)]
    assert len({p.id for p in flow.events}) == 1


def test_rule_20_voiding_an_award_revokes_it_and_voiding_the_loss_awards_it_again():
    flow = Flow(rules=ON)
    award, loss = statement(TLA + "achieved", BADGE), statement(TLA + "forfeited", BADGE, at="2026-04-02T10:00:00Z")
    flow.send(award, "moodle")
    flow.send(loss, "moodle")
    flow.void(loss)
    flow.void(award)
    assert told(flow) == [("credential.awarded", 1), ("credential.revoked", 2), ("credential.awarded", 3), ("credential.revoked", 4)]


def test_rule_20_what_was_awarded_is_revoked_also_after_credentials_were_switched_off():
    flow = Flow(rules=ON)
    flow.send(statement(TLA + "achieved", BADGE), "moodle")
    flow.catalogue = Flow().catalogue
    flow.send(statement(TLA + "forfeited", BADGE, at="2026-04-02T10:00:00Z"), "moodle")
    assert flow.names() == ["credential.awarded", "credential.revoked"]


def test_rule_20_a_badge_with_the_id_of_a_course_leaves_its_completion_alone():
    flow = Flow(Course(COURSE), rules=ON)
    flow.send(statement("completed", COURSE), "moodle")
    flow.send(statement(TLA + "achieved", COURSE), "moodle")
    flow.send(statement(TLA + "forfeited", COURSE, at="2026-04-02T10:00:00Z"), "moodle")
    assert flow.names() == ["learning.completed", "credential.awarded", "credential.revoked"]
    assert flow.on_record()[0].outcome.status == "completed"
    assert len({p.id for p in flow.events}) == 2


def test_rule_20_an_open_edx_grade_is_no_credential():
    flow = Flow(rules=(ProviderRules("openedx", opt_in=frozenset({"mastered"})),))
    course = "https://lms.example/course/course-v1:K"
    assert flow.send(statement(EARNED, course, "course", result={"score": {"scaled": 1.0}}), "openedx").rule != "20"
    assert flow.names() == []


@pytest.mark.parametrize("result", [{"success": False}, {"completion": False}])
def test_rule_20_an_award_that_denies_itself_is_contradictory(result):
    flow = Flow(rules=ON)
    assert flow.send(statement(TLA + "achieved", BADGE, result=result), "moodle").hold == "contradiction"
    assert flow.names() == []


@pytest.mark.parametrize("verb", ["http://specification.openbadges.org/xapi/verbs/met-criteria", "http://specification.openbadges.org/xapi/verbs/archive-badge-class",
                                  "http://standard.openbadges.org/xapi/verbs/created-badge-class.json"])  # fmt: skip
def test_rule_20_a_badge_class_that_is_defined_awards_nothing(verb):
    flow = Flow(rules=(ProviderRules("moodle", opt_in=frozenset({"mastered", verb})),))
    flow.send(statement(verb, BADGE), "moodle")
    assert flow.names() == []


def test_rule_20_an_award_waits_for_its_person_under_the_same_id():
    flow = Flow(rules=ON)
    flow.send(statement(TLA + "achieved", BADGE, who={"account": {"homePage": "https://moodle.example", "name": "4711"}}), "moodle")
    held = flow.parked[0]
    flow.learn(Person("00099", identifiers=("account:https://moodle.example|4711",)))
    assert [(p.event, p.id, p.subject) for p in flow.events] == [("credential.awarded", held.id, "person:00099")]


def test_rule_20_another_provider_cannot_award_for_an_owned_course():
    flow = Flow(Course(BADGE, provider="campus"), rules=ON)
    assert flow.send(statement(TLA + "achieved", BADGE), "moodle").hold == "untrusted"
    assert flow.names() == []


def test_rule_20_a_verb_map_that_says_yes_needs_no_switch_and_no_credential_is_awarded_without_an_id():
    value = statement(TLA + "achieved", BADGE)
    switched_off, on = read(value), replace(read(value), kind="yes")
    keys = [judge(value, one, seq=1, stored_us=1, provider="", catalogue=Catalogue(), now_us=1).evidence for one in (switched_off, on)]
    assert [len(found) for found in keys] == [0, 1]
    assert keys[1][0][0] == f"credential:{BADGE}"
    nameless = {**value, "object": {}}
    assert judge(nameless, on, seq=1, stored_us=1, provider="", catalogue=Catalogue(), now_us=1).evidence == ()
