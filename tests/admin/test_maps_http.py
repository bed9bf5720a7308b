"""/api/v1/verbs and /api/v1/courses: what they show, what they change, what they refuse, and who may."""
from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lrs.app import create_app
from lrs.auth import credentials
from lrs.completions.model import Person
from lrs.completions.subjects import email_identifiers
from lrs.config import load
from lrs.services import Services
from lrs.store.open_store import Store, open_store
from workers.route import route_once

VENDOR = "https://vendor.example/verbs/finished"
COURSE = "https://courses.example/forklift"
ROW = {"verb_iri": VENDOR, "canonical": "completed", "completion_event": "yes"}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "data")
    opened.directory.put_people([Person("7", "ada@example.com", identifiers=tuple(email_identifiers("ada@example.com")))])
    yield opened
    opened.close()


@pytest.fixture
def services(store: Store, tmp_path: Path) -> Services:
    return Services(load({"LRS_DATA": str(tmp_path / "data"), "LRS_PUBLIC_URL": "https://lrs.example"}), store)


@pytest.fixture
def client(services: Services) -> FlaskClient:
    return create_app(services).test_client()


def headers(store: Store, *scopes: str) -> dict[str, str]:
    made = credentials.create(store.credentials, name="Admin", public_url="https://x.example", scopes=scopes)
    basic = base64.b64encode(f"{made.credential.key}:{made.secret}".encode()).decode()
    return {"Authorization": f"Basic {basic}", "X-Experience-API-Version": "1.0.3"}


@pytest.fixture
def admin(store: Store) -> dict[str, str]:
    return headers(store, "all")


def routed(services: Services) -> None:
    while (done := route_once(services)).statements or done.changes:
        pass


def sent(client: FlaskClient, admin: dict[str, str]) -> dict[str, Any]:
    one = {"actor": {"mbox": "mailto:ada@example.com"}, "verb": {"id": VENDOR}, "object": {"id": COURSE}}
    assert client.post("/xapi/statements", json=one, headers=admin).status_code == 200
    return one


def test_from_an_unmapped_verb_to_a_completion_and_back(client: FlaskClient, services: Services, admin: dict[str, str]) -> None:
    one = sent(client, admin)
    put = client.put("/api/v1/courses", json={"id": COURSE, "title": "Forklift"}, headers=admin)
    assert (put.status_code, put.json["version"], put.json["course"]["title"]) == (200, 1, "Forklift")
    routed(services)
    unmapped = client.get("/api/v1/verbs/unmapped", headers=admin).json
    assert [(row["verb"], row["count"]) for row in unmapped["items"]] == [(VENDOR, 1)]
    assert unmapped["next"] is None
    made = client.post("/api/v1/verbs/versions", json={"rows": [ROW], "note": "vendor"}, headers=admin)
    assert (made.status_code, made.json["number"], made.json["state"], made.json["history"]) == (201, 1, "proposed", None)
    diff = client.get("/api/v1/verbs/versions/1/diff", headers=admin).json
    assert (diff["events"], diff["complete"], diff["readings"][0]["count"]) == (1, True, 1)
    assert diff["released_samples"][0]["person"] == "7"
    applied = client.post("/api/v1/verbs/versions/1/apply", headers=admin)
    assert (applied.status_code, applied.json["state"], applied.json["history"]) == (200, "active", "waiting")
    assert client.post("/api/v1/verbs/explain", json={"statement": one}, headers=admin).json["verb"] == "completed"
    routed(services)
    assert client.get("/api/v1/verbs/versions/1", headers=admin).json["history"] == "read again"
    assert services.store.work.feed_length() == 1
    assert client.get("/api/v1/verbs?verb=completed&limit=500", headers=admin).json["installation"] == 1
    back = client.post("/api/v1/verbs/rollback", json={"note": "wrong"}, headers=admin)
    assert (back.status_code, back.json["number"], back.json["state"]) == (200, 2, "active")
    assert client.post("/api/v1/verbs/explain", json={"statement": one}, headers=admin).json["verb"] == "unmapped"
    routed(services)
    assert services.store.work.feed_length() == 1


def test_every_change_is_in_the_audit_log_also_a_refused_one(client: FlaskClient, store: Store, admin: dict[str, str]) -> None:
    client.post("/api/v1/verbs/versions", json={"rows": [ROW]}, headers=admin)
    client.post("/api/v1/verbs/versions/1/apply", headers=admin)
    assert client.post("/api/v1/verbs/versions/1/apply", headers=admin).status_code == 409
    entries = [(one.action, one.thing, bool(one.refused)) for one in store.audit.list(action="verbs")]
    assert entries == [("verbs.apply", "1", True), ("verbs.apply", "1", False), ("verbs.apply", "1", False),
                       ("verbs.propose", "verbs", False)]
    assert len({one.who for one in store.audit.list(action="verbs")}) == 1


