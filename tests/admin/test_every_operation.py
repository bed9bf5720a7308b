"""Every operation of the OpenAPI document: in the audit log if it changes something, described, closed to strangers, and
never a fault of ours, whatever is sent to it."""
from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from admin_site import API, ZOOM, Site, site

ROW = {"verb_iri": "https://vendor.example/verbs/finished", "canonical": "completed", "completion_event": "yes"}
HOOK = {"name": "hook", "connector": "webhook", "settings": {"url": "https://r.example/"}}
COURSE = {"id": "https://courses.example/1", "title": "One"}
SECRET = {"secret": "second-secret-token"}
CSV = {"data": "employee_id,email\n7,ada@example.com\n", "content_type": "text/csv"}

Request = tuple[str, str, dict[str, Any]]
CREDENTIAL: Request = ("POST", "/credentials", {"json": {"name": "A", "key": "key-a"}})
CONNECTION: Request = ("POST", "/connections", {"json": ZOOM})
ROTATED: Request = ("PUT", "/connections/academy/secret", {"json": SECRET})
TARGET: Request = ("POST", "/targets", {"json": HOOK})
VERBS: Request = ("POST", "/verbs/versions", {"json": {"rows": [ROW]}})
COURSES: Request = ("POST", "/courses/versions", {"json": {"put": [COURSE]}})

CHANGES: dict[str, list[Request]] = {
    "POST /credentials": [CREDENTIAL],
    "POST /credentials/launch": [
        ("POST", "/credentials/launch", {"json": {"actor": {"mbox": "mailto:ada@example.com"}, "activity": "https://courses.example/1"}})],
    "DELETE /credentials/{key}": [CREDENTIAL, ("DELETE", "/credentials/key-a", {})],
    "POST /credentials/{key}/test": [CREDENTIAL, ("POST", "/credentials/key-a/test", {})],
    "PUT /people/{employee_id}": [("PUT", "/people/7", {"json": {"email": "ada@example.com"}})],
    "POST /people/import": [("POST", "/people/import", CSV)],
    "POST /connections": [CONNECTION],
    "PATCH /connections/{name}": [CONNECTION, ("PATCH", "/connections/academy", {"json": {"settings": {"retention_days": 3}}})],
    "POST /connections/{name}/pause": [CONNECTION, ("POST", "/connections/academy/pause", {})],
    "POST /connections/{name}/resume": [
        CONNECTION, ("POST", "/connections/academy/pause", {}), ("POST", "/connections/academy/resume", {})],
    "PUT /connections/{name}/secret": [CONNECTION, ROTATED],
    "DELETE /connections/{name}/secret": [CONNECTION, ROTATED, ("DELETE", "/connections/academy/secret", {})],
    "POST /targets": [TARGET],
    "PATCH /targets/{name}": [TARGET, ("PATCH", "/targets/hook", {"json": {"settings": {"timeout": 5}}})],
    "DELETE /targets/{name}": [TARGET, ("DELETE", "/targets/hook", {})],
    "POST /targets/{name}/pause": [TARGET, ("POST", "/targets/hook/pause", {"json": {}})],
    "POST /targets/{name}/disable": [TARGET, ("POST", "/targets/hook/disable", {"json": {}})],
    "POST /targets/{name}/resume": [TARGET, ("POST", "/targets/hook/pause", {"json": {}}), ("POST", "/targets/hook/resume", {"json": {}})],
    "POST /targets/{name}/secret": [TARGET, ("POST", "/targets/hook/secret", {})],
    "DELETE /targets/{name}/secret": [TARGET, ("POST", "/targets/hook/secret", {}), ("DELETE", "/targets/hook/secret", {})],
    "POST /deliveries/replay": [TARGET, ("POST", "/deliveries/replay", {"json": {"target": "hook"}})],
    "POST /deliveries/cancel": [TARGET, ("POST", "/deliveries/cancel", {"json": {"target": "hook"}})],
    "POST /deliveries/release": [TARGET, ("POST", "/deliveries/release", {"json": {"target": "hook"}})],
    "PUT /courses": [("PUT", "/courses", {"json": COURSE})],
    "POST /courses/versions": [COURSES],
    "POST /courses/versions/{number}/apply": [COURSES, ("POST", "/courses/versions/1/apply", {})],
    "POST /courses/rollback": [COURSES, ("POST", "/courses/versions/1/apply", {}), ("POST", "/courses/rollback", {"json": {}})],
    "POST /verbs/versions": [VERBS],
    "POST /verbs/versions/{number}/apply": [VERBS, ("POST", "/verbs/versions/1/apply", {})],
    "POST /verbs/rollback": [VERBS, ("POST", "/verbs/versions/1/apply", {}), ("POST", "/verbs/rollback", {"json": {}})],
}
"""Operation that changes something → the requests that lead to it; the last one is the operation. A new operation adds itself."""

