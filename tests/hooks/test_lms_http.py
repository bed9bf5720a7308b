"""POST /hooks/lms/<connection>: who may report, what is refused and how, and what becomes of a report."""
from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from every_store import every_store, settings_at
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from standardwebhooks import Webhook
from werkzeug.test import TestResponse

from lrs.app import create_app
from lrs.auth import credentials
from lrs.completions.model import Course, Person
from lrs.config import Limits
from lrs.directory.csv import identifiers_of
from lrs.services import Services, store_of
from workers.route import route_once

URL = "http://lrs.example"
COURSE = URL + "/courses/onboarding-01"
PAYLOAD: dict[str, Any] = {
    "event": "learning.completed", "user": {"externalId": "00417", "email": "ada@example.com"},
    "course": {"id": "onboarding-01", "title": "Onboarding"}, "result": {"status": "passed", "score": 92},
    "timestamp": "2026-01-01T12:00:00Z"}


@pytest.fixture
def services(tmp_path: Path, place: str) -> Iterator[Services]:
    settings = settings_at(place, tmp_path, public_url=URL, limits=Limits(body_max=20_000, statement_max=20_000))
    store = store_of(settings)
    yield Services(settings, store)
    store.close()


@pytest.fixture
def client(services: Services) -> FlaskClient:
    return create_app(services).test_client()


def connection(services: Services, key: str = "acme-lms", *scopes: str) -> tuple[str, str]:
    made = credentials.create(services.store.credentials, name=key, public_url=URL, key=key, scopes=scopes or ("statements/write",))
    return made.credential.key, made.secret


def report(client: FlaskClient, auth: tuple[str, str] | None, payload: Any = PAYLOAD, to: str = "acme-lms", **headers: str) -> TestResponse:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return client.post(f"/hooks/lms/{to}", data=body, auth=auth, headers={name.replace("_", "-"): value for name, value in headers.items()})


def signed(services: Services, payload: Any = PAYLOAD, *, key: str = "acme-lms", event: str = "evt-1", age: float = 0) -> dict[str, str]:
    at = datetime.now(UTC) - timedelta(seconds=age)
    secret = credentials.webhook_secret(services.store.credentials, key)
    return {"webhook_id": event, "webhook_timestamp": str(int(at.timestamp())),
            "webhook_signature": Webhook(secret).sign(event, at, json.dumps(payload))}


def stored(services: Services) -> list[dict[str, Any]]:
    return [json.loads(record.text) for record in services.store.statements.follow(0, 100)]


def route(services: Services) -> None:
    while (done := route_once(services)).statements or done.changes:
        pass


def refused(answer: TestResponse, status: int, code: str) -> list[str]:
    """The pointers of a refusal in the one error shape."""
    assert (answer.status_code, answer.json["status"], answer.json["code"]) == (status, status, code), answer.text
    return [finding["pointer"] for finding in answer.json.get("findings", [])]


@every_store
def test_a_report_with_the_connections_credential_is_stored_as_a_statement(services: Services, client: FlaskClient) -> None:
    answer = report(client, connection(services))
    assert answer.status_code == 200, answer.text
    [statement] = stored(services)
    assert answer.json == {"statement": statement["id"], "repeated": False}
    assert statement["verb"]["id"] == "http://adlnet.gov/expapi/verbs/passed"
    assert statement["object"]["id"] == COURSE
    assert statement["authority"]["account"] == {"homePage": URL, "name": "acme-lms"}


def test_a_signed_report_is_stored_without_a_basic_credential(services: Services, client: FlaskClient) -> None:
    connection(services)
    answer = report(client, None, **signed(services))
    assert answer.status_code == 200, answer.text
    [statement] = stored(services)
    assert statement["authority"]["account"]["name"] == "acme-lms"


@every_store
def test_an_event_sent_again_is_the_same_statement(services: Services, client: FlaskClient) -> None:
    auth = connection(services)
    first = report(client, None, **signed(services))
    for again in (report(client, None, **signed(services)), report(client, None, **signed(services, age=200)),
                  report(client, auth, webhook_id="evt-1")):
        assert again.json == {"statement": first.json["statement"], "repeated": True}
    assert report(client, None, **signed(services, event="evt-2")).json["repeated"] is False
    assert len(stored(services)) == 2


def test_a_payload_without_an_event_id_sent_again_is_the_same_statement(services: Services, client: FlaskClient) -> None:
    auth = connection(services)
    first, again = report(client, auth), report(client, auth)
    assert again.json == {"statement": first.json["statement"], "repeated": True}


