"""Which version a request speaks, and in which it is answered: the table, walked."""
from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from flask.testing import FlaskClient

from lrs.services import Services

PATH, HEADER = "/xapi/statements", "X-Experience-API-Version"
AROUND = {"actor": {"mbox": "mailto:ann@example.com"}, "verb": {"id": "http://x.example/did"}, "object": {"id": "http://x.example/a"},
          "context": {"contextAgents": [{"objectType": "contextAgent", "agent": {"mbox": "mailto:guide@example.com"}}]}}


@pytest.mark.parametrize(("asked", "answered"), [
    ("1.0", "1.0.3"), ("1.0.0", "1.0.3"), ("1.0.3", "1.0.3"), ("1.0.17", "1.0.3"), ("2.0", "2.0.0"), ("2.0.0", "2.0.0"), ("2.0.4", "2.0.0"),
])
def test_a_line_is_answered_in_its_newest_version(client: FlaskClient, asked: str, answered: str) -> None:
    for path in (PATH, "/xapi/about", "/xapi/nowhere"):
        assert client.get(path, headers={HEADER: asked}).headers[HEADER] == answered


@pytest.mark.parametrize("default", ["1.0.3", "2.0.0"])
def test_who_names_no_version_is_refused_in_the_default_one(client_of: Any, services: Services, default: str) -> None:
    client = client_of("all", settings=dataclasses.replace(services.settings, xapi_default_version=default))
    del client.environ_base["HTTP_X_EXPERIENCE_API_VERSION"]
    answer = client.get(PATH)
    assert (answer.status_code, answer.headers[HEADER]) == (400, default)
    assert default in answer.json["message"]


def test_statements_are_held_to_the_rules_of_their_request(client: FlaskClient) -> None:
    assert client.post(PATH, json=AROUND, headers={HEADER: "1.0.3"}).status_code == 400
    stored = client.post(PATH, json=AROUND, headers={HEADER: "2.0.0"})
    assert stored.status_code == 200
    found = client.get(PATH, query_string={"agent": json.dumps({"mbox": "mailto:guide@example.com"}), "related_agents": "true"})
    assert [one["version"] for one in found.json["statements"]] == ["2.0.0"]


def test_2_has_no_alternate_request_syntax(client: FlaskClient) -> None:
    form = {"statementId": "7c1e5c0e-2f3a-4b1c-9d7e-0a1b2c3d4e5f"}
    assert client.post(f"{PATH}?method=GET", data=form, headers={HEADER: "2.0.0"}).status_code == 400
    assert client.post(f"{PATH}?method=GET", data=form, headers={HEADER: "1.0.3"}).status_code == 404
    inside = client.post(f"{PATH}?method=GET", data={**form, HEADER: "2.0.0"}, headers={HEADER: ""})
    assert inside.status_code == 400


def test_2_protects_a_state_from_who_did_not_look(client: FlaskClient) -> None:
    at = {"activityId": "http://x.example/a", "agent": json.dumps({"mbox": "mailto:ann@example.com"}), "stateId": "s"}
    put = {"query_string": at, "data": b"{}"}
    assert client.put("/xapi/activities/state", **put, headers={HEADER: "2.0.0"}).status_code == 204
    assert client.put("/xapi/activities/state", **put, headers={HEADER: "2.0.0"}).status_code == 409
    assert client.put("/xapi/activities/state", **put, headers={HEADER: "1.0.3"}).status_code == 204


@pytest.mark.parametrize("strict", [False, True])
def test_a_strict_lrs_shows_clients_of_1_only_what_1_knows(client_of: Any, services: Services, strict: bool) -> None:
    client = client_of("all", settings=dataclasses.replace(services.settings, strict_versions=strict))
    around = AROUND["context"] | {"platform": "p", "contextGroups": []}
    inner = {key: AROUND[key] for key in ("actor", "verb", "object")} | {"objectType": "SubStatement", "context": around}
    sent = {**AROUND, "context": around}, {**AROUND, "object": inner, "context": {"language": "en"}}
    for one in sent:
        assert client.post(PATH, json=one, headers={HEADER: "2.0.0"}).status_code == 200
    for version, whole in (("2.0.0", True), ("1.0.3", not strict)):
        found = client.get(PATH, query_string={"ascending": "true"}, headers={HEADER: version}).json["statements"]
        assert [one["version"] for one in found] == (["2.0.0", "2.0.0"] if whole else ["1.0.3", "1.0.3"])
        assert [one["context"] for one in found] == ([one["context"] for one in sent] if whole else [{"platform": "p"}, {"language": "en"}])
        assert found[1]["object"]["context"] == (around if whole else {"platform": "p"})
        single = client.get(PATH, query_string={"statementId": found[0]["id"]}, headers={HEADER: version}).json
        assert single == found[0]


@pytest.mark.parametrize("version", ["1.0.3", "2.0.0"])
def test_a_statement_and_a_document_say_when_they_were_last_changed(client: FlaskClient, version: str) -> None:
    spoken = {HEADER: version}
    name = client.post(PATH, json={key: AROUND[key] for key in ("actor", "verb", "object")}, headers=spoken).json[0]
    single = client.get(PATH, query_string={"statementId": name}, headers=spoken)
    stored = single.json["stored"].partition(".")[0]
    assert parsedate_to_datetime(single.headers["Last-Modified"]).strftime("%Y-%m-%dT%H:%M:%S") == stored
    at = {"activityId": "http://x.example/a", "agent": json.dumps({"mbox": "mailto:ann@example.com"}), "stateId": "s"}
    assert client.put("/xapi/activities/state", query_string=at, data=b"{}", headers=spoken).status_code == 204
    state = client.get("/xapi/activities/state", query_string=at, headers=spoken)
    assert abs((parsedate_to_datetime(state.headers["Last-Modified"]) - datetime.now(UTC)).total_seconds()) < 60


def test_about_tells_limits_and_what_is_done_beyond_the_standard(client: FlaskClient, services: Services) -> None:
    client.environ_base.clear()
    extensions = client.get("/xapi/about").json["extensions"]
    assert extensions["http://lrs.example/about/limits"]["document_max"] == services.settings.limits.document_max
    assert {"launch", "br"} <= set(extensions["http://lrs.example/about/features"])
    assert client.head("/xapi/about").status_code == 200
