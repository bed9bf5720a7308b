"""POST /hooks/zoom/<connection>: who is believed, what becomes of a webhook, and that nothing Zoom sends is lost or loops."""
from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from every_store import every_store, settings_at
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from lrs.app import create_app
from lrs.auth import credentials
from lrs.completions.model import Course, Person
from lrs.config import Limits, Settings
from lrs.directory.csv import identifiers_of
from lrs.errors import StoreUnavailable
from lrs.services import Services, store_of
from lrs.sources.retention import purge
from lrs.sources.sessions import SESSION
from lrs.sources.zoom.translate import EVENTS
from lrs.store.protocols.connections import Connection
from workers.route import route_once

URL, SECRET = "http://lrs.example", "zoom-secret-token"
PAIRS = sorted((Path(__file__).parents[1] / "sources" / "zoom").glob("*.json"))
JOINED = json.loads((Path(__file__).parents[1] / "sources" / "zoom" / "joined.json").read_text())["payload"]
DAY = 86_400 * 1_000_000


@pytest.fixture
def services(tmp_path: Path, place: str) -> Iterator[Services]:
    settings = settings_at(place, tmp_path, public_url=URL, limits=Limits(body_max=50_000, statement_max=50_000))
    store = store_of(settings)
    services = Services(settings, store)
    connect(services)
    yield services
    store.close()


@pytest.fixture
def client(services: Services) -> FlaskClient:
    return create_app(services).test_client()


def connect(services: Services, name: str = "academy", source: str = "zoom", **given: Any) -> None:
    if services.store.credentials.by_key("zoom-key") is None:
        credentials.create(services.store.credentials, name="Zoom", public_url=URL, key="zoom-key", scopes=("statements/write",))
    services.store.connections.create(Connection(name, source, "zoom-key", {"secret_token": SECRET, **given}))


def signed(body: bytes, *, secret: str = SECRET, age: float = 0) -> dict[str, str]:
    at = str(int(time.time() - age))
    digest = hmac.new(secret.encode(), b"v0:" + at.encode() + b":" + body, hashlib.sha256).hexdigest()
    return {"x-zm-signature": f"v0={digest}", "x-zm-request-timestamp": at}


def send(client: FlaskClient, payload: Any = JOINED, to: str = "academy", headers: dict[str, str] | None = None) -> TestResponse:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return client.post(f"/hooks/zoom/{to}", data=body, headers=signed(body) if headers is None else headers)


def stored(services: Services) -> list[dict[str, Any]]:
    return [json.loads(record.text) for record in services.store.statements.follow(0, 1000)]


def refused(answer: TestResponse, status: int, code: str) -> str:
    assert (answer.status_code, answer.json["status"], answer.json["code"]) == (status, status, code), answer.text
    return str(answer.json["message"])


def person(**changes: Any) -> dict[str, Any]:
    fields = {**JOINED["payload"]["object"]["participant"], **changes}
    return {**JOINED, "payload": {"object": {**JOINED["payload"]["object"], "participant": fields}}}


def challenge(token: str) -> dict[str, Any]:
    return {"event": "endpoint.url_validation", "event_ts": 1, "payload": {"plainToken": token}}


@every_store
def test_a_signed_join_is_a_statement_with_the_connections_authority(services: Services, client: FlaskClient) -> None:
    answer = send(client)
    assert answer.status_code == 200, answer.text
    [statement] = stored(services)
    assert answer.json == {"statements": [statement["id"]], "kept": True, "why": ""}
    assert statement["actor"]["mbox"] == "mailto:learner.a@example.com"
    assert statement["authority"]["account"] == {"homePage": URL, "name": "zoom-key"}
    [payload] = services.store.payloads.list("academy")
    assert (payload.kind, json.loads(payload.body), payload.note) == ("meeting.participant_joined", JOINED, "")


@pytest.mark.parametrize("headers", [
    {}, signed(b"{}"), signed(json.dumps(JOINED).encode(), secret="other-token"), signed(json.dumps(JOINED).encode(), age=301),
    signed(json.dumps(JOINED).encode(), age=-100_000),
    {"x-zm-signature": signed(json.dumps(JOINED).encode())["x-zm-signature"]}, {"Authorization": SECRET}])
def test_what_zoom_did_not_sign_just_now_is_refused_and_leaves_nothing(
        services: Services, client: FlaskClient, headers: dict[str, str]) -> None:
    message = refused(send(client, headers=headers), 401, "unauthorized")
    assert SECRET not in message
    assert (stored(services), services.store.payloads.list(), services.store.rejections.list()) == ([], [], [])


def test_the_handshake_is_answered_signed_or_not_and_kept_nowhere(services: Services, client: FlaskClient) -> None:
    token = "qgg8vlvZRS6UYooatFL8Aw"
    right = {"plainToken": token, "encryptedToken": hmac.new(SECRET.encode(), token.encode(), hashlib.sha256).hexdigest()}
    assert send(client, challenge(token)).json == right
    assert send(client, challenge(token), headers={}).json == right
    refused(send(client, challenge(token), headers=signed(b"another body")), 401, "unauthorized")
    assert services.store.payloads.list() == []


