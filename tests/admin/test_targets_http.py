"""/api/v1/targets and /api/v1/deliveries over a real store."""
from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from lrs.app import create_app
from lrs.auth import credentials
from lrs.config import Settings
from lrs.services import Services
from lrs.store.open_store import Store, open_store
from lrs.store.protocols.work import Cursor, Output, Published, Wanted

API = "/api/v1"
HOOK = {"name": "hook", "connector": "webhook", "settings": {"url": "https://r.example/"}}
Make = Callable[..., FlaskClient]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def client_of(store: Store, tmp_path: Path) -> Make:
    def make(*scopes: str) -> FlaskClient:
        made = credentials.create(store.credentials, name="T", public_url="http://lrs.example", scopes=scopes)
        client = create_app(Services(Settings(data=tmp_path, public_url="http://lrs.example"), store)).test_client()
        token = base64.b64encode(f"{made.credential.key}:{made.secret}".encode()).decode()
        client.environ_base["HTTP_AUTHORIZATION"] = f"Basic {token}"
        return client

    return make


@pytest.fixture
def client(client_of: Make) -> FlaskClient:
    return client_of("all")


def owe(store: Store, n: int, target: str = "hook", **more: Any) -> None:
    """n deliveries for a target."""
    was = store.work.cursor("route")
    events = [Published("learning.completed", f"a{was.seq}-{k}", 1, json.dumps({
        "event": "learning.completed", "id": f"a{was.seq}-{k}", "revision": 1, "user": {"externalId": f"E{k}"}, "course": {"id": "c"},
        **more}).encode()) for k in range(n)]
    assert store.work.advance("route", was, Cursor(was.seq + 1, was.change), Output(published=events, owed=[(k, target) for k in range(n)]))


def test_a_target_lives_its_life(client: FlaskClient, store: Store) -> None:
    made = client.post(f"{API}/targets", json=HOOK)
    assert (made.status_code, made.headers["Location"]) == (201, f"{API}/targets/hook")
    secret = made.json["secret"]
    assert secret.startswith("whsec_")
    shown = client.get(f"{API}/targets/hook").json
    assert (shown["state"], shown["breaker"], shown["settings"]["secret"], "secret" in shown) == ("active", "closed", "********", False)
    assert client.patch(f"{API}/targets/hook", json={"settings": {"timeout": 5}}).json["settings"]["timeout"] == 5
    for path, state in (("pause", "paused"), ("disable", "disabled"), ("resume", "active")):
        assert client.post(f"{API}/targets/hook/{path}", json={"why": "audit"}).json["state"] == state
    second = client.post(f"{API}/targets/hook/secret").json["secret"]
    assert store.work.target("hook").settings["secret"] == f"{second} {secret}"
    assert client.delete(f"{API}/targets/hook/secret").status_code == 204
    assert store.work.target("hook").settings["secret"] == second
    assert [row["name"] for row in client.get(f"{API}/targets").json["items"]] == ["hook"]
    told = [entry.action for entry in store.audit.list(thing="hook")]
    assert told == [f"targets.{verb}" for verb in ("retire", "rotate", "resume", "disable", "pause", "change", "create")]


def test_a_target_is_removed_when_nothing_waits_for_it_or_what_waits_is_given_up(client: FlaskClient, store: Store) -> None:
    assert client.delete(f"{API}/targets/hook").status_code == 404
    client.post(f"{API}/targets", json=HOOK)
    owe(store, 3)
    refused = client.delete(f"{API}/targets/hook")
    assert (refused.status_code, refused.json["code"]) == (409, "wrong_state")
    assert "3 deliveries wait for hook" in refused.json["message"]
    assert client.delete(f"{API}/targets/hook?drop_waiting=true").status_code == 204
    assert client.delete(f"{API}/targets/hook").status_code == 204  # the answer may have got lost
    assert client.get(f"{API}/targets/hook").status_code == 404
    found = client.get(f"{API}/deliveries?target=hook").json["items"]
    assert {(one["state"], one["why"]) for one in found} == {("cancelled", "its target was removed")}
    assert client.post(f"{API}/deliveries/replay", json={"ids": [found[0]["id"]]}).json["count"] == 0
    last = store.audit.list(thing="hook")[0]
    assert (last.action, last.detail["connector"], last.detail["drop_waiting"], last.refused) == ("targets.remove", "webhook", True, "")


