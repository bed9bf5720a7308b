"""The credential of one launch: what it opens, what it does not, when it ends, and how it is fetched once."""
from __future__ import annotations

import base64
import dataclasses
import json
import threading
import uuid
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from flask.testing import FlaskClient

from lrs.app import create_app
from lrs.errors import StoreUnavailable
from lrs.services import Services

PATH, STATE, PROFILE, AGENT = "/xapi/statements", "/xapi/activities/state", "/xapi/activities/profile", "/xapi/agents/profile"
ACTIVITY = "https://courses.example/fire"
ADA, BOB = ({"objectType": "Agent", "account": {"homePage": "https://lms.example", "name": name}} for name in ("ada", "bob"))
VOIDED = "http://adlnet.gov/expapi/verbs/voided"


def statement(actor: dict[str, Any] = ADA, activity: str = ACTIVITY, **parts: Any) -> dict[str, Any]:
    return {"actor": actor, "verb": {"id": "http://adlnet.gov/expapi/verbs/completed"}, "object": {"id": activity}, **parts}


def basic(client: FlaskClient, token: str) -> FlaskClient:
    client.environ_base.update(HTTP_AUTHORIZATION=f"Basic {token}", HTTP_X_EXPERIENCE_API_VERSION="1.0.3")
    return client


