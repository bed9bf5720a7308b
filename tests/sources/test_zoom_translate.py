"""Zoom's webhooks become statements: golden pairs, the table of events, and that nothing it sends can break the reading."""
from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrs.sources.sessions import statement
from lrs.sources.zoom.identity import actor
from lrs.sources.zoom.identity import given as identifiers_given
from lrs.sources.zoom.translate import EVENTS, Meeting, of_participant, recording_link, storable, translate
from lrs.statements.parse import Received
from lrs.statements.validate import batch_findings

PAIRS = sorted((Path(__file__).parent / "zoom").glob("*.json"))
PARTICIPANT = {"user_id": "1001", "registrant_id": "R", "customer_key": "C", "email": "a@example.com", "id": "U"}
ACCOUNT = "account:https://zoom.us|"


def nobody(identifiers: Any) -> set[str]:
    return set()


def read(payload: Any, known: Any = nobody) -> list[dict[str, Any]]:
    return [statement(said) for said in translate(payload, "academy", "https://lrs.example", known).said]


def joined(**changes: Any) -> dict[str, Any]:
    fields = {"uuid": "U-1", "id": "800", "topic": "T", "start_time": "2026-01-01T09:00:00Z", "duration": 60,
              "participant": {**PARTICIPANT, "join_time": "2026-01-01T09:00:05Z"}, **changes}
    return {"event": "meeting.participant_joined", "event_ts": 1767258005000, "payload": {"object": fields}}


def session(made: dict[str, Any]) -> dict[str, Any]:
    return made["context"]["extensions"]["https://concord-lrs.org/xapi/extensions/session"]


@pytest.mark.parametrize("pair", PAIRS, ids=lambda path: path.stem)
def test_a_payload_becomes_the_statements_beside_it(pair: Path) -> None:
    golden = json.loads(pair.read_text())
    got = translate(golden["payload"], "academy", "https://lrs.example", lambda ids: set(golden["known"]) & set(ids))
    assert [statement(said) for said in got.said] == golden["statements"]
    assert got.why == golden["why"]
    received = [Received(json.dumps(made).encode(), made) for made in golden["statements"]]
    assert batch_findings(received, "1.0.3")[0] == []


def test_every_event_of_the_table_has_a_golden_pair_and_says_what_the_table_says() -> None:
    pairs = [json.loads(path.read_text()) for path in PAIRS]
    for event, kind in EVENTS.items():
        of_event = [pair for pair in pairs if pair["payload"]["event"] == event] or (
            [pair for pair in pairs if pair["payload"]["event"] == event.replace("webinar.", "meeting.")] if not kind.verb else [])
        assert of_event, event
        said = {made["verb"]["id"] for pair in of_event for made in pair["statements"]}
        assert said == ({kind.verb} if kind.verb else set()), event


@pytest.mark.parametrize(("known", "name"), [
    ({ACCOUNT + "registrant:R", "mbox:a@example.com"}, "registrant:R"),
    ({ACCOUNT + "customer:C", "mbox:a@example.com", ACCOUNT + "user:U"}, "customer:C"),
    ({"mbox:a@example.com", ACCOUNT + "user:U"}, "mailto:a@example.com"),
    ({ACCOUNT + "user:U"}, "user:U"),
    (set(), "mailto:a@example.com")])
def test_the_strongest_identifier_that_the_directory_knows_names_the_actor(known: set[str], name: str) -> None:
    agent = actor(identifiers_given(PARTICIPANT), lambda ids: known & set(ids))
    assert agent is not None
    assert (agent.get("mbox") or agent["account"]["name"]) == name


@pytest.mark.parametrize(("gone", "name"), [
    (("email",), "customer:C"), (("email", "customer_key"), "registrant:R"), (("email", "customer_key", "registrant_id"), "user:U")])
def test_whom_the_directory_does_not_know_the_best_identifier_names(gone: tuple[str, ...], name: str) -> None:
    agent = actor(identifiers_given({k: v for k, v in PARTICIPANT.items() if k not in gone}), nobody)
    assert agent is not None
    assert agent["account"] == {"homePage": "https://zoom.us", "name": name}


@pytest.mark.parametrize("participant", [
    {"user_name": "Ada Lovelace"}, {"user_name": "Ada", "user_id": "1001", "participant_uuid": "P"}, {"email": "  ", "id": ""},
    {"email": "unknown@example.com"}, {"email": "not an address"}, {"id": True}, {"id": None}, {}, None, "Ada", []])
def test_nobody_is_made_from_a_display_name_or_from_what_holds_for_one_meeting(participant: Any) -> None:
    if isinstance(participant, dict):
        participant = {**participant, "join_time": "2026-01-01T09:00:05Z"}
    got = translate(joined(participant=participant), "academy", "https://lrs.example", nobody)
    assert got.said == ()
    assert "names nobody" in got.why


def test_the_meeting_number_is_the_same_as_a_number_and_as_text() -> None:
    assert read(joined(id=800)) == read(joined(id="800"))


