"""Refusals as a provider sees them: status, index, pointer and rule; what is valid comes back to the byte."""
from __future__ import annotations

import dataclasses
import json
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

sys.path.insert(0, str(Path(__file__).parents[1] / "statements"))
from generator import statements
from mutations import MUTATIONS, patched

from lrs.services import Services
from lrs.statements.envelope import OURS
from lrs.statements.members import members
from lrs.statements.rules import RULES

PATH = "/xapi/statements"
GOOD: dict[str, Any] = {"actor": {"mbox": "mailto:a@b.c"}, "verb": {"id": "u:v"}, "object": {"id": "u:o"}}
BAD = {**GOOD, "verb": {"id": "no scheme"}}


def test_every_mutation_is_refused_with_its_index_pointer_and_rule(client: FlaskClient) -> None:
    for number, (rule, pointer, place, value) in enumerate(MUTATIONS):
        index = number % 3
        batch = [{**GOOD, "id": str(uuid.uuid4())} for _ in range(3)]
        batch[index] = patched(place, value)
        answer = client.post(PATH, json=batch)
        assert answer.status_code == 400, (rule, place)
        assert {finding["index"] for finding in answer.json["findings"]} == {index}, (rule, place)
        # a single Activity with a wrong type is reported at its objectType, whatever was patched
        end = "/objectType" if rule == "object_type" else ""
        told = [(f["rule"], f["pointer"].removesuffix(end)) for f in answer.json["findings"]]
        assert (rule, pointer.removesuffix(end)) in told, (rule, place, told)
        assert all(f["section"] == RULES[f["rule"]].section and f["why"] for f in answer.json["findings"])
    assert client.get(PATH).json["statements"] == []


def test_24_bad_statements_in_one_batch_give_24_entries(client: FlaskClient) -> None:
    batch = [BAD if number % 2 else GOOD for number in range(48)]
    answer = client.post(PATH, json=batch)
    assert answer.status_code == 400
    assert answer.json["total"] == 24
    assert [finding["index"] for finding in answer.json["findings"]] == list(range(1, 48, 2))
    assert "24 of 48" in answer.json["message"]


def test_of_many_bad_statements_the_first_100_are_listed_and_all_are_counted(client: FlaskClient) -> None:
    answer = client.post(PATH, json=[BAD] * 150)
    assert answer.json["total"] == 150
    assert [finding["index"] for finding in answer.json["findings"]] == list(range(100))


def test_one_id_twice_in_a_batch_names_both_places(client: FlaskClient) -> None:
    name = str(uuid.uuid4())
    answer = client.post(PATH, json=[{**GOOD, "id": name}, GOOD, {**GOOD, "id": name.upper()}])
    (finding,) = answer.json["findings"]
    assert (answer.status_code, finding["index"], finding["pointer"], finding["rule"]) == (400, 2, "/id", "batch.id_twice")
    assert "0" in finding["why"]
    assert "2" in finding["why"]


def test_the_shape_of_a_refusal_is_the_documented_one(client: FlaskClient) -> None:
    told = client.post(PATH, json=BAD).json
    assert set(told) == {"status", "code", "message", "request_id", "help", "total", "findings"}
    assert set(told["findings"][0]) == {"index", "pointer", "rule", "section", "found", "why"}


def test_valid_statements_come_back_with_every_body_member_to_the_byte(client: FlaskClient) -> None:
    drawn = {}
    for text in statements(21, 150):
        name = str(uuid.uuid4())
        parts = members(text.encode())
        if json.loads(text)["verb"]["id"].endswith("/voided"):
            continue
        drawn[name] = {key: value for key, value in parts.items() if key != "id"}
    bodies = [b"{" + b",".join(json.dumps(k).encode() + b" : " + v for k, v in {"id": f'"{name}"'.encode(), **parts}.items()) + b"}"
              for name, parts in drawn.items()]
    answer = client.post(PATH, data=b"[" + b",".join(bodies) + b"]", content_type="application/json")
    assert answer.status_code == 200, answer.text
    assert answer.json == list(drawn)
    for name, sent in drawn.items():
        kept = members(client.get(PATH, query_string={"statementId": name}).data)
        for key in set(sent) - OURS:
            assert kept[key].translate(None, b"[]") == sent[key].translate(None, b"[]")
            if b'"contextActivities"' not in sent[key]:
                assert kept[key] == sent[key]