def test_the_catalogue_by_pages_by_id_and_by_alias(client: FlaskClient, admin: dict[str, str]) -> None:
    put = [{"id": f"https://c.example/{n}", "aliases": [f"https://old.example/{n}"]} for n in range(5)]
    assert client.post("/api/v1/courses/versions", json={"put": put}, headers=admin).status_code == 201
    assert client.get("/api/v1/courses", headers=admin).json == {"items": [], "next": None}
    client.post("/api/v1/courses/versions/1/apply", headers=admin)
    first = client.get("/api/v1/courses?limit=3", headers=admin).json
    rest = client.get("/api/v1/courses", query_string={"limit": 3, "cursor": first["next"]}, headers=admin).json
    assert [one["id"] for one in (*first["items"], *rest["items"])] == [one["id"] for one in put]
    assert rest["next"] is None
    alias = client.get("/api/v1/courses", query_string={"id": "https://old.example/2"}, headers=admin).json
    assert [one["id"] for one in alias["items"]] == ["https://c.example/2"]
    assert client.get("/api/v1/courses/versions", headers=admin).json["items"][0]["state"] == "active"
    assert client.post("/api/v1/courses/rollback", json={}, headers=admin).status_code == 200
    assert client.get("/api/v1/courses", headers=admin).json["items"] == []


def test_an_id_that_is_no_iri_becomes_the_one_that_the_lms_hook_writes(client: FlaskClient, admin: dict[str, str]) -> None:
    put = client.put("/api/v1/courses", json={"id": "SAFE 1", "aliases": ["old-1"]}, headers=admin).json
    assert put["course"]["id"] == "https://lrs.example/courses/SAFE%201"
    assert put["course"]["aliases"] == ["https://lrs.example/courses/old-1"]
    assert client.put("/api/v1/courses", json={"id": "SAFE 1", "aliases": ["old-1"]}, headers=admin).json["version"] is None


@pytest.mark.parametrize(("body", "pointers"), [
    ({"rows": [{**ROW, "canonical": "done"}, {"verb_iri": "finished", "canonical": "completed", "completion_event": "maybe"}]},
     [(1, "/canonical"), (2, "/verb_iri"), (2, "/completion_event")]),
    ({"rows": ["no row"]}, [(1, "")]),
    ({"rows": [{"verb_iri": 7}]}, [(1, "/verb_iri")]),
    ({"rows": [ROW, ROW]}, [(2, "/verb_iri")]),
    ({"rows": [{"verb_iri": VENDOR, "canonical": "-"}]}, [(None, "/verb_iri")]),
    ({"providers": [{"provider": "nelc", "score_min": "middle"}]}, [(1, "/providers")]),
    ({"providers": [7]}, [(1, "/providers")]),
    ({"rows": []}, [(None, "")]),
    ({"rows": {}}, [(None, "/rows")]),
    ({"colour": 1}, [(None, "/colour")]),
    ([], [(None, "")]),
])
def test_each_fault_of_a_proposal_is_named(client: FlaskClient, admin: dict[str, str], body: Any, pointers: list[Any]) -> None:
    answer = client.post("/api/v1/verbs/versions", json=body, headers=admin)
    assert answer.status_code == 400
    assert [(one["index"], one["pointer"]) for one in answer.json["findings"]] == pointers


@pytest.mark.parametrize("body", [
    {"id": ""}, {}, {"id": 7}, {"id": "x:1", "aliases": "x:2"}, {"id": "x:1", "repeat_after_days": 0},
    {"id": "x:1", "repeat_after_days": None},
    {"id": "x:1", "attempts": "twice"}, {"id": "x:1", "sessions": ["lecture"]}, {"id": "x:1", "attendance_percent": 101},
    {"id": "x:1", "title": "a\x00b"}, {"id": "x:1", "colour": "red"}, {"id": "x:1", "aliases": [""]}, [], None, "x"])
def test_a_course_that_is_none_is_refused_with_a_reason(client: FlaskClient, store: Store, admin: dict[str, str], body: Any) -> None:
    answer = client.put("/api/v1/courses", json=body, headers=admin)
    assert answer.status_code == 400
    assert answer.json["message"]
    assert store.directory.courses() == []