def test_the_handshake_signs_no_event_for_a_stranger(services: Services, client: FlaskClient) -> None:
    forged, at = json.dumps(JOINED).encode(), str(int(time.time()))
    token = f"v0:{at}:{forged.decode()}"
    signature = hmac.new(SECRET.encode(), token.encode(), hashlib.sha256).hexdigest()
    for headers in ({}, None):
        answer = send(client, challenge(token), headers=headers)
        refused(answer, 400, "invalid")
        assert signature not in answer.text
    # the signature that was not given out would have opened the door
    assert send(client, forged, headers={"x-zm-signature": f"v0={signature}", "x-zm-request-timestamp": at}).status_code == 200


@every_store
def test_zooms_repetition_is_one_statement_and_one_payload(services: Services, client: FlaskClient) -> None:
    first = send(client)
    body = json.dumps(JOINED).encode()
    for headers in (signed(body), signed(body, age=200)):
        assert send(client, headers=headers).json == first.json
    assert len(stored(services)) == 1
    assert len(services.store.payloads.list()) == 1


def test_a_repetition_that_says_it_differently_is_answered_and_the_first_stands(services: Services, client: FlaskClient) -> None:
    send(client)
    services.store.directory.put_people([Person("00417", identifiers=("account:https://zoom.us|registrant:REG-1",))])
    # the event is the same, the directory has learned the registrant since
    again = send(client)
    assert again.status_code == 200
    assert "the first stands" in again.json["why"]
    [statement] = stored(services)
    assert statement["actor"] == {"objectType": "Agent", "mbox": "mailto:learner.a@example.com"}


def test_a_person_whom_the_directory_knows_is_named_by_what_it_knows(services: Services, client: FlaskClient) -> None:
    services.store.directory.put_people([Person("00417", identifiers=("account:https://zoom.us|customer:C-7",))])
    assert send(client, person(customer_key="C-7", email="private@example.org")).status_code == 200
    [statement] = stored(services)
    assert statement["actor"]["account"] == {"homePage": "https://zoom.us", "name": "customer:C-7"}


@pytest.mark.parametrize("pair", PAIRS, ids=lambda path: path.stem)
def test_every_event_is_answered_200_and_kept(services: Services, client: FlaskClient, pair: Path) -> None:
    golden = json.loads(pair.read_text())
    answer = send(client, golden["payload"])
    assert (answer.status_code, answer.json["why"]) == (200, golden["why"])
    assert len(stored(services)) == len(golden["statements"])
    [payload] = services.store.payloads.list("academy")
    assert (payload.kind, payload.note) == (golden["payload"]["event"], golden["why"])


def test_the_link_to_a_recording_is_found_by_its_session_and_what_opens_it_is_kept_nowhere(services: Services, client: FlaskClient) -> None:
    recording = json.loads((Path(__file__).parents[1] / "sources" / "zoom" / "recording.json").read_text())["payload"]
    send(client)
    send(client, recording)
    joined, shared = stored(services)
    assert shared["object"]["id"] == joined["object"]["id"]
    assert shared["context"]["extensions"][SESSION]["recording"] == "https://zoom.us/rec/share/abc"
    [payload, _] = services.store.payloads.list()
    assert b"secret" not in payload.body
    assert b'"password": "***"' in payload.body


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b'"x"', b"[]", b"null", b"1", b'{"event":7}', b'{"a":"\\ud800"}', b"[" * 5000,
                                  b'{"event":"meeting.started"}', b'{"event":"meeting.started","payload":{"object":{"uuid":"U"}}}'])
def test_what_zoom_signed_and_nobody_can_read_is_kept_with_the_reason(services: Services, client: FlaskClient, body: bytes) -> None:
    answer = send(client, body)
    assert answer.status_code == 200, answer.text
    assert answer.json["why"] != ""
    [payload] = services.store.payloads.list()
    assert (payload.body, payload.note) == (body, answer.json["why"])
    assert stored(services) == []


def test_what_did_not_count_is_listed_with_the_rejections_without_names(services: Services, client: FlaskClient) -> None:
    for payload in (b"{", person(email="", registrant_id="", user_name="Ada"), JOINED):
        send(client, payload)
    services.store.rejections.flush()
    guest, unread = services.store.rejections.list("zoom-key")
    assert (unread.status, unread.code, json.loads(unread.detail)["message"]) == (200, "kept", "a webhook of academy: not JSON")
    assert "meeting.participant_joined of academy: it names nobody" in json.loads(guest.detail)["message"]
    assert "Ada" not in guest.detail + guest.excerpt


def test_a_statement_beyond_a_limit_is_kept_and_not_sent_for_ever(services: Services, client: FlaskClient) -> None:
    limits = Limits(body_max=50_000, statement_max=500)
    small = Services(Settings(data=services.settings.data, public_url=URL, limits=limits), services.store)
    answer = send(create_app(small).test_client())
    assert answer.status_code == 200
    assert services.store.payloads.list()[0].note == answer.json["why"] != ""