@every_store
def test_an_event_id_used_for_another_completion_is_a_conflict(services: Services, client: FlaskClient) -> None:
    auth = connection(services)
    assert report(client, auth, webhook_id="evt-1").status_code == 200
    other = {**PAYLOAD, "course": {"id": "other-course"}}
    assert refused(report(client, auth, other, webhook_id="evt-1"), 409, "conflict") == ["/id"]
    assert [course.id for course in services.store.directory.courses()] == [COURSE]


def test_two_connections_may_use_the_same_event_id(services: Services, client: FlaskClient) -> None:
    one, two = connection(services, "one-lms"), connection(services, "two-lms")
    assert report(client, one, to="one-lms", webhook_id="1").json != report(client, two, to="two-lms", webhook_id="1").json
    assert len(stored(services)) == 2


@pytest.mark.parametrize("change", [
    {"webhook_signature": "v1,AAAA"}, {"webhook_signature": ""}, {"webhook_signature": "é"}, {"webhook_signature": "v1,é ,"},
    {"webhook_id": "evt-2"}, {"webhook_id": ""}, {"webhook_id": "ÿ"},
    {"webhook_timestamp": ""}, {"webhook_timestamp": "soon"}, {"webhook_timestamp": "²"}, {"webhook_timestamp": "-1"}])
def test_a_wrong_signature_opens_nothing(services: Services, client: FlaskClient, change: dict[str, str]) -> None:
    auth = connection(services)
    refused(report(client, None, **{**signed(services), **change}), 401, "unauthorized")
    # a signature that is there has to be right: a credential beside it does not help
    refused(report(client, auth, **{**signed(services), **change}), 401, "unauthorized")
    assert stored(services) == []


@pytest.mark.parametrize("age", [310, -310, 10**9])
def test_a_signature_from_another_time_opens_nothing(services: Services, client: FlaskClient, age: float) -> None:
    connection(services)
    answer = report(client, None, **signed(services, age=age))
    refused(answer, 401, "unauthorized")
    assert "300 s" in answer.json["message"]


def test_a_signature_over_another_body_or_by_another_connection_opens_nothing(services: Services, client: FlaskClient) -> None:
    connection(services), connection(services, "other-lms")
    refused(report(client, None, {**PAYLOAD, "event": "learning.updated"}, **signed(services)), 401, "unauthorized")
    refused(report(client, None, **signed(services, key="other-lms")), 401, "unauthorized")


def test_another_connections_credential_is_forbidden(services: Services, client: FlaskClient) -> None:
    connection(services)
    refused(report(client, connection(services, "other-lms")), 403, "forbidden")
    refused(report(client, connection(services, "third-lms"), to="nobody"), 403, "forbidden")


def test_a_connection_that_may_not_write_is_refused(services: Services, client: FlaskClient) -> None:
    auth = connection(services, "acme-lms", "feeds/read")
    refused(report(client, auth), 403, "forbidden")
    refused(report(client, None, **signed(services)), 401, "unauthorized")


def test_a_revoked_connection_is_refused_both_ways(services: Services, client: FlaskClient) -> None:
    auth = connection(services)
    services.store.credentials.revoke("acme-lms")
    refused(report(client, auth), 401, "unauthorized")
    refused(report(client, None, **signed(services)), 401, "unauthorized")


@pytest.mark.parametrize("auth", [None, ("acme-lms", "x" * 40), ("é", "ü")])
def test_without_a_proof_nothing_is_taken(services: Services, client: FlaskClient, auth: tuple[str, str] | None) -> None:
    connection(services)
    refused(report(client, auth), 401, "unauthorized")


@pytest.mark.parametrize("to", ["nobody", "%00", "%C3%A9", "..", "a" * 500])
def test_a_connection_that_there_is_not_is_refused(services: Services, client: FlaskClient, to: str) -> None:
    connection(services)
    refused(report(client, None, to=to, **signed(services)), 401, "unauthorized")