@pytest.mark.parametrize(
    ("limit", "value", "status", "body"),
    [
        ("body_max", 100, 413, json.dumps([GOOD] * 20).encode()),
        ("statement_max", 120, 413, json.dumps([GOOD, {**GOOD, "result": {"response": "x" * 200}}]).encode()),
        ("batch_max", 3, 413, json.dumps([GOOD] * 4).encode()),
        ("depth_max", 6, 400, json.dumps({**GOOD, "result": {"extensions": {"u:x": [[[[[]]]]]}}}).encode()),
        ("group_max", 2, 400, json.dumps({**GOOD, "actor": {"objectType": "Group", "member": [GOOD["actor"]] * 3}}).encode()),
    ],
)
def test_each_limit_is_named_in_its_refusal(
    client_of: Any, services: Services, limit: str, value: int, status: int, body: bytes
) -> None:
    limits = dataclasses.replace(services.settings.limits, **{limit: value})
    client = client_of("all", settings=dataclasses.replace(services.settings, limits=limits))
    answer = client.post(PATH, data=body, content_type="application/json")
    assert answer.status_code == status
    assert limit in answer.text
    assert str(value) in answer.text
    assert client.get(PATH).json["statements"] == []


def test_a_long_url_is_refused_with_its_limit(client: FlaskClient, services: Services) -> None:
    answer = client.get(PATH, query_string={"verb": "u:" + "ü" * (services.settings.limits.url_max // 6)})
    assert (answer.status_code, answer.json["code"]) == (414, "url_too_long")
    assert "url_max" in answer.json["message"]


def test_the_page_limit_is_kept_whatever_is_asked(client_of: Any, services: Services) -> None:
    limits = dataclasses.replace(services.settings.limits, page_default=2, page_max=3)
    client = client_of("all", settings=dataclasses.replace(services.settings, limits=limits))
    client.post(PATH, json=[GOOD] * 5)
    assert [len(client.get(PATH, query_string=q).json["statements"]) for q in ({}, {"limit": "5"}, {"limit": "0"})] == [2, 3, 3]


@pytest.mark.parametrize(
    ("content_type", "status"),
    [("text/plain", 400), ("application/x-www-form-urlencoded", 400), (None, 400), ("multipart/mixed; boundary=x", 400)],
)
def test_another_content_type_is_refused(client: FlaskClient, content_type: str | None, status: int) -> None:
    assert client.post(PATH, data=json.dumps(GOOD), content_type=content_type).status_code == status


@pytest.mark.parametrize("body", [b"", b"{", b'{"a":1,}', b"\xff", b"1", b'{"a":NaN}', b'["x"]', b'{"verb":1,"verb":2}'])
def test_what_is_not_strict_json_of_statements_is_400_with_a_finding(client: FlaskClient, body: bytes) -> None:
    answer = client.post(PATH, data=body, content_type="application/json")
    assert (answer.status_code, answer.json["code"]) == (400, "invalid")
    assert answer.json["findings"]


def test_a_refusal_is_kept_for_its_provider_without_persons(client: FlaskClient, services: Services) -> None:
    batch = [GOOD] * 4 + [{**BAD, "actor": {"name": "Ann Secret", "mbox": "mailto:ann.secret@b.c"}}]
    client.post(PATH, json=batch)
    services.store.rejections.flush()
    (row,) = services.store.rejections.list()
    assert (row.status, row.code) == (400, "invalid")
    assert "4 valid statements not stored" in json.loads(row.detail)["message"]
    assert json.loads(row.detail)["findings"][0]["index"] == 4
    assert "u:v" in row.excerpt
    assert "ecret" not in row.excerpt


def test_a_conflict_is_kept_too_and_a_stranger_s_request_is_not(client: FlaskClient, services: Services) -> None:
    one = {**GOOD, "id": str(uuid.uuid4())}
    client.post(PATH, json=one)
    client.post(PATH, json={**one, "result": {"success": True}})
    del client.environ_base["HTTP_AUTHORIZATION"]
    client.post(PATH, json=BAD)
    services.store.rejections.flush()
    (row,) = services.store.rejections.list()
    assert (row.status, row.code) == (409, "conflict")
