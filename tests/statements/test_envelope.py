"""The stored text: our envelope, then the bytes that the client sent."""
# ruff: noqa: UP031 (JSON text is full of braces)
from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings

sys.path.insert(0, str(Path(__file__).parent))
from generator import valid_statements

from lrs.statements.envelope import OURS, parts, text
from lrs.statements.equality import same
from lrs.statements.instants import to_utc
from lrs.statements.limits import Limits
from lrs.statements.members import is_object, members, replaced
from lrs.statements.parse import parse

AUTHORITY = {"objectType": "Agent", "name": "A", "account": {"homePage": "http://lrs.example", "name": "key"}}
STORED = "2026-11-24T11:00:00.000001Z"
ID = "7c1e4f43-9b1a-4f0e-8f43-0123456789ab"
BODY = '"actor":{"mbox":"mailto:a@b.c"},"verb":{"id":"http://x/v"},"object":{"id":"http://x/o"}'


def stored(raw: str) -> str:
    (one,) = parse(raw.encode(), Limits())
    return text(parts(members(one.raw), one.value, ID, AUTHORITY), STORED).decode()


def test_the_envelope_comes_first_and_the_body_in_order_of_arrival() -> None:
    found = stored('{"result":{"score":{"raw":1.0}}, "version":"1.0.2", "id":"%s", %s, "timestamp":"2026-01-01T00:00:00Z"}' % (ID, BODY))
    assert list(json.loads(found)) == [
        "id", "stored", "timestamp", "authority", "version", "result", "actor", "verb", "object",
    ]
    assert found.startswith('{"id":"%s","stored":"%s","timestamp":"2026-01-01T00:00:00Z","authority":{' % (ID, STORED))
    assert '"version":"1.0.2"' in found


def test_a_statement_without_version_is_1_0_0() -> None:
    assert json.loads(stored("{%s}" % BODY))["version"] == "1.0.0"


def test_an_absent_timestamp_is_the_stored_time() -> None:
    assert json.loads(stored("{%s}" % BODY))["timestamp"] == STORED


def test_what_the_client_says_about_authority_and_stored_is_replaced() -> None:
    found = json.loads(stored('{%s,"stored":"2020-01-01T00:00:00Z","authority":{"mbox":"mailto:x@y.z"}}' % BODY))
    assert found["authority"] == AUTHORITY
    assert found["stored"] == STORED


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("2026-11-24T19:00:00.123456789+08:00", "2026-11-24T11:00:00.123456789Z"),
        ("2026-11-24T00:30:00.10+01:00", "2026-11-23T23:30:00.10Z"),
        ("2026-11-24T11:00:00+00:00", "2026-11-24T11:00:00Z"),
        ("2026-11-24T11:00:00.5000Z", "2026-11-24T11:00:00.5000Z"),
        ("2026-11-24T11:00:00", "2026-11-24T11:00:00Z"),
        ("20261124T120000+0100", "2026-11-24T11:00:00Z"),
        ("2026-W48-2T12:00+01", "2026-11-24T11:00:00Z"),
        ("2026-328T12,5+01:00", "2026-11-24T11:30:00Z"),
        ("2026-11-24", "2026-11-24T00:00:00Z"),
        ("0001-01-01T00:00:00+02:00", "0001-01-01T00:00:00+02:00"),
        ("9999-12-31T23:59:59-02:00", "9999-12-31T23:59:59-02:00"),
    ],
)
def test_an_offset_becomes_utc_and_the_digits_stay(sent: str, kept: str) -> None:
    assert to_utc(sent) == kept


@pytest.mark.parametrize("digits", ["1.0", "1e2", "0.10", "12345678901234567890"])
def test_numbers_keep_their_digits(digits: str) -> None:
    assert '{ "scaled" :1, "x":%s }' % digits in stored('{%s,"result":{"extensions":{"u:x": { "scaled" :1, "x":%s }}}}' % (BODY, digits))


def test_a_single_context_activity_gets_brackets_around_its_bytes_and_nothing_else_changes() -> None:
    decoy = '{"extensions": {"u:x": {"contextActivities" : { "parent" : {"id" : "http://x/p"} }}} ,'
    context = decoy + ' "contextActivities" : { "parent" : {"id" : "http://x/p"}, "other": [ {"id":"http://x/q"} ] } }'
    expected = context[: len(decoy)] + ' "contextActivities" : { "parent" : [{"id" : "http://x/p"}], "other": [ {"id":"http://x/q"} ] } }'
    assert '"context":' + expected in stored('{%s,"context":%s}' % (BODY, context))


def test_a_single_context_activity_of_a_sub_statement_gets_brackets_too() -> None:
    sub = '{"objectType":"SubStatement", %s, "context" : {"contextActivities":{"category":{"id":"http://x/c"}}} }' % BODY
    found = stored('{"actor":{"mbox":"mailto:a@b.c"},"verb":{"id":"http://x/v"},"object":%s}' % sub)
    assert '"context" : {"contextActivities":{"category":[{"id":"http://x/c"}]}} }' in found


def test_replacing_a_member_finds_it_behind_escaped_keys_and_equal_values() -> None:
    text_in = b'{ "a\\"}" : {"k":1} ,"b":{"k":1}, "c" :{"k":1}}'
    assert replaced(text_in, {"b": b"2"}) == b'{ "a\\"}" : {"k":1} ,"b":2, "c" :{"k":1}}'


@settings(max_examples=150, deadline=None)
@given(valid_statements())
def test_every_body_member_of_a_valid_statement_is_kept_to_the_byte(raw: str) -> None:
    sent, kept = members(raw.encode()), members(stored(raw).encode())
    assert [key for key in sent if key not in OURS] == [key for key in kept if key not in OURS]
    for key, value in sent.items():
        if key in OURS:
            continue
        if value != kept[key]:  # only the brackets of a single context activity may be added
            assert key in ("context", "object")
            assert kept[key].replace(b"[", b"").replace(b"]", b"") == value.replace(b"[", b"").replace(b"]", b"")
            assert _singles(value if key == "context" else members(value)["context"])
    assert same(stored(raw).encode(), raw.encode())


def _singles(context: bytes) -> list[str]:
    return [key for key, value in members(members(context)["contextActivities"]).items() if is_object(value)]
