"""POST, PUT, GET and HEAD of /xapi/statements as the standard asks for them."""
from __future__ import annotations

import json
import re
import uuid
from email import message_from_bytes
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from flask.testing import FlaskClient

from lrs.services import Services

PATH = "/xapi/statements"
VOIDED = "http://adlnet.gov/expapi/verbs/voided"


def statement(**parts: Any) -> dict[str, Any]:
    return {
        "actor": {"mbox": "mailto:ann@example.com"},
        "verb": {"id": "http://x.example/did"},
        "object": {"id": "http://x.example/a"},
        **parts,
    }


def void(target: str, **parts: Any) -> dict[str, Any]:
    return statement(verb={"id": VOIDED}, object={"objectType": "StatementRef", "id": target}, **parts)


def new_id() -> str:
    return str(uuid.uuid4())


def ids_of(client: FlaskClient, **query: str) -> list[str]:
    answer = client.get(PATH, query_string=query)
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json["statements"]]


@pytest.mark.parametrize("path", [PATH, PATH + "/"])
def test_a_statement_is_stored_and_its_id_is_answered(client: FlaskClient, path: str) -> None:
    answer = client.post(path, json=statement())
    assert answer.status_code == 200
    (name,) = answer.json
    found = client.get(path, query_string={"statementId": name})
    assert found.status_code == 200
    assert found.json["id"] == name
    assert found.json["version"] == "1.0.0"
    assert found.json["timestamp"] == found.json["stored"]
    assert found.json["authority"]["account"]["homePage"] == "http://lrs.example"


def test_an_array_is_answered_with_its_ids_in_order(client: FlaskClient) -> None:
    names = [new_id() for _ in range(5)]
    answer = client.post(PATH, json=[statement(id=name.upper()) for name in names])
    assert answer.json == names
    assert ids_of(client) == names[::-1]
    assert ids_of(client, ascending="true") == names


def test_an_empty_array_is_an_empty_batch(client: FlaskClient) -> None:
    assert client.post(PATH, json=[]).json == []


def test_put_stores_under_the_id_of_the_parameter(client: FlaskClient) -> None:
    name = new_id()
    assert client.put(PATH, query_string={"statementId": name.upper()}, json=statement()).status_code == 204
    assert client.get(PATH, query_string={"statementId": name}).json["id"] == name


@pytest.mark.parametrize(
    ("query", "body"),
    [
        ({}, statement()),
        ({"statementId": "1"}, statement()),
        ({"statementId": new_id()}, [statement()]),
        ({"statementId": new_id()}, statement(id=new_id())),
        ({"statementId": new_id(), "limit": "1"}, statement()),
    ],
)
def test_put_without_one_id_is_refused(client: FlaskClient, query: dict[str, str], body: Any) -> None:
    answer = client.put(PATH, query_string=query, json=body)
    assert answer.status_code == 400
    assert answer.json["findings"]


def test_the_same_statement_again_is_accepted_and_stored_once(client: FlaskClient) -> None:
    one = statement(id=new_id(), result={"score": {"raw": 1}})
    again = {**one, "result": {"score": {"raw": 1.0}}}
    assert client.post(PATH, json=one).status_code == 200
    assert client.post(PATH, json=[again]).json == [one["id"]]
    assert client.put(PATH, query_string={"statementId": one["id"]}, json=again).status_code == 204
    assert ids_of(client) == [one["id"]]


def test_another_statement_under_a_known_id_is_a_conflict_and_the_batch_is_refused_whole(client: FlaskClient) -> None:
    one = statement(id=new_id())
    client.post(PATH, json=one)
    other = {**one, "result": {"success": True}}
    answer = client.post(PATH, json=[statement(), other])
    assert answer.status_code == 409
    assert answer.json["code"] == "conflict"
    assert answer.json["findings"][0]["index"] == 1
    assert client.put(PATH, query_string={"statementId": one["id"]}, json=other).status_code == 409
    assert ids_of(client) == [one["id"]]


@pytest.mark.parametrize("version", ["1.0", "1.0.0", "1.0.1", "1.0.2", "1.0.3", "1.0.9"])
def test_every_version_of_1_0_is_spoken_and_answered_as_1_0_3(client: FlaskClient, version: str) -> None:
    answer = client.get(PATH, headers={"X-Experience-API-Version": version})
    assert answer.status_code == 200
    assert answer.headers["X-Experience-API-Version"] == "1.0.3"