def test_every_wrong_setting_is_a_finding_with_its_pointer(client: FlaskClient, store: Store) -> None:
    answer = client.post(f"{API}/targets", json={"name": "x", "connector": "bamboohr", "settings": {"colour": "red"}})
    assert answer.status_code == 400
    assert [one["pointer"] for one in answer.json["findings"]] == ["/settings/colour", "/settings/url", "/settings/api_key"]
    assert client.post(f"{API}/targets", json={"name": "x", "connector": "pigeon"}).json["findings"][0]["pointer"] == "/connector"
    assert client.post(f"{API}/targets", json={**HOOK, "name": "no/slash"}).json["findings"][0]["pointer"] == "/name"
    assert store.work.targets() == []
    refused = [entry.refused for entry in store.audit.list(action="targets")]
    assert sum(map(bool, refused)) == 3


def test_a_name_is_taken_once(client: FlaskClient) -> None:
    client.post(f"{API}/targets", json=HOOK)
    answer = client.post(f"{API}/targets", json=HOOK)
    assert (answer.status_code, answer.json["code"]) == (409, "taken")


def test_only_a_webhook_has_a_secret_to_rotate(client: FlaskClient) -> None:
    client.post(f"{API}/targets", json={"name": "crm", "connector": "hubspot", "settings": {"token": "t"}})
    answer = client.post(f"{API}/targets/crm/secret")
    assert (answer.status_code, answer.json["code"]) == (409, "wrong_state")


def test_a_target_is_tested_against_its_twin(client: FlaskClient) -> None:
    twin = subprocess.Popen([sys.executable, "-m", "lrs.sandbox.hubspot", "--key", "good"], stdout=subprocess.PIPE, text=True)
    assert twin.stdout
    url = twin.stdout.readline().split()[-1]
    try:
        for name in ("good", "bad"):
            settings = {"token": name, "url": url, "allow_private": True}
            assert client.post(f"{API}/targets", json={"name": name, "connector": "hubspot", "settings": settings}).status_code == 201
        assert client.post(f"{API}/targets/good/test").json["ok"] is True
        bad = client.post(f"{API}/targets/bad/test").json
        assert (bad["ok"], bad["status"]) == (False, 401)
    finally:
        twin.kill()
        twin.wait()
        twin.stdout.close()


def test_a_reader_sees_no_secret_and_changes_nothing(client: FlaskClient, client_of: Make) -> None:
    secret = client.post(f"{API}/targets", json=HOOK).json["secret"]
    reader = client_of("all/read")
    assert secret not in reader.get(f"{API}/targets/hook").text
    assert reader.post(f"{API}/targets/hook/pause", json={}).status_code == 403
    assert reader.post(f"{API}/deliveries/replay", json={"target": "hook"}).status_code == 403
    assert client_of("statements/write").get(f"{API}/targets").status_code == 403


def test_pages_of_deliveries_show_each_once_while_others_come_in(client: FlaskClient, store: Store) -> None:
    client.post(f"{API}/targets", json=HOOK)
    owe(store, 25)
    seen, cursor = [], ""
    while True:
        page = client.get(f"{API}/deliveries", query_string={"limit": 7, "cursor": cursor}).json
        seen += [row["id"] for row in page["items"]]
        owe(store, 2)
        cursor = page["next"]
        if cursor is None:
            break
    first = {row.id for row in store.work.deliveries(Wanted(), 1000)
             if row.event_id.startswith("a0-")}
    assert len(seen) == len(set(seen)) == 25
    assert set(seen) == first


def test_deliveries_are_found_by_what_they_have_in_common(client: FlaskClient, store: Store) -> None:
    client.post(f"{API}/targets", json=HOOK)
    owe(store, 5)
    for query, count in (({"person": "E3"}, 1), ({"course": "c"}, 5), ({"event": "learning.revoked"}, 0), ({"state": "pending"}, 5),
                         ({"target": "other"}, 0), ({"since": "2100-01-01T00:00:00Z"}, 0), ({"until": "2100-01-01T00:00:00Z"}, 5)):
        assert len(client.get(f"{API}/deliveries", query_string=query).json["items"]) == count, query
    one = client.get(f"{API}/deliveries", query_string={"person": "E3"}).json["items"][0]
    whole = client.get(f"{API}/deliveries/{one['id']}").json
    assert (whole["payload"]["user"]["externalId"], whole["tries"]) == ("E3", [])


def test_a_replay_counts_first_and_then_does_just_that(client: FlaskClient, store: Store) -> None:
    client.post(f"{API}/targets", json=HOOK)
    owe(store, 4)
    with store.work._database.write() as db:
        db.execute("UPDATE deliveries SET state = 'dead', due = NULL")
    dry = client.post(f"{API}/deliveries/replay", json={"target": "hook", "state": "dead", "dry": True}).json
    done = client.post(f"{API}/deliveries/replay", json={"target": "hook", "state": "dead"}).json
    assert (dry, done) == ({"count": 4, "dry": True}, {"count": 4, "dry": False})
    assert store.work.count_by_state() == {"pending": 4}
    assert [entry.action for entry in store.audit.list(action="deliveries")] == ["deliveries.replay"]
    assert client.post(f"{API}/deliveries/replay", json={}).status_code == 400
    assert client.post(f"{API}/deliveries/replay", json={"state": "pending"}).status_code == 400