class Clock:
    def __init__(self) -> None:
        self.now = 1_790_000_000_000_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock(services: Services, monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock()


@pytest.fixture
def timed(services: Services, clock: Clock) -> Services:
    return dataclasses.replace(services, now_us=clock)


@pytest.fixture
def lms(timed: Services, client_of: Any) -> FlaskClient:
    """The credential of an LMS, which launches content."""
    made = client_of("launch", "statements/write", "statements/read/mine", provider="lms")
    client = create_app(timed).test_client()
    client.environ_base.update(made.environ_base)
    return client


def launched(lms: FlaskClient, **given: Any) -> dict[str, Any]:
    answer = lms.post("/api/v1/credentials/launch", json={"actor": ADA, "activity": ACTIVITY, **given})
    assert answer.status_code == 201, answer.text
    return dict(answer.json)


@pytest.fixture
def content(lms: FlaskClient) -> FlaskClient:
    """The launched content."""
    made = launched(lms)
    return basic(lms.application.test_client(), base64.b64encode(f"{made['key']}:{made['secret']}".encode()).decode())


def test_it_stores_what_its_actor_did_with_its_activity_and_the_parts_of_it(content: FlaskClient, services: Services) -> None:
    for part in ("", "/question-1", "#slide", "?mode=review"):
        assert content.post(PATH, json=statement(activity=ACTIVITY + part)).status_code == 200
    assert content.put(PATH, query_string={"statementId": str(uuid.uuid4())}, json=statement({**ADA, "name": "Ada"})).status_code == 204
    assert {record.provider for record in services.store.statements.follow(0, 10)} == {"lms"}


@pytest.mark.parametrize("wrong", [
    statement(BOB), statement(activity="https://courses.example/other"), statement(activity=ACTIVITY + "-2"),
    statement(activity="https://courses.example/", context={"contextActivities": {"parent": [{"id": ACTIVITY}]}}),
    statement({"objectType": "Group", "account": ADA["account"]}), statement({"objectType": "Group", "member": [ADA]}),
    statement(object=BOB), statement(object=ADA),
    statement(verb={"id": VOIDED}, object={"objectType": "StatementRef", "id": str(uuid.uuid4())}),
    statement(object={"objectType": "SubStatement", "actor": ADA, "verb": {"id": "http://x.example/v"}, "object": {"id": ACTIVITY}}),
])
def test_it_stores_nothing_else_not_even_beside_what_it_may(content: FlaskClient, services: Services, wrong: dict[str, Any]) -> None:
    answer = content.post(PATH, json=[statement(), wrong])
    assert (answer.status_code, answer.json["code"]) == (403, "forbidden")
    assert "statement 1" in answer.json["message"]
    assert content.put(PATH, query_string={"statementId": str(uuid.uuid4())}, json=wrong).status_code == 403
    assert services.store.statements.count() == 0


def test_what_is_broken_is_named_as_for_everybody(content: FlaskClient) -> None:
    for broken in (b"{", b"[1]", b'{"actor": 7}', json.dumps({**statement(), "object": {}}).encode()):
        assert content.post(PATH, data=broken, content_type="application/json").status_code == 400


def test_it_reads_what_its_actor_did_with_its_activity_whoever_stored_it(content: FlaskClient, client: FlaskClient) -> None:
    own, part = client.post(PATH, json=[statement(), statement(activity=ACTIVITY + "/q")]).json
    others = client.post(PATH, json=[statement(BOB), statement(activity="https://courses.example/x"),
                                     statement(BOB, object={"objectType": "StatementRef", "id": own})]).json
    asked: list[dict[str, str]] = [
        {}, {"agent": json.dumps(BOB)}, {"activity": "https://courses.example/x"}, {"agent": json.dumps(ADA), "related_agents": "true"},
        {"activity": ACTIVITY, "related_activities": "true", "agent": json.dumps(ADA), "related_agents": "true"},
        {"activity": ACTIVITY + "/q"}, {"ascending": "true", "limit": "1"}]
    seen = set()
    for query in asked:
        page = content.get(PATH, query_string=query).json
        while True:
            seen |= {one["id"] for one in page["statements"]}
            if not page["more"]:
                break
            page = content.get(page["more"]).json
    assert seen == {own, part}
    for name in (own, part):
        assert content.get(PATH, query_string={"statementId": name}).status_code == 200
    for name in others:
        assert content.get(PATH, query_string={"statementId": name}).status_code == 404
    client.post(PATH, json=statement(verb={"id": VOIDED}, object={"objectType": "StatementRef", "id": others[0]}))
    assert content.get(PATH, query_string={"voidedStatementId": others[0]}).status_code == 404


def test_it_opens_state_and_profiles_of_its_actor_and_activity_only(content: FlaskClient, client: FlaskClient) -> None:
    def at(actor: dict[str, Any] | None, activity: str | None, name: str) -> dict[str, str]:
        return ({"agent": json.dumps(actor)} if actor else {}) | ({"activityId": activity} if activity else {}) | {name: "d"}

    new = {"data": b"{}", "content_type": "application/json", "headers": {"If-None-Match": "*"}}
    assert content.put(STATE, query_string=at(ADA, ACTIVITY, "stateId"), **new).status_code == 204
    assert content.put(AGENT, query_string=at(ADA, None, "profileId"), **new).status_code == 204
    assert client.put(PROFILE, query_string=at(None, ACTIVITY, "profileId"), **new).status_code == 204
    assert content.get(PROFILE, query_string=at(None, ACTIVITY, "profileId")).status_code == 200
    for path, query in ((STATE, at(BOB, ACTIVITY, "stateId")), (STATE, at(ADA, "https://x.example/", "stateId")),
                        (AGENT, at(BOB, None, "profileId")), (PROFILE, at(None, "https://x.example/", "profileId"))):
        for method in ("GET", "PUT", "POST", "DELETE"):
            body = new if method in ("PUT", "POST") else {}
            assert content.open(path, method=method, query_string=query, **body).status_code == 403, (path, method)
        without = {key: value for key, value in query.items() if not key.endswith("Id") or key == "activityId"}
        assert content.get(path, query_string=without).status_code == 403
    for method in ("PUT", "POST", "DELETE"):
        assert content.open(PROFILE, method=method, query_string=at(None, ACTIVITY, "profileId"), **new).status_code == 403
    assert content.get("/xapi/agents", query_string={"agent": json.dumps(ADA)}).status_code == 200
    assert content.get("/xapi/agents", query_string={"agent": json.dumps(BOB)}).status_code == 403
    assert content.get("/xapi/activities", query_string={"activityId": ACTIVITY}).status_code == 200
    assert content.get("/xapi/activities", query_string={"activityId": "https://x.example/"}).status_code == 403


def test_it_opens_no_other_interface(content: FlaskClient) -> None:
    for method, path in (("GET", "/feeds/completions"), ("GET", "/api/v1/status"), ("GET", "/api/v1/exports/facts"),
                         ("POST", "/api/v1/credentials/launch"), ("POST", "/api/v1/credentials/x/test"), ("GET", "/api/v1/rejections"),
                         ("POST", "/hooks/lms/x")):
        assert content.open(path, method=method, json={} if method == "POST" else None).status_code == 403, path


def test_it_ends_when_its_time_is_up(lms: FlaskClient, clock: Clock) -> None:
    made = launched(lms, minutes=5)
    content = basic(lms.application.test_client(), base64.b64encode(f"{made['key']}:{made['secret']}".encode()).decode())
    assert content.get(PATH).status_code == 200
    clock.now += 5 * 60_000_000 - 1
    assert content.get(PATH).status_code == 200
    clock.now += 1
    answer = content.post(PATH, json=statement())
    assert (answer.status_code, "expired" in answer.json["message"]) == (401, True)


def test_it_ends_with_the_credential_that_it_was_made_for_or_by_itself(lms: FlaskClient, services: Services) -> None:
    first, second = launched(lms), launched(lms)
    contents = [basic(lms.application.test_client(), base64.b64encode(f"{one['key']}:{one['secret']}".encode()).decode())
                for one in (first, second)]
    services.store.credentials.revoke(first["key"])
    assert [one.get(PATH).status_code for one in contents] == [401, 200]
    services.store.credentials.revoke(base64.b64decode(lms.environ_base["HTTP_AUTHORIZATION"][6:]).decode().partition(":")[0])
    assert contents[1].get(PATH).status_code == 401


def test_it_is_fetched_once_and_then_the_error_of_cmi5_is_told(lms: FlaskClient, services: Services) -> None:
    made = launched(lms, registration=str(uuid.uuid4()))
    path = made["fetch"].removeprefix("http://lrs.example")
    stranger = lms.application.test_client()
    assert [stranger.open(path, method=method).status_code for method in ("GET", "PUT")] == [405, 405]
    first = stranger.post(path, headers={"Origin": "https://content.example"})
    assert (first.status_code, first.mimetype, list(first.json)) == (200, "application/json", ["auth-token"])
    assert (first.headers["Access-Control-Allow-Origin"], first.headers["Cache-Control"]) == ("*", "no-store")
    for _ in range(2):
        again = stranger.post(path)
        assert (again.status_code, again.json["error-code"], set(again.json)) == (200, "1", {"error-code", "error-text"})
    assert basic(stranger, first.json["auth-token"]).post(PATH, json=statement()).status_code == 200
    assert made["secret"] == base64.b64decode(first.json["auth-token"]).decode().partition(":")[2]


def test_of_many_who_fetch_at_once_one_gets_it(lms: FlaskClient) -> None:
    path, answers = launched(lms)["fetch"].removeprefix("http://lrs.example"), []
    clients = [lms.application.test_client() for _ in range(8)]
    threads = [threading.Thread(target=lambda one=one: answers.append(next(iter(one.post(path).json)))) for one in clients]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(answers) == ["auth-token"] + ["error-code"] * 7


def test_a_fetch_url_that_is_late_unknown_or_of_a_sick_store_says_so(
    lms: FlaskClient, clock: Clock, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger = lms.application.test_client()
    late = launched(lms, minutes=1)["fetch"].removeprefix("http://lrs.example")
    clock.now += 60_000_000
    told = [stranger.post(path).json["error-code"] for path in (late, "/xapi/fetch/nothing", "/xapi/fetch/%00", "/xapi/fetch/%C3%BC")]
    assert told == ["1", "2", "2", "2"]

    def unavailable(*_: object) -> None:
        raise StoreUnavailable("disk full")

    monkeypatch.setattr(type(services.store.credentials), "fetch", unavailable)
    assert stranger.post(late).json["error-code"] == "3"


def test_expired_ones_are_swept_and_never_listed(lms: FlaskClient, clock: Clock, services: Services) -> None:
    keys = [launched(lms, minutes=1)["key"] for _ in range(3)]
    assert not {one.key for one in services.store.credentials.list()} & set(keys)
    clock.now += 25 * 3600 * 1_000_000
    launched(lms)
    assert [services.store.credentials.by_key(key) for key in keys] == [None] * 3


def test_the_query_is_what_cmi5_content_is_launched_with(lms: FlaskClient) -> None:
    registration = str(uuid.uuid4())
    made = launched(lms, registration=registration.upper())
    query = dict(parse_qsl(made["query"]))
    assert json.loads(query.pop("actor")) == ADA
    assert query == {"endpoint": "http://lrs.example/xapi/", "fetch": made["fetch"], "activityId": ACTIVITY, "registration": registration}
    assert urlsplit(made["fetch"]).path.startswith("/xapi/fetch/")


def test_who_lacks_the_scope_launches_nothing(client_of: Any) -> None:
    answer = client_of("statements/write", "all/read").post("/api/v1/credentials/launch", json={"actor": ADA, "activity": ACTIVITY})
    assert (answer.status_code, "launch" in answer.json["message"]) == (403, True)


@pytest.mark.parametrize(("given", "pointer"), [
    ({"actor": {"objectType": "Group", "mbox": "mailto:a@x.example"}}, "/actor"), ({"actor": {"name": "Ada"}}, "/actor"),
    ({"actor": {"mbox": "ada@x.example"}}, "/actor"), ({"activity": "fire"}, "/activity"), ({"registration": "7"}, "/registration"),
    ({"minutes": 0}, "/minutes"), ({"minutes": 1441}, "/minutes"), ({"origins": ["https://x.example/path"]}, "/origins/0"),
])
def test_a_bad_launch_is_refused_with_the_place(lms: FlaskClient, given: dict[str, Any], pointer: str) -> None:
    answer = lms.post("/api/v1/credentials/launch", json={"actor": ADA, "activity": ACTIVITY, **given})
    assert (answer.status_code, answer.json["findings"][0]["pointer"]) == (400, pointer)


def test_its_pages_are_its_own_or_those_of_who_launched_it(lms: FlaskClient) -> None:
    made = launched(lms, origins=["https://content.example"])
    content = basic(lms.application.test_client(), base64.b64encode(f"{made['key']}:{made['secret']}".encode()).decode())
    assert content.get(PATH, headers={"Origin": "https://content.example"}).status_code == 200
    assert content.get(PATH, headers={"Origin": "https://evil.example"}).status_code == 403


def test_origins_of_a_lasting_credential_are_a_field_of_the_api(client: FlaskClient) -> None:
    made = client.post("/api/v1/credentials", json={"name": "Page", "key": "page", "origins": ["https://a.example", "https://a.example/"]})
    assert (made.status_code, made.json["origins"]) == (201, ["https://a.example"])
    assert client.get("/api/v1/credentials/page").json["origins"] == ["https://a.example"]
    refused = client.post("/api/v1/credentials", json={"name": "Page", "origins": ["https://a.example", "a.example"]})
    assert (refused.status_code, refused.json["findings"][0]["pointer"]) == (400, "/origins/1")
