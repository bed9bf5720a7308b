"""What a refusal says is enough to know what to do, where a newcomer goes wrong most often."""
from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from flask.testing import FlaskClient

PATH = "/xapi/statements"
GOOD: dict[str, Any] = {"actor": {"mbox": "mailto:a@b.co"}, "verb": {"id": "u:v"}, "object": {"id": "u:o"}}


@pytest.mark.parametrize("path", ["/", "/xapi", "/xAPI/statements", "/data/xAPI/statements", "/statements",
                                  f"{PATH}/5392ca77-bcf7-4962-abb2-91c9b8542486", "/health"])
def test_an_address_that_is_none_is_told_where_things_are(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.json["code"]) == (404, "not_found")
    assert "Statements are at /xapi/statements (one: ?statementId=)" in answer.json["message"]


@pytest.mark.parametrize("method", ["DELETE", "PATCH"])
def test_a_method_that_is_not_taken_is_told_those_that_are(client: FlaskClient, method: str) -> None:
    answer = client.open(PATH, method=method)
    assert answer.status_code == 405
    assert all(one in answer.json["message"] for one in ("GET", "POST", "PUT"))
    assert set(answer.headers["Allow"].split(", ")) >= {"GET", "HEAD", "POST", "PUT"}


@pytest.mark.parametrize(("header", "said"), [
    ("", "send a Basic credential"), ("Bearer abc", "has another scheme"), ("Basic key:secret", "not key:secret in base64"),
    ("Basic " + base64.b64encode(b"key").decode(), "not key:secret in base64"),
    ("Basic " + base64.b64encode(b"\xff:\xff").decode(), "not key:secret in base64"),
    ("Basic " + base64.b64encode(b"key:secret").decode(), "not known, revoked or expired")])
def test_a_credential_that_cannot_be_read_is_not_called_unknown(client: FlaskClient, header: str, said: str) -> None:
    answer = client.get(PATH, headers={"Authorization": header})
    assert (answer.status_code, said in answer.json["message"]) == (401, True), answer.json


def test_an_empty_body_is_called_empty(client: FlaskClient) -> None:
    answer = client.post(PATH, data=b"", content_type="application/json")
    assert (answer.status_code, answer.json["message"]) == (400, "the body is empty")


def test_what_only_the_newer_version_knows_is_told_to_be_of_it(client: FlaskClient) -> None:
    answer = client.post(PATH, json={**GOOD, "context": {"contextAgents": []}})
    assert "Send the header X-Experience-API-Version: 2.0.0" in answer.json["findings"][0]["why"]


def test_the_message_alone_names_the_first_fault(client: FlaskClient) -> None:
    message = client.post(PATH, json=[GOOD, {**GOOD, "timestamp": "24.11.2026"}]).json["message"]
    assert message.startswith("1 of 2 statements broken; nothing was stored (1 valid statements not stored). The first, at index 1: ")
    assert "/timestamp: not a timestamp" in message
    assert "Send e.g. 2026-11-24T12:00:00Z" in message


@pytest.mark.parametrize(("agent", "said"), [
    ({"mbox": "ada@example.com"}, "mbox must be an IRI such as mailto:"),
    ({"account": {"name": "x"}}, "account must be an object with homePage"),
    ({"openid": "x"}, "openid must be an IRI"), ({"mbox_sha1sum": "x"}, "mbox_sha1sum must be 40"), ({}, "exactly one of mbox")])
def test_an_agent_to_filter_by_is_told_what_its_identifier_lacks(client: FlaskClient, agent: dict[str, Any], said: str) -> None:
    answer = client.get(PATH, query_string={"agent": json.dumps(agent)})
    assert (answer.status_code, answer.json["findings"][0]["pointer"]) == (400, "?agent")
    assert said in answer.json["message"]


def test_who_asks_for_a_voided_statement_is_told_how(client_of: Any) -> None:
    writer, other = client_of("statements/write", "statements/read/mine"), client_of("statements/read/mine", provider="other")
    (name,) = writer.post(PATH, json=GOOD).json
    early = writer.get(PATH, query_string={"voidedStatementId": name})
    assert f"{name} is not voided: ask for it with statementId" in early.json["message"]
    void = {**GOOD, "verb": {"id": "http://adlnet.gov/expapi/verbs/voided"}, "object": {"objectType": "StatementRef", "id": name}}
    assert writer.post(PATH, json=void).status_code == 200
    late = writer.get(PATH, query_string={"statementId": name})
    assert f"{name} is voided: ask for it with voidedStatementId" in late.json["message"]
    assert "no statement" in other.get(PATH, query_string={"statementId": name}).json["message"], "to another there is nothing"