def test_zooms_repetition_is_the_same_statement_and_every_other_join_another() -> None:
    one = read(joined())[0]
    assert read({**joined(), "event_ts": 1767258999000})[0] == one
    person = {**PARTICIPANT, "join_time": "2026-01-01T09:00:05Z"}
    others = [joined(uuid="U-2"), joined(participant={**person, "user_id": "1002"}),
              joined(participant={**person, "join_time": "2026-01-01T09:30:00Z"}), {**joined(), "event": "meeting.participant_left"}]
    ids = {read(other)[0]["id"] for other in others} | {one["id"], statement(translate(joined(), "b", "https://l", nobody).said[0])["id"]}
    assert len(ids) == 6


@pytest.mark.parametrize("minutes", [0, None, -5, "", "soon", True, 10**12, 1.5])
def test_a_length_that_is_none_is_no_schedule(minutes: Any) -> None:
    assert "scheduled_seconds" not in session(read(joined(duration=minutes))[0])


@pytest.mark.parametrize("minutes", [45, "45"])
def test_the_scheduled_length_is_in_seconds(minutes: Any) -> None:
    assert session(read(joined(duration=minutes))[0])["scheduled_seconds"] == 2700


@pytest.mark.parametrize("time", [None, "", "1970-01-01T00:00:00Z", "soon", 7, "2026-01-01"])
def test_without_a_time_of_its_own_an_event_is_at_the_time_that_zoom_sent_it(time: Any) -> None:
    payload = joined(participant={**PARTICIPANT, "join_time": time})
    assert read(payload)[0]["timestamp"] == "2026-01-01T09:00:05.000000Z"
    for sent in (None, 0, "soon", True, 10**30, -1):
        got = translate({**payload, "event_ts": sent}, "academy", "https://lrs.example", nobody)
        assert (got.said, got.why) == ((), "it has no time")


def test_a_row_of_a_report_is_read_by_the_same_rules_and_is_a_statement_of_its_own() -> None:
    meeting = Meeting("800", "U-1", "T")
    row = {"user_id": "1001", "name": "Ada", "user_email": "A@Example.com", "join_time": "2026-01-01T09:00:05Z"}
    said = of_participant("http://activitystrea.ms/join", row["join_time"], row, meeting, "academy", nobody, report=True)
    assert said is not None
    made = statement(said)
    assert made["actor"] == {"objectType": "Agent", "mbox": "mailto:a@example.com"}
    assert made["object"]["id"] == read(joined())[0]["object"]["id"]
    assert session(made)["report"] is True
    assert made["id"] != read(joined())[0]["id"]
    assert of_participant("http://activitystrea.ms/join", row["join_time"], {"name": "Ada"}, meeting, "academy", nobody) is None


@pytest.mark.parametrize("fields", [{}, {"share_url": "javascript:alert(1)"}, {"share_url": 7, "recording_files": "x"},
                                    {"recording_files": [None, {"play_url": "http://zoom.us/x"}, {"download_url": "https://zoom.us/d"}]}])
def test_only_a_page_behind_https_is_a_link_to_a_recording(fields: dict[str, Any]) -> None:
    assert recording_link(fields) == ""


def test_what_would_open_a_recording_is_not_kept() -> None:
    body = rb'{"download_token":"a\"b","payload":{"object":{"password" : "p","recording_play_passcode":"q","topic":"password"}}}'
    kept = storable(body)
    assert json.loads(kept) == {"download_token": "***", "payload": {"object": {
        "password": "***", "recording_play_passcode": "***", "topic": "password"}}}


_TEXT = st.text(st.characters(), max_size=12) | st.sampled_from(["", "a@b.example", "2026-01-01T09:00:00Z", "https://zoom.us/r", "\ud800"])
_ANY = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | _TEXT,
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3), max_leaves=6)
_NAMES = ["uuid", "id", "topic", "start_time", "end_time", "duration", "share_url", "recording_files"]
_OF_PERSON = ["user_id", "participant_uuid", "registrant_id", "customer_key", "email", "id", "join_time", "leave_time"]
_OBJECTS = st.dictionaries(st.sampled_from(_NAMES), _ANY).flatmap(
    lambda fields: st.dictionaries(st.sampled_from(_OF_PERSON), _ANY).map(lambda person: {**fields, "participant": person}))
_PAYLOADS = _ANY | st.fixed_dictionaries({"event": st.sampled_from(sorted(EVENTS)) | _ANY, "event_ts": _ANY | st.integers(1, 10**13),
                                          "payload": st.fixed_dictionaries({"object": _OBJECTS | _ANY}) | _ANY})


@settings(max_examples=400, deadline=None)
@given(payload=_PAYLOADS)
def test_whatever_json_a_payload_is_it_is_read_or_left_alone(payload: Any) -> None:
    for made in read(payload):
        assert batch_findings([Received(json.dumps(made).encode(), made)], "1.0.3")[0] == []
        assert re.fullmatch(r"https://zoom\.us/j/[^#]+#.+", made["object"]["id"])
