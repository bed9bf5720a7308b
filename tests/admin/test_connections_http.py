"""/api/v1/connections: added with a credential of its own, secrets masked and rotated without a gap, paused and resumed."""
from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from admin_site import API, ZOOM, Site, all_pages, site
from flask.testing import FlaskClient

HERE = f"{API}/connections/academy"


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Site]:
    made = site(tmp_path / "data")
    yield made
    made.store.close()


@pytest.fixture
def admin(here: Site) -> FlaskClient:
    return here.client("all")[0]


def event(client: FlaskClient, secret: str, n: int = 1) -> Any:
    body = json.dumps({"event": "meeting.sharing_started", "event_ts": n, "payload": {"object": {"id": n}}}).encode()
    stamp = str(int(time.time()))
    digest = hmac.new(secret.encode(), b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    return client.post("/hooks/zoom/academy", data=body, content_type="application/json",
                       headers={"x-zm-request-timestamp": stamp, "x-zm-signature": f"v0={digest}"})


def test_a_connection_is_added_with_a_credential_that_only_writes(here: Site, admin: FlaskClient) -> None:
    made = admin.post(f"{API}/connections", json=ZOOM)
    assert (made.status_code, made.headers["Location"]) == (201, HERE)
    assert made.json["hook"] == "https://lrs.example/hooks/zoom/academy"
    assert made.json["hook"] in made.json["next_steps"][0]
    assert made.json["settings"]["secret_token"] == "********"
    credential = here.store.credentials.by_key(made.json["credential"])
    assert (set(credential.scopes), credential.provider) == ({"statements/write"}, "academy")
    assert "first-secret-token" not in admin.get(HERE).text + admin.get(f"{API}/connections").text + admin.get(f"{API}/audit").text
    assert event(admin, "first-secret-token").status_code == 200


def test_a_connection_may_use_a_credential_that_is_there(here: Site, admin: FlaskClient) -> None:
    _, writes = here.client("statements/write")
    _, reads = here.client("statements/read")
    assert admin.post(f"{API}/connections", json={**ZOOM, "credential": writes}).json["credential"] == writes
    for key in (reads, "nobody"):
        answer = admin.post(f"{API}/connections", json={**ZOOM, "name": "other", "credential": key})
        assert [one["pointer"] for one in answer.json["findings"]] == ["/credential"]


@pytest.mark.parametrize(("change", "pointers"), [
    ({"name": "A b"}, ["/name"]), ({"name": "../x"}, ["/name"]), ({"source": "teams"}, ["/source"]),
    ({"settings": {}}, ["/settings/secret_token"]),
    ({"settings": {"secret_token": "x" * 20, "colour": 1, "retention_days": 0}}, ["/settings/colour", "/settings/retention_days"]),
    ({"settings": {"secret_token": ["x" * 20]}}, []),
    ({"settings": {"secret_token": "x" * 20, "retention_days": {"a": 1}}}, ["/settings/retention_days"])])
def test_what_cannot_be_is_named_and_leaves_no_credential_behind(
    here: Site, admin: FlaskClient, change: dict[str, Any], pointers: list[str],
) -> None:
    known = len(here.store.credentials.list())
    answer = admin.post(f"{API}/connections", json={**ZOOM, **change})
    if pointers:
        assert answer.status_code == 400, answer.json
        assert [one["pointer"] for one in answer.json["findings"]] == pointers
        assert len(here.store.credentials.list()) == known
    assert answer.status_code < 500


def test_a_taken_name_is_409_and_the_first_stays(here: Site, admin: FlaskClient) -> None:
    admin.post(f"{API}/connections", json=ZOOM)
    known = len(here.store.credentials.list())
    answer = admin.post(f"{API}/connections", json={**ZOOM, "settings": {"secret_token": "another-token"}})
    assert (answer.status_code, answer.json["code"]) == (409, "taken")
    assert here.store.connections.by_name("academy").settings["secret_token"] == "first-secret-token"
    assert len(here.store.credentials.list()) == known


def test_settings_are_changed_and_a_mask_sent_back_is_no_secret(here: Site, admin: FlaskClient) -> None:
    admin.post(f"{API}/connections", json=ZOOM)
    shown = admin.get(HERE).json["settings"]
    assert admin.patch(HERE, json={"settings": {**shown, "retention_days": 3}}).json["settings"]["retention_days"] == 3
    assert here.store.connections.by_name("academy").settings["secret_token"] == "first-secret-token"
    assert admin.patch(HERE, json={"settings": {"retention_days": None}}).json["settings"]["retention_days"] == 30
    assert admin.patch(HERE, json={"settings": {"secret_token": None}}).status_code == 400
    assert admin.patch(HERE, json={"settings": {"colour": "red"}}).json["findings"][0]["pointer"] == "/settings/colour"
    assert admin.patch(f"{API}/connections/other", json={"settings": {}}).status_code == 404


def test_a_secret_is_rotated_without_a_gap(here: Site, admin: FlaskClient) -> None:
    admin.post(f"{API}/connections", json=ZOOM)
    assert admin.delete(f"{HERE}/secret").json["code"] == "wrong_state"
    assert admin.put(f"{HERE}/secret", json={"secret": "second-secret-token"}).json["secrets_taken"] == 2
    first, second, third = (f"{which}-secret-token" for which in ("first", "second", "third"))
    assert [event(admin, secret).status_code for secret in (first, second, third)] == [200, 200, 401]
    assert admin.put(f"{HERE}/secret", json={"secret": "second-secret-token"}).status_code == 200
    assert admin.delete(f"{HERE}/secret").json["secrets_taken"] == 1
    assert [event(admin, secret).status_code for secret in (first, second)] == [401, 200]
    for bad in ("two secrets", "short", " "):
        assert admin.put(f"{HERE}/secret", json={"secret": bad}).status_code == 400


def test_while_paused_nothing_is_taken(here: Site, admin: FlaskClient) -> None:
    admin.post(f"{API}/connections", json=ZOOM)
    for _ in range(2):
        assert admin.post(f"{HERE}/pause").json["state"] == "paused"
    assert event(admin, "first-secret-token").status_code == 403
    assert admin.post(f"{HERE}/resume").json["state"] == "active"
    assert event(admin, "first-secret-token").status_code == 200
    told = [entry.action for entry in here.store.audit.list(thing="academy")]
    assert told == ["connections.resume", "connections.pause", "connections.add"]


def test_what_came_is_shown_as_it_came_page_by_page(here: Site, admin: FlaskClient) -> None:
    admin.post(f"{API}/connections", json=ZOOM)
    for n in range(5):
        event(admin, "first-secret-token", n)
    rows = all_pages(admin, f"{HERE}/payloads", limit=2)
    assert [json.loads(one["body"])["event_ts"] for one in rows] == [4, 3, 2, 1, 0]
    assert {one["kind"] for one in rows} == {"meeting.sharing_started"}
    assert admin.get(f"{API}/connections/other/payloads").status_code == 404


def test_the_sources_say_what_they_ask_for(admin: FlaskClient) -> None:
    [zoom] = admin.get(f"{API}/connections/sources").json["items"]
    assert {"secret_token", "retention_days"} <= {one["name"] for one in zoom["settings"]}