def test_parked_deliveries_are_tried_again(client: FlaskClient, store: Store) -> None:
    client.post(f"{API}/targets", json=HOOK)
    owe(store, 3)
    with store.work._database.write() as db:
        db.execute("UPDATE deliveries SET state = 'parked', due = NULL")
    assert client.post(f"{API}/deliveries/release", json={"person": "E1"}).json["count"] == 1
    assert client.post(f"{API}/deliveries/release", json={}).json["count"] == 2


def test_what_was_not_sent_is_cancelled_after_a_count_and_taken_back(client: FlaskClient, store: Store) -> None:
    client.post(f"{API}/targets", json=HOOK)
    owe(store, 4)
    with store.work._database.write() as db:
        db.execute("UPDATE deliveries SET state = 'leased' WHERE event_id = 'a0-0'")
        db.execute("UPDATE deliveries SET state = 'parked', due = NULL WHERE event_id = 'a0-1'")
    dry = client.post(f"{API}/deliveries/cancel", json={"target": "hook", "dry": True}).json
    assert (dry, store.work.count_by_state()) == ({"count": 3, "dry": True}, {"leased": 1, "parked": 1, "pending": 2})
    assert client.post(f"{API}/deliveries/cancel", json={"person": "E2", "why": "imported twice"}).json == {"count": 1, "dry": False}
    (row,) = store.work.deliveries(Wanted(person="E2"), 10)
    assert (row.state, row.due, row.why) == ("cancelled", None, "imported twice")
    assert client.post(f"{API}/deliveries/cancel", json={"target": "hook"}).json["count"] == 2
    assert [entry.action for entry in store.audit.list(action="deliveries")] == ["deliveries.cancel"] * 2
    assert client.post(f"{API}/deliveries/replay", json={"state": "cancelled"}).json["count"] == 3
    assert store.work.count_by_state() == {"leased": 1, "pending": 3}
    for body in ({}, {"state": "delivered"}):
        assert client.post(f"{API}/deliveries/cancel", json=body).status_code == 400


@pytest.mark.parametrize(("method", "path", "body"), [
    ("get", "targets/nobody", None), ("patch", "targets/nobody", {"settings": {}}), ("post", "targets/nobody/pause", {}),
    ("post", "targets/nobody/test", None), ("post", "targets/nobody/secret", None), ("get", "deliveries/msg_none", None),
    ("get", "targets/%00", None), ("get", "deliveries/%00", None),
])
def test_what_is_not_there_is_404(client: FlaskClient, method: str, path: str, body: Any) -> None:
    answer = getattr(client, method)(f"{API}/{path}", **({} if body is None else {"json": body}))
    assert (answer.status_code, answer.json["code"]) == (404, "not_found")


@pytest.mark.parametrize("body", [
    None, [], 3, "x", {}, {"name": 3, "connector": "webhook"}, {"name": "x", "connector": []},
    {"name": "x", "connector": "webhook", "nonsense": 1},
    {"name": "x", "connector": "webhook", "settings": []}, {"name": "x", "connector": "webhook", "settings": {"url": {"a": 1}}},
    {"name": "\ud800", "connector": "webhook"}, {"name": "x" * 10_000, "connector": "webhook"},
    {"name": "x", "connector": "webhook", "settings": {"url": "https://r.example/", "secret": "weak"}},
    {"name": "x", "connector": "webhook", "settings": {"url": "https://r.example/", "in_flight": "many"}},
    {"name": "x", "connector": "webhook", "settings": {"url": "https://r.example/", "rate_per_second": "1e999"}},
])
def test_whatever_is_sent_is_done_or_refused_in_words(client: FlaskClient, body: Any) -> None:
    for path in ("targets", "targets/hook/pause", "deliveries/replay", "deliveries/release", "deliveries/cancel"):
        answer = client.post(f"{API}/{path}", data=json.dumps(body), content_type="application/json")
        assert answer.status_code < 500, answer.text
        assert answer.status_code < 300 or answer.json["message"]


@pytest.mark.parametrize("cursor", ["x", "1", "-", "1-", "99999999999999999999-x", "1-\0"])
def test_a_cursor_that_no_page_gave_is_refused_or_finds_nothing(client: FlaskClient, cursor: str) -> None:
    answer = client.get(f"{API}/deliveries", query_string={"cursor": cursor})
    assert answer.status_code == 400 or answer.json == {"items": [], "next": None}
