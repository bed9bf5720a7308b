"""The LMS's flat payload becomes a statement, or is refused with every finding."""
import json
import time

import pytest
from standardwebhooks import Webhook

from lrs.errors import Invalid
from lrs.sources import signature
from lrs.sources.lms.translate import VERBS, course_iri, translate

PAYLOAD = {"event": "learning.completed", "user": {"externalId": "00417", "email": "Learner.A@Example.com"},
           "course": {"id": "onboarding-01", "title": "Onboarding"}, "result": {"status": "passed", "score": 92},
           "timestamp": "2026-01-01T12:00:00Z"}


def read(payload, event_id=""):
    raw = json.dumps(payload).encode()
    return translate(payload, raw=raw, connection="acme", public_url="https://lrs.example/", event_id=event_id)


def test_the_golden_pair():
    got = read(PAYLOAD, "evt-1")
    assert json.loads(got.statement) == {
        "id": json.loads(got.statement)["id"],
        "actor": {"objectType": "Agent", "account": {"homePage": "urn:concord-lrs:employees", "name": "00417"}},
        "verb": {"id": "http://adlnet.gov/expapi/verbs/passed"},
        "object": {"id": "https://lrs.example/courses/onboarding-01", "definition": {
            "type": "http://adlnet.gov/expapi/activities/course", "name": {"und": "Onboarding"}}},
        "result": {"completion": True, "success": True, "score": {"scaled": 0.92}},
        "timestamp": "2026-01-01T12:00:00Z"}


def test_the_same_event_is_the_same_statement_and_another_is_not():
    assert json.loads(read(PAYLOAD, "e1").statement)["id"] == json.loads(read(PAYLOAD, "e1").statement)["id"]
    assert json.loads(read(PAYLOAD, "e1").statement)["id"] != json.loads(read(PAYLOAD, "e2").statement)["id"]
    assert json.loads(read(PAYLOAD).statement)["id"] == json.loads(read(PAYLOAD).statement)["id"]


@pytest.mark.parametrize("status", sorted(VERBS))
def test_every_status_has_its_verb(status):
    statement = json.loads(read({**PAYLOAD, "result": {"status": status}}).statement)
    assert statement["verb"]["id"] == VERBS[status][0]
    assert statement["result"] == VERBS[status][1]


@pytest.mark.parametrize(("patch", "where"), [
    ({"event": "learning.exploded"}, "/event"), ({"user": {}}, "/user"), ({"user": "me"}, "/user"),
    ({"user": {"email": "nobody"}}, "/user/email"), ({"course": {}}, "/course/id"), ({"course": {"id": 7}}, "/course/id"),
    ({"result": {"status": "won"}}, "/result/status"), ({"result": {"status": "passed", "score": 101}}, "/result/score"),
    ({"result": {"status": "passed", "score": True}}, "/result/score"), ({"timestamp": None}, "/timestamp")])
def test_what_is_wrong_is_named(patch, where):
    with pytest.raises(Invalid) as caught:
        read({**PAYLOAD, **patch})
    assert [finding.where for finding in caught.value.findings] == [where]


@pytest.mark.parametrize("payload", [None, [], "x", 1, {}])
def test_any_other_json_is_refused(payload):
    with pytest.raises(Invalid):
        read(payload)


@pytest.mark.parametrize(("given", "iri"), [
    ("https://lms.example/c/1", "https://lms.example/c/1"), ("urn:x:y", "urn:x:y"),
    ("safety 1/2", "https://lrs.example/courses/safety%201%2F2"), ("1:2", "https://lrs.example/courses/1%3A2")])
def test_a_course_id_becomes_an_iri(given, iri):
    assert course_iri(given, "https://lrs.example") == iri


SECRET = "whsec_" + "A" * 43 + "="


def signed(body=b"{}", at=None):
    at = at or int(time.time())
    from datetime import UTC, datetime
    mark = Webhook(SECRET).sign("m1", datetime.fromtimestamp(at, UTC), body.decode())
    return {"message_id": "m1", "timestamp": str(at), "signature": mark, "secret": SECRET, "now": time.time()}


def test_a_signature_made_by_the_public_library_is_right():
    assert signature.verify(b"{}", **signed()) == ""
    assert signature.verify(b"{}", **{**signed(), "signature": "v1,AAAA " + signed()["signature"]}) == ""


@pytest.mark.parametrize("change", [{"signature": "v1,AAAA"}, {"signature": ""}, {"timestamp": "soon"}, {"timestamp": "1"},
                                    {"message_id": "m2"}, {"timestamp": "9" * 40}])
def test_a_changed_signature_is_wrong(change):
    assert signature.verify(b"{}", **{**signed(), **change}) != ""


def test_a_changed_body_is_wrong():
    assert signature.verify(b"{ }", **signed()) == "no v1 signature fits"