CHANGE_NOTHING = {
    "POST /verbs/explain": "reads a statement and stores nothing",
    "POST /targets/{name}/test": "talks to the target and stores nothing",
}


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Site]:
    made = site(tmp_path / "data")
    yield made
    made.store.close()


def operations(here: Site) -> dict[str, dict[str, Any]]:
    document = here.client("all")[0].get(f"{API}/openapi.json").json
    return {f"{method.upper()} {path.removeprefix(API)}": {
        **operation, "shared": found.get("parameters", []), "schemas": document["components"]}
            for path, found in document["paths"].items() for method, operation in found.items() if method != "parameters"}


def test_the_table_names_every_operation_that_is_no_get(here: Site) -> None:
    assert {name for name in operations(here) if not name.startswith("GET")} == {*CHANGES, *CHANGE_NOTHING}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_in_the_audit_log_under_the_name_of_who_asked(here: Site, name: str) -> None:
    client, key = here.client("all")
    *before, (method, path, body) = CHANGES[name]
    for other, where, given in before:
        assert client.open(API + where, method=other, **given).status_code < 300
    known = len(here.store.audit.list(limit=1000))
    answer = client.open(API + path, method=method, **body)
    assert answer.status_code < 300, answer.text
    logged = here.store.audit.list(limit=1000)[: -known or None]
    assert logged, f"{name} is not in the audit log"
    assert {entry.who for entry in logged} == {key}
    assert not any(entry.refused for entry in logged)
    text = json.dumps([dict(entry.detail) for entry in logged])
    assert "secret-token" not in text
    if answer.status_code == 201 and name != "POST /credentials/{key}/test":
        assert answer.headers["Location"].startswith(API), f"{name} says not where the new thing is"


def test_every_operation_is_described_and_declares_its_refusals_in_the_one_shape(here: Site) -> None:
    ids = []
    for name, operation in operations(here).items():
        ids.append(operation["operationId"])
        assert operation.get("summary"), name
        assert {"400", "401", "403", "503"} <= set(operation["responses"]), name
        assert ("404" in operation["responses"]) or "{" not in name, name
        for status, answer in operation["responses"].items():
            if status.isdigit() and int(status) >= 400:
                assert answer["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Error"}, (name, status)
    assert len(ids) == len(set(ids))


def test_a_stranger_is_told_nothing_whatever_the_operation(here: Site) -> None:
    from lrs.app import create_app
    nobody = create_app(here.services).test_client()
    reader, _ = here.client("all/read")
    feed, _ = here.client("feeds/read")
    for name in operations(here):
        method, _, path = name.partition(" ")
        where = API + _filled(path, "1")
        assert nobody.open(where, method=method, query_string={"colour": "red"}).status_code == 401, name
        assert feed.open(where, method=method).status_code == 403, name
        if method != "GET" or path.endswith("webhook-secret"):
            assert reader.open(where, method=method, json={}).status_code == 403, name


VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 2**63, 1e308, "", "x", "\0", "é" * 300, "a/b", "../..", "' OR 1=1 --", "%", "9" * 400, "\ud800", [], [[]], [None],
    {}, {"": ""}, {"a": {"b": {"c": []}}}, ["x"] * 50, "mailto:a@b.c", "2026-11-24", "-1", "1e9", "٣")


def _filled(path: str, value: str) -> str:
    from urllib.parse import quote
    while "{" in path:
        head, _, rest = path.partition("{")
        path = head + quote(value, safe="") + rest.partition("}")[2]
    return path


