"""What happens to achievements when the directory learns, or corrects, who somebody is."""
from __future__ import annotations

from itertools import permutations

import pytest
from completion_flow import ANN, CMI5, COURSE, Flow, statement

from lrs.completions.fold import fold
from lrs.completions.model import Course, Evidence, Person
from lrs.completions.rebind import rebind
from lrs.completions.state import CourseState
from lrs.completions.subjects import email_identifiers, identifier, needs_person, person_subject, unknown_subject

FIRE = Course(COURSE)
DAY = 86_400_000_000
ACCOUNT = {"account": {"homePage": "https://moodle.example", "name": "4711"}}


def done(seq: int, day: int, status: str = "completed", score: float | None = None) -> Evidence:
    return Evidence(seq, f"s{seq}", 1_772_000_000_000_000 + day * DAY, status, "acme", "lms", COURSE, score_scaled=score)


def state_of(subject: str, *items: Evidence) -> CourseState:
    return fold(None, items, course=FIRE, subject=subject, now_us=0).state


def test_what_was_sent_keeps_its_id_and_held_evidence_only_raises_it():
    sent, held = state_of("person:1", done(5, 0)), state_of("ifi:mbox:x@y.example", done(2, 1, "passed"))
    moved = rebind(held, sent, from_subject="ifi:mbox:x@y.example", to_subject="person:1", course=FIRE, person=None, now_us=0)
    assert [(p.event, p.id, p.revision) for p in moved.publications] == [("learning.updated", sent.windows[0].id, 2)]
    assert moved.cancelled == (held.windows[0].id,)
    assert len(moved.state.windows) == 1


def test_of_two_that_were_sent_the_older_stays_and_the_other_is_revoked():
    one, two = state_of("person:1", done(5, 0)), state_of("person:2", done(2, 1))
    moved = rebind(two, one, from_subject="person:2", to_subject="person:1", course=FIRE, person=ANN, now_us=0)
    assert [(p.event, p.id, p.revision) for p in moved.publications] == [("learning.revoked", one.windows[0].id, 2)]
    assert [w.id for w in moved.state.windows] == [two.windows[0].id]


def test_windows_far_apart_come_along_under_new_numbers():
    sent, held = state_of("person:1", done(5, 0)), state_of("ifi:x", done(2, 400), done(3, 800))
    moved = rebind(held, sent, from_subject="ifi:x", to_subject="person:1", course=FIRE, person=None, now_us=0)
    assert [w.n for w in moved.state.windows] == [1, 2, 3]
    assert [(p.event, p.id) for p in moved.publications] == [("learning.completed", w.id) for w in held.windows]


def test_what_was_voided_while_it_was_held_is_never_sent():
    flow = Flow(FIRE)
    value = statement("completed", who=ACCOUNT)
    flow.send(value)
    flow.void(value)
    flow.learn(Person("9", identifiers=("account:https://moodle.example|4711",)))
    assert flow.names() == []


def test_a_pass_and_a_verdict_under_two_identifiers_meet_in_the_person():
    flow = Flow(Course("https://lms.example/course"))
    context = CMI5 | {"registration": "11111111-1111-4111-8111-111111111111"}
    flow.send(statement("passed", "https://lms.example/au", who=ACCOUNT, context=context))
    flow.send(statement("https://w3id.org/xapi/adl/verbs/satisfied", "https://lms.example/course", context=context))
    assert flow.statuses() == [("learning.completed", "completed")]
    flow.learn(Person(ANN.employee_id, ANN.email, identifiers=("account:https://moodle.example|4711",)))
    assert flow.statuses()[1:] == [("learning.updated", "passed")]


@pytest.mark.parametrize(
    ("actor", "names"),
    [
        ({"mbox": "mailto:Ann@Acme.example"}, email_identifiers("ann@acme.example")),
        ({"mbox_sha1sum": "AB" * 20}, ["sha1:" + "ab" * 20]),
        (ACCOUNT, ["account:https://moodle.example|4711"]),
        ({"openid": "https://id.example/ann"}, ["openid:https://id.example/ann"]),
        ({"mbox": "mailto:unknown@example.com"}, []),
        ({"name": "Ann"}, []),
        ({"account": {"homePage": 3, "name": None}, "mbox": []}, []),
        (None, []),
    ],
)
def test_every_kind_of_identifier_has_one_normal_form(actor, names):
    assert identifier(actor) == names


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_a_learner_who_waits_under_several_identifiers_is_sent_once_when_the_directory_learns_him(order):
    address = "new@acme.example"
    names = email_identifiers(address)
    actors = [address, *({"mbox_sha1sum": name.removeprefix("sha1:")} for name in names[1:]), ACCOUNT]
    flow = Flow(FIRE)
    for number in order:
        flow.send(statement("completed", who=actors[number]))
    assert {p.subject for p in flow.parked} == {f"ifi:{name}" for name in (*names, "account:https://moodle.example|4711")}
    flow.learn(Person("9", address, identifiers=(*names, "account:https://moodle.example|4711")))
    assert [(p.event, p.subject) for p in flow.events] == [("learning.completed", "person:9")]
    assert flow.parked == []
    assert len(flow.on_record(who=Person("9"))[0].outcome.statements) == 4


def test_only_a_person_is_sent_for():
    assert not needs_person(person_subject("007"))
    assert needs_person(unknown_subject(["mbox:a@b.example"]))
    assert unknown_subject([]) == ""