@pytest.mark.parametrize(("patch", "pointers"), [
    ({"event": "learning.exploded"}, ["/event"]), ({"event": ["learning.completed"]}, ["/event"]),
    ({"user": {}}, ["/user"]), ({"user": None}, ["/user"]), ({"user": {"email": "nobody"}}, ["/user/email"]),
    ({"user": {"email": "a b@c d"}}, ["/user/email"]), ({"user": {"email": "@"}}, ["/user/email"]),
    ({"course": {"id": 7}}, ["/course/id"]), ({"course": []}, ["/course/id"]),
    ({"result": {"status": "won"}}, ["/result/status"]), ({"result": {"status": ["passed"]}}, ["/result/status"]),
    ({"result": {"status": {}}}, ["/result/status"]), ({"result": {"status": None}}, ["/result/status"]),
    ({"result": {"status": "passed", "score": -1}}, ["/result/score"]),
    ({"result": {"status": "passed", "score": "92"}}, ["/result/score"]),
    ({"timestamp": "yesterday"}, ["/timestamp"]), ({"timestamp": 1767268800}, ["/timestamp"]), ({"timestamp": ""}, ["/timestamp"]),
    ({"event": 1, "user": 2, "course": 3, "result": 4, "timestamp": 5},
     ["/event", "/user", "/course/id", "/result/status", "/timestamp"])])
def test_what_is_wrong_with_a_payload_is_named_in_the_payloads_own_words(
    services: Services, client: FlaskClient, patch: dict[str, Any], pointers: list[str],
) -> None:
    assert refused(report(client, connection(services), {**PAYLOAD, **patch}), 400, "invalid") == pointers
    assert stored(services) == []
    assert services.store.directory.courses() == [], "a refused payload lists no course"


@pytest.mark.parametrize("body", [
    b"", b"{", b"event=learning.completed", b"\xff\xfe\x00", "é".encode("latin-1"), b"\xef\xbb\xbf{}", b'{"event": NaN}', b"\0" * 10,
    b"[" * 5000, b'"\\ud800"', b"\x80" * 1000])
def test_what_is_no_json_is_refused_with_what_was_found(services: Services, client: FlaskClient, body: bytes) -> None:
    answer = report(client, connection(services), body)
    assert refused(answer, 400, "invalid") == [""]
    assert answer.json["findings"][0]["rule"] == "hook.json"


@pytest.mark.parametrize("body", [b"null", b"[]", b"1", b'"x"', b"[{}]"])
def test_json_that_is_no_object_is_refused(services: Services, client: FlaskClient, body: bytes) -> None:
    assert refused(report(client, connection(services), body), 400, "invalid") == [""]


def test_a_body_beyond_the_limit_is_413_and_nothing_is_read_of_it(services: Services, client: FlaskClient) -> None:
    answer = report(client, connection(services), b'"' + b"x" * 30_000 + b'"')
    refused(answer, 413, "too_large")
    assert "body_max" in answer.json["message"]


_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_ANY = st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _TEXT,
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3), max_leaves=6)