def _mutated(rng: random.Random, operation: dict[str, Any]) -> dict[str, Any]:
    """A body or a query with members of the operation and values of all kinds, or bytes that are no JSON."""
    schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    known = operation["schemas"]["schemas"].get(schema.get("$ref", "").rpartition("/")[2], {}).get("properties", {})
    chosen = {name: rng.choice(VALUES) for name in known if rng.random() < 0.7}
    if rng.random() < 0.2:
        chosen["colour"] = rng.choice(VALUES)
    broken = [b"", b"{", b"\xff\xfe", b"[" * 3000, b'{"a": NaN}', json.dumps(rng.choice(VALUES)).encode()]
    raw = rng.choice([json.dumps(chosen).encode()] * 6 + broken)
    names = [one["name"] for one in [*operation["shared"], *operation.get("parameters", [])] if one["in"] == "query"]
    texts = [value for value in VALUES if isinstance(value, str) and value != "\ud800"]
    query = {name: rng.choice(texts) for name in names if rng.random() < 0.5}
    return {"data": raw, "content_type": rng.choice(["application/json"] * 8 + ["text/plain", "text/csv"]), "query_string": query}


@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_sent_is_done_or_refused_in_the_one_shape_and_never_a_fault(here: Site, seed: int) -> None:
    rng = random.Random(seed)
    client, _ = here.client("all")
    for method, path, given in (CREDENTIAL, CONNECTION, TARGET, VERBS, COURSES):
        assert client.open(API + path, method=method, **given).status_code == 201
    for name, operation in operations(here).items():
        if name == "POST /targets/{name}/test":
            continue  # talks to whatever address a target was given
        method, _, path = name.partition(" ")
        for _ in range(10):
            thing = rng.choice(["key-a", "academy", "hook", "1", "99999999999999999999999", "..", "é", "%00", "a b", "\0x"])
            sent = _mutated(rng, operation)
            sent = {"query_string": sent["query_string"]} if method == "GET" else sent
            answer = client.open(API + _filled(path, thing), method=method, **sent)
            assert answer.status_code < 500, (name, thing, sent, answer.text)
            if answer.status_code >= 400:
                told = answer.json
                assert {"status", "code", "message", "request_id"} <= set(told), (name, told)
                assert told["status"] == answer.status_code
                if told["code"] == "invalid":
                    assert told["message"], (name, sent)


def test_there_is_one_shape_for_an_address_or_a_method_that_is_not_there(here: Site) -> None:
    client, _ = here.client("all")
    for method, path, status, code in (("GET", "/nothing", 404, "not_found"), ("GET", "/credentials/nobody", 404, "not_found"),
                                       ("DELETE", "/status", 405, "method_not_allowed"),
                                       ("PUT", "/credentials", 405, "method_not_allowed")):
        answer = client.open(API + path, method=method)
        assert (answer.status_code, answer.json["code"], answer.json["status"]) == (status, code, status)
        assert status != 405 or "GET" in answer.headers["Allow"]


@pytest.mark.parametrize(("body", "kind", "status", "pointer"), [
    (b"{", "application/json", 400, ""), (b'{"name": NaN}', "application/json", 400, ""),
    (b'{"name": "\\ud800"}', "application/json", 400, ""),
    (b"[]", "application/json", 400, ""), (b"{}", "application/json", 400, "/name"), (b"", "application/json", 400, "/name"),
    (b'{"name": "x", "colour": 1}', "application/json", 400, "/colour"), (b'{"name": 7}', "application/json", 400, "/name"),
    (b'{"name": "x", "scopes": ["all", "ever"]}', "application/json", 400, "/scopes/1"),
    (b'{"name": "x", "a/b~": 1}', "application/json", 400, "/a~1b~0"), (b"name=x", "application/x-www-form-urlencoded", 415, None)])
def test_what_is_wrong_with_a_body_is_said_with_its_place(here: Site, body: bytes, kind: str, status: int, pointer: str | None) -> None:
    client, _ = here.client("all")
    answer = client.post(f"{API}/credentials", data=body, content_type=kind)
    assert answer.status_code == status, answer.text
    assert pointer is None or pointer in [one["pointer"] for one in answer.json["findings"]]
    assert len(here.store.credentials.list()) == 1


def test_too_large_a_body_is_413(here: Site) -> None:
    client, _ = here.client("all")
    answer = client.post(f"{API}/credentials", data=b" " * (here.services.settings.limits.body_max + 1), content_type="application/json")
    assert (answer.status_code, answer.json["code"]) == (413, "too_large")