def test_an_unknown_connection_and_one_of_another_source_are_told_apart_by_nobody(services: Services, client: FlaskClient) -> None:
    connect(services, "webex-1", source="webex")
    for name in ("nobody", "webex-1", "%00", "ä" * 50):
        assert refused(send(client, to=name), 401, "unauthorized") == "there is no such connection"
        assert refused(send(client, challenge("qgg8vlvZRS6UYooatFL8Aw"), to=name, headers={}), 401, "unauthorized")


def test_a_paused_connection_takes_no_events_and_still_shakes_hands(services: Services, client: FlaskClient) -> None:
    services.store.connections.change("academy", state="paused")
    assert "paused" in refused(send(client), 403, "forbidden")
    refused(send(client, headers={}), 401, "unauthorized")
    assert send(client, challenge("qgg8vlvZRS6UYooatFL8Aw")).status_code == 200
    assert (stored(services), services.store.payloads.list()) == ([], [])
    services.store.connections.change("academy", state="active")
    assert send(client).status_code == 200


def test_a_connection_whose_credential_is_revoked_or_gone_takes_nothing(services: Services, client: FlaskClient) -> None:
    services.store.connections.create(Connection("orphan", "zoom", "no-such-key", {"secret_token": SECRET}))
    refused(send(client, to="orphan"), 403, "forbidden")
    services.store.credentials.revoke("zoom-key")
    assert "revoked" in refused(send(client), 403, "forbidden")
    assert stored(services) == []


def test_a_connection_without_a_secret_believes_nobody(services: Services, client: FlaskClient) -> None:
    services.store.connections.create(Connection("bare", "zoom", "zoom-key", {}))
    body = json.dumps(JOINED).encode()
    refused(send(client, to="bare", headers=signed(body, secret="")), 401, "unauthorized")
    refused(send(client, challenge("qgg8vlvZRS6UYooatFL8Aw"), to="bare", headers={}), 400, "invalid")


@pytest.mark.parametrize("part", ["payloads.keep", "statements.add", "connections.by_name", "directory.person_by_identifier"])
def test_while_the_store_is_down_zoom_is_asked_to_send_again(
        services: Services, client: FlaskClient, monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    def down(*args: Any, **named: Any) -> Any:
        raise StoreUnavailable("disk full")

    where, name = part.split(".")
    with monkeypatch.context() as broken:
        broken.setattr(type(getattr(services.store, where)), name, down)
        assert refused(send(client), 503, "store_unavailable")
    assert stored(services) == []
    assert send(client).status_code == 200
    assert len(stored(services)) == 1


@every_store
def test_payloads_are_kept_as_long_as_the_connection_says(services: Services, client: FlaskClient) -> None:
    connect(services, "short", retention_days=1)
    send(client)
    send(client, to="short")
    now = time.time_ns() // 1000
    assert purge(services.store, now) == 0
    assert purge(services.store, now + DAY + 1) == 1
    assert [payload.connection for payload in services.store.payloads.list()] == ["academy"]
    assert purge(services.store, now + 30 * DAY + 1) == 1
    assert len(stored(services)) == 2


def test_joining_and_leaving_complete_nothing_by_themselves(services: Services, client: FlaskClient) -> None:
    services.store.directory.put_people([Person("00417", identifiers=tuple(identifiers_of("00417", ["learner.a@example.com"])))])
    services.store.directory.put_courses([Course("https://courses.example/safety", sessions=("https://zoom.us/j/80000000001",))])
    for pair in PAIRS:
        send(client, json.loads(pair.read_text())["payload"])
    while (done := route_once(services)).statements or done.changes:
        pass
    assert services.store.work.feed(0, 100) == []


_TEXT = st.text(max_size=12) | st.sampled_from(["2026-01-01T09:00:00Z", "https://zoom.us/r", "a@b.example", "\0", "x" * 600])
_ANY = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | _TEXT,
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3), max_leaves=6)
_OBJECTS = st.fixed_dictionaries(
    {"uuid": _TEXT | _ANY, "id": _TEXT | _ANY},
    optional={"topic": _ANY, "start_time": _ANY, "duration": _ANY, "end_time": _ANY, "share_url": _TEXT, "recording_files": _ANY,
              "participant": _ANY | st.fixed_dictionaries({}, optional={
                  "user_id": _ANY, "id": _ANY, "email": _TEXT | _ANY, "customer_key": _TEXT | _ANY, "join_time": _TEXT,
                  "leave_time": _ANY})})
_PAYLOADS = _ANY | st.fixed_dictionaries({"event": st.sampled_from(sorted(EVENTS)) | _TEXT, "event_ts": st.integers(1, 4 * 10**12) | _ANY,
                                          "payload": st.fixed_dictionaries({"object": _OBJECTS | _ANY}) | _ANY})


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(payload=_PAYLOADS)
def test_whatever_zoom_signs_is_answered_200_and_kept(services: Services, client: FlaskClient, payload: Any) -> None:
    answer = send(client, payload)
    assert answer.status_code == 200, answer.text
    held = len(stored(services))
    again = send(client, payload)
    assert (again.status_code, len(stored(services))) == (200, held)


def test_only_post_is_a_webhook(client: FlaskClient) -> None:
    assert client.get("/hooks/zoom/academy").status_code == 405