def _or_any(right: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(right, right, right, _ANY)


_REPORTS = st.fixed_dictionaries({
    "event": _or_any(st.just("learning.completed")),
    "user": _or_any(st.fixed_dictionaries({"externalId": _or_any(_TEXT), "email": _or_any(st.just("a@b.example") | _TEXT)})),
    "course": _or_any(st.fixed_dictionaries({"id": _or_any(_TEXT | _TEXT.map(lambda t: "https://c.example/" + t)),
                                             "title": _or_any(_TEXT)})),
    "result": _or_any(st.fixed_dictionaries({"status": _or_any(st.sampled_from(["passed", "failed", "completed"])),
                                             "score": _or_any(st.none() | st.floats(0, 100))})),
    "timestamp": _or_any(st.just("2026-01-01T12:00:00Z")), "id": _or_any(_TEXT)})


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(payload=_REPORTS)
def test_whatever_a_payload_holds_is_stored_or_refused_in_its_own_words(services: Services, client: FlaskClient, payload: Any) -> None:
    auth = ("fuzz-lms", "s" * 40)
    if services.store.credentials.by_key(auth[0]) is None:
        credentials.create(services.store.credentials, name="fuzz", public_url=URL, key=auth[0], secret=auth[1])
    answer = report(client, auth, payload, to="fuzz-lms", webhook_id=str(uuid.uuid4()))
    if answer.status_code != 200:
        pointers = refused(answer, 400, "invalid")
        assert pointers
        assert all(one in ("/event", "/user", "/user/email", "/course/id", "/result/status", "/result/score", "/timestamp")
                   for one in pointers), answer.text
    route(services)


def test_only_post_reports(services: Services, client: FlaskClient) -> None:
    assert client.get("/hooks/lms/acme-lms", auth=connection(services)).status_code == 405


@pytest.mark.parametrize("course_id", [
    "Sicherheit für alle / 学习", "urn:x:a<b>", "a:b\tc", "x:^`{|}", "a" * 300,
    "https://lms.example/c?id=1&x=ü", "course-v1:Org+X+2026", "%", "1:2"])
def test_any_course_id_an_lms_may_have_becomes_a_course(services: Services, client: FlaskClient, course_id: str) -> None:
    answer = report(client, connection(services), {**PAYLOAD, "course": {"id": course_id, "title": "Titel ü"}})
    assert answer.status_code == 200, answer.text
    [course] = services.store.directory.courses()
    assert stored(services)[0]["object"]["id"] == course.id
    assert course.title == "Titel ü"


def test_text_of_any_script_and_numbers_of_any_form_are_kept(services: Services, client: FlaskClient) -> None:
    payload = {**PAYLOAD, "user": {"externalId": "№7 \U0001f600\0"}, "result": {"status": "passed", "score": 1e2}, "extra": 10**30}
    assert report(client, connection(services), payload).status_code == 200
    [statement] = stored(services)
    assert statement["actor"]["account"]["name"] == "№7 \U0001f600\0"
    assert statement["result"]["score"] == {"scaled": 1.0}


def test_a_new_course_is_listed_once_and_a_known_one_is_left_alone(services: Services, client: FlaskClient) -> None:
    auth = connection(services)
    known = Course("https://courses.example/fire", "Fire safety", aliases=(URL + "/courses/fire",), repeat_after_days=365)
    services.store.directory.put_courses([known])
    for number, course in enumerate(["onboarding-01", "fire", "https://courses.example/fire", "onboarding-01"]):
        payload = {**PAYLOAD, "course": {"id": course, "title": "The LMS's title"}}
        assert report(client, auth, payload, webhook_id=str(number)).status_code == 200
    assert services.store.directory.courses() == [Course(COURSE, "The LMS's title"), known]


def test_a_course_that_was_imported_meanwhile_is_not_overwritten(services: Services) -> None:
    known = Course(COURSE, "Ours", repeat_after_days=365)
    services.store.directory.put_courses([known])
    services.store.directory.put_courses([Course(COURSE, "The LMS's")], only_new=True)
    assert services.store.directory.courses() == [known]


@every_store
def test_a_simulation_a_cmi5_session_and_the_lms_report_one_completion(services: Services, client: FlaskClient) -> None:
    services.store.directory.put_courses([Course("https://courses.example/onboarding", aliases=(COURSE,))])
    emails = ["ada@example.com"]
    services.store.directory.put_people([Person("00417", emails[0], identifiers=tuple(identifiers_of("00417", emails)))])
    session = str(uuid.uuid4())
    actor = {"mbox": "mailto:ada@example.com"}
    verbs = "http://adlnet.gov/expapi/verbs/"
    simulation = {"actor": actor, "verb": {"id": verbs + "passed"}, "object": {"id": "https://courses.example/onboarding"},
                  "timestamp": "2026-01-01T10:00:00Z", "result": {"score": {"scaled": 0.92}, "success": True, "completion": True}}
    cmi5 = {"actor": actor, "verb": {"id": verbs + "completed"}, "object": {"id": "https://courses.example/onboarding"},
            "timestamp": "2026-01-01T11:00:00Z", "context": {"registration": session}, "result": {"completion": True}}
    for key, statement in (("simulation", simulation), ("cmi5-player", cmi5)):
        answer = client.post("/xapi/statements", json=statement, auth=connection(services, key),
                             headers={"X-Experience-API-Version": "1.0.3"})
        assert answer.status_code == 200, answer.text
    connection(services)
    assert report(client, None, **signed(services)).status_code == 200
    route(services)
    assert len(stored(services)) == 3
    events = [json.loads(row.body) for row in services.store.work.feed(0, 100)]
    assert [(event["event"], event["revision"]) for event in events] == [("learning.completed", 1)]
    assert events[0]["user"] == {"externalId": "00417", "email": "ada@example.com"}
    assert events[0]["result"] == {"status": "passed", "score": 92}
    # told once, the LMS's repeat of it changes nothing
    assert report(client, None, **signed(services)).json["repeated"] is True
    route(services)
    assert len(services.store.work.feed(0, 100)) == 1


def test_the_lms_does_not_read_its_own_report_in_the_feed_but_others_do(services: Services, client: FlaskClient) -> None:
    services.store.directory.put_people([Person("00417", identifiers=tuple(identifiers_of("00417", [])))])
    lms = connection(services, "acme-lms", "statements/write", "feeds/read")
    other = connection(services, "warehouse", "feeds/read")
    assert report(client, lms).status_code == 200
    route(services)
    assert client.get("/feeds/completions", auth=lms).json["items"] == []
    assert [item["course"]["id"] for item in client.get("/feeds/completions", auth=other).json["items"]] == [COURSE]