@pytest.mark.parametrize("version", ["0.95", "1.1.0", "2.1.0", "2", "3.0.0", "1.0.", "1", "x"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_another_version_is_refused_with_those_that_are_spoken(client: FlaskClient, version: str, method: str) -> None:
    answer = client.open(PATH, method=method, headers={"X-Experience-API-Version": version})
    assert answer.status_code == 400
    assert "1.0.3" in answer.json["message"]
    assert answer.headers["X-Experience-API-Version"] == "1.0.3"


def test_a_request_without_version_is_refused(client: FlaskClient) -> None:
    del client.environ_base["HTTP_X_EXPERIENCE_API_VERSION"]
    answer = client.get(PATH)
    assert (answer.status_code, answer.json["code"]) == (400, "version_missing")


@pytest.mark.parametrize("path", ["/xapi/about", "/xapi/about/"])
def test_about_is_open_to_everyone(client: FlaskClient, path: str) -> None:
    client.environ_base.clear()
    answer = client.get(path)
    assert answer.json["version"] == ["1.0.0", "1.0.1", "1.0.2", "1.0.3", "2.0.0"]


def test_head_answers_the_headers_of_get_without_a_body(client: FlaskClient) -> None:
    client.post(PATH, json=statement())
    got, head = client.get(PATH), client.head(PATH)
    assert head.status_code == 200
    assert head.data == b""
    assert head.headers["Content-Length"] == got.headers["Content-Length"]
    assert "X-Experience-API-Consistent-Through" in head.headers


def test_consistent_through_is_not_before_what_is_shown(client: FlaskClient) -> None:
    client.post(PATH, json=statement())
    for query in ({}, {"statementId": ids_of(client)[0]}):
        answer = client.get(PATH, query_string=query)
        through = answer.headers["X-Experience-API-Consistent-Through"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", through)
        shown = answer.json.get("statements", [answer.json])
        assert all(item["stored"] <= through for item in shown)


def test_a_single_statement_says_when_it_was_stored(client: FlaskClient) -> None:
    (name,) = client.post(PATH, json=statement()).json
    answer = client.get(PATH, query_string={"statementId": name})
    assert parsedate_to_datetime(answer.headers["Last-Modified"]).isoformat()[:19] == answer.json["stored"][:19]


def test_an_unknown_id_is_not_found(client: FlaskClient) -> None:
    for parameter in ("statementId", "voidedStatementId"):
        answer = client.get(PATH, query_string={parameter: new_id()})
        assert (answer.status_code, answer.json["code"]) == (404, "not_found")


@pytest.mark.parametrize("single", [True, False])
def test_attachments_true_is_answered_as_multipart(client: FlaskClient, single: bool) -> None:
    (name,) = client.post(PATH, json=statement()).json
    query = {"attachments": "true"} | ({"statementId": name} if single else {})
    answer = client.get(PATH, query_string=query)
    mail = message_from_bytes(b"Content-Type: " + answer.headers["Content-Type"].encode() + b"\r\n\r\n" + answer.data)
    (part,) = mail.get_payload()
    assert part.get_content_type() == "application/json"
    found = json.loads(part.get_payload(decode=True))
    assert (found if single else found["statements"][0])["id"] == name


def test_formats_are_given_to_one_and_to_many(client: FlaskClient) -> None:
    full = {"id": "http://x.example/a", "definition": {"name": {"en": "A", "de": "B"}}}
    (name,) = client.post(PATH, json=statement(object=full)).json
    for query in ({}, {"statementId": name}):
        def asked(form: str, query: dict[str, str] = query) -> dict[str, Any]:
            found = client.get(PATH, query_string={**query, "format": form}, headers={"Accept-Language": "de"}).json
            return found["statements"][0] if "statements" in found else found

        assert asked("exact")["object"] == full
        assert asked("ids")["object"] == {"id": full["id"]}
        assert asked("canonical")["object"]["definition"] == {"name": {"de": "B"}}


@pytest.mark.parametrize("first", ["target", "void"])
def test_a_voided_statement_is_found_only_as_voided_whichever_came_first(client: FlaskClient, first: str) -> None:
    name, voiding = new_id(), new_id()
    posts = [statement(id=name), void(name, id=voiding)]
    for item in posts if first == "target" else posts[::-1]:
        assert client.post(PATH, json=item).status_code == 200
    assert client.get(PATH, query_string={"statementId": name}).status_code == 404
    assert client.get(PATH, query_string={"voidedStatementId": name}).json["id"] == name
    assert ids_of(client) == [voiding]
    assert client.get(PATH, query_string={"voidedStatementId": voiding}).status_code == 404


def test_a_provider_voids_its_own_and_not_another_s(client_of: Any) -> None:
    mine = client_of("statements/write", "statements/read", provider="acme")
    other = client_of("statements/write", "statements/read", provider="other")
    (name,) = mine.post(PATH, json=statement()).json
    answer = other.post(PATH, json=void(name))
    assert (answer.status_code, answer.json["code"]) == (403, "forbidden")
    assert mine.get(PATH, query_string={"statementId": name}).status_code == 200
    assert client_of("statements/write", "statements/void", provider="third").post(PATH, json=void(name)).status_code == 200
    assert mine.get(PATH, query_string={"statementId": name}).status_code == 404


def test_the_mine_scope_sees_its_own_only_also_through_references(client_of: Any) -> None:
    mine, other = client_of("statements/write", "statements/read/mine"), client_of("statements/write", "statements/read/mine")
    special = statement(verb={"id": "http://x.example/special"})
    (theirs,) = other.post(PATH, json=special).json
    (own,) = mine.post(PATH, json=special).json
    refer = {"objectType": "StatementRef"}
    to_theirs, to_own = mine.post(PATH, json=[statement(object={**refer, "id": theirs}), statement(object={**refer, "id": own})]).json
    assert sorted(ids_of(mine)) == sorted([own, to_theirs, to_own])
    assert mine.get(PATH, query_string={"statementId": theirs}).status_code == 404
    assert mine.get(PATH, query_string={"statementId": own}).status_code == 200
    assert sorted(ids_of(mine, verb="http://x.example/special")) == sorted([own, to_own])
    assert ids_of(other) == [theirs]


SCOPES = {
    "GET": {"statements/read/mine", "statements/read", "all/read", "all"},
    "POST": {"statements/write", "all"},
    "PUT": {"statements/write", "all"},
}


@pytest.mark.parametrize(
    "scope", ["statements/write", "statements/read/mine", "statements/read", "statements/void", "state", "define", "profile",
              "feeds/read", "all/read", "all"]
)
@pytest.mark.parametrize("method", sorted(SCOPES))
def test_a_scope_opens_what_it_opens_and_nothing_else(client_of: Any, scope: str, method: str) -> None:
    query = {"statementId": new_id()} if method == "PUT" else {}
    body = None if method == "GET" else statement()
    answer = client_of(scope).open(PATH, method=method, query_string=query, json=body)
    if scope in SCOPES[method]:
        assert answer.status_code < 300
    else:
        assert (answer.status_code, answer.json["code"]) == (403, "forbidden")
        assert scope in answer.json["message"]


@pytest.mark.parametrize("header", [None, "Basic", "Basic eDp5", "Bearer x", "Basic ????"])
def test_without_a_known_credential_it_is_401(client: FlaskClient, header: str | None) -> None:
    del client.environ_base["HTTP_AUTHORIZATION"]
    answer = client.get(PATH, headers={} if header is None else {"Authorization": header})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")
    assert answer.json["code"] == "unauthorized"


def test_a_request_id_is_taken_over_or_made(client: FlaskClient) -> None:
    assert client.get(PATH, headers={"X-Request-ID": "abc-1"}).headers["X-Request-ID"] == "abc-1"
    answer = client.get(PATH, query_string={"x": "1"}, headers={"X-Request-ID": "a b"})
    assert answer.headers["X-Request-ID"] == answer.json["request_id"] != "a b"


def test_a_fault_of_ours_is_a_500_that_tells_nothing(client: FlaskClient, services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(type(services.store.statements), "page", broken)
    answer = client.get(PATH)
    assert (answer.status_code, answer.json["code"]) == (500, "internal")
    assert "secret detail" not in answer.text


def test_a_store_that_cannot_answer_is_503_with_retry_after(
    client: FlaskClient, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lrs.errors import StoreUnavailable

    def unavailable(*_: object) -> None:
        raise StoreUnavailable("disk full")

    monkeypatch.setattr(type(services.store.statements), "add", unavailable)
    answer = client.post(PATH, json=statement())
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")


def test_health_says_live_and_ready(client: FlaskClient, services: Services) -> None:
    client.environ_base.clear()
    assert client.get("/health/live").json == {"status": "live"}
    assert (client.get("/health/ready").status_code, client.get("/health/ready").json) == (503, {"status": "not ready"})
    services.store.heartbeats.beat("worker", dict.fromkeys(("route", "deliver"), services.now_us()))
    assert client.get("/health/ready").json == {"status": "ready"}