def test_an_id_of_another_course_is_refused(client: FlaskClient, admin: dict[str, str]) -> None:
    client.put("/api/v1/courses", json={"id": "x:1", "aliases": ["x:2"]}, headers=admin)
    answer = client.put("/api/v1/courses", json={"id": "x:2"}, headers=admin)
    assert (answer.status_code, "x:2 already belongs to x:1" in answer.json["message"]) == (400, True)


@pytest.mark.parametrize("path", ["verbs/versions/9", "verbs/versions/9/diff", "courses/versions/9", "courses/versions/9/diff",
                                  "courses/versions/99999999999999999999"])
def test_a_version_that_is_not_there_is_404(client: FlaskClient, admin: dict[str, str], path: str) -> None:
    assert client.get(f"/api/v1/{path}", headers=admin).status_code == 404
    assert client.post(f"/api/v1/{path.removesuffix('/diff')}/apply", headers=admin).status_code == 404


def test_nothing_to_roll_back_is_said(client: FlaskClient, admin: dict[str, str]) -> None:
    for noun in ("verbs", "courses"):
        answer = client.post(f"/api/v1/{noun}/rollback", json={}, headers=admin)
        assert (answer.status_code, "nothing to roll back" in answer.json["message"]) == (409, True)


def test_reading_asks_for_all_read_and_changing_for_all(client: FlaskClient, store: Store) -> None:
    reader = headers(store, "all/read")
    for noun in ("verbs", "courses"):
        assert client.get(f"/api/v1/{noun}").status_code == 401
        assert client.get(f"/api/v1/{noun}", headers=headers(store, "statements/read")).status_code == 403
        assert client.get(f"/api/v1/{noun}", headers=reader).status_code == 200
        assert client.get(f"/api/v1/{noun}/versions", headers=reader).status_code == 200
        assert client.post(f"/api/v1/{noun}/versions", json={}, headers=reader).status_code == 403
        assert client.post(f"/api/v1/{noun}/rollback", json={}, headers=reader).status_code == 403
    assert client.put("/api/v1/courses", json={"id": "x:1"}, headers=reader).status_code == 403


def test_the_pages_of_rows_are_all_rows(client: FlaskClient, admin: dict[str, str]) -> None:
    seen, cursor = [], ""
    while True:
        answer = client.get("/api/v1/verbs", query_string={"limit": 100, "cursor": cursor}, headers=admin).json
        seen += answer["items"]
        cursor = answer["next"]
        if cursor is None:
            break
    assert len(seen) == len({(one["verb_iri"], one["provider"], one["activity_type"]) for one in seen}) > 150
    assert client.get("/api/v1/verbs?cursor=abc", headers=admin).status_code == 400
    assert client.get("/api/v1/verbs/unmapped?cursor=-1", headers=admin).status_code == 400


WORDS = ("rows", "providers", "without_providers", "note", "whole", "put", "removed", "id", "aliases", "all_of", "sessions", "title",
         "repeat_after_days", "hris_type", "verb_iri", "canonical", "completion_event", "provider", "score_min", "opt_in", "statement",
         "verb", "object", "actor", "mbox", "result", "context")
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-(10**30), 10**30), st.floats(), st.sampled_from(
    ["", "x:1", VENDOR, "completed", "yes", "-", "mailto:a@b.example", "\ud800", "a\x00b", "pass_mark"]), st.text(max_size=5))
BODIES = st.recursive(SCALARS, lambda inner: st.one_of(
    st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(WORDS), inner, max_size=5)))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(place=st.sampled_from(["POST verbs/versions", "POST courses/versions", "PUT courses", "POST verbs/explain", "POST verbs/rollback"]),
       body=BODIES)
def test_whatever_is_sent_is_done_or_refused_in_the_one_shape(client: FlaskClient, admin: dict[str, str], place: str, body: Any) -> None:
    method, path = place.split()
    answer = client.open(f"/api/v1/{path}", method=method, data=json.dumps(body), content_type="application/json", headers=admin)
    assert answer.status_code in (200, 201, 400, 409), answer.text
    if answer.status_code >= 400:
        assert answer.json["message"]


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"rows": NaN}', b"[" * 100_000])
def test_a_body_that_is_no_json_is_refused(client: FlaskClient, admin: dict[str, str], body: bytes) -> None:
    for path in ("verbs/versions", "courses/versions", "verbs/explain"):
        answer = client.post(f"/api/v1/{path}", data=body, content_type="application/json", headers=admin)
        assert (answer.status_code, bool(answer.json["message"])) == (400, True)
