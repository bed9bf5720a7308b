"""Broken, hostile and careless bodies: each is refused in words, none is a fault of ours."""
from __future__ import annotations

import json
from typing import Any

import pytest
from flask.testing import FlaskClient

STATEMENTS = "/xapi/statements"
HOOK = "/hooks/lms/stranger"
PAYLOAD: dict[str, Any] = {
    "event": "learning.completed", "user": {"externalId": "7"}, "course": {"id": "c1"}, "result": {"status": "completed"},
    "timestamp": "2026-01-01T00:00:00Z",
}
DEEP = "[" * 1_000 + "]" * 1_000


def statement(**parts: Any) -> dict[str, Any]:
    return {"actor": {"mbox": "mailto:ada@example.com"}, "verb": {"id": "http://example.com/verbs/did"},
            "object": {"id": "http://example.com/thing"}, **parts}


@pytest.mark.parametrize("body", [
    b"", b" ", b"{", b"null", b"1", b'"x"', b"[null]", b"[[]]", b"{}", b"{}{}", b"{'a':1}", b'{"a":NaN}', b'{"a":1e999}', b'\xef\xbb\xbf{}',
    b'{"a":"\xff"}', b'{"a":"\0"}', rb'{"a":"\ud800"}', b'{"a":1,"a":2}', b"[" * 100_000, b'{"a":' * 900 + b"1" + b"}" * 900,
    b'{"a":' + b"9" * 5_000 + b"}", '{"a":1}'.encode("utf-16"),
])
def test_what_is_no_statement_is_a_400_that_says_why(client: FlaskClient, body: bytes) -> None:
    answer = client.post(STATEMENTS, data=body, content_type="application/json")
    assert (answer.status_code, answer.json["code"]) == (400, "invalid")
    assert answer.json["findings"][0]["why"]


def test_a_finding_without_a_place_is_told_without_a_lone_colon(client: FlaskClient) -> None:
    answer = client.post(STATEMENTS, data=b"{", content_type="application/json")
    assert answer.json["message"].startswith("not JSON: line 1")


@pytest.mark.parametrize("character", ["\0", "\x07", "\x1b", "\x7f"])
def test_an_address_with_a_control_character_is_no_address(client: FlaskClient, character: str) -> None:
    answer = client.post(STATEMENTS, json=statement(actor={"mbox": f"mailto:a{character}da@example.com"}))
    assert (answer.status_code, answer.json["findings"][0]["pointer"]) == (400, "/actor/mbox")


def test_a_text_with_a_nul_character_comes_back_as_it_was_sent(client: FlaskClient) -> None:
    sent = client.post(STATEMENTS, json=statement(result={"response": "a\0b"}))
    assert client.get(STATEMENTS, query_string={"statementId": sent.json[0]}).json["result"] == {"response": "a\0b"}


@pytest.mark.parametrize("part", ["event", "user", "course", "result", "timestamp"])
@pytest.mark.parametrize("junk", [
    "null", "true", "1", "[]", "{}", '""', '{"status":[]}', '{"status":{}}', '{"id":[]}', DEEP, '{"a":' * 900 + "1" + "}" * 900,
])
def test_a_hook_s_payload_with_junk_in_it_is_a_400(client: FlaskClient, part: str, junk: str) -> None:
    body = json.dumps({**PAYLOAD, part: "@"}).replace('"@"', junk)
    answer = client.post(HOOK, data=body, content_type="application/json")
    assert (answer.status_code, answer.json["code"]) == (400, "invalid"), answer.text
