"""What is kept of a refused body names no person and no secret, whatever its form, and stays JSON if it was JSON."""
from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrs.auth.masking import masked, personal

SECRET, ADDRESS = "hunter2hunter2", "ada@example.com"


@pytest.mark.parametrize("text", [
    f'{{"mbox": "mailto:{ADDRESS}"}}',
    f'{{"mbox": "mailto:\\"{ADDRESS}"}}',
    f'{{"\\u006dbox": "mailto:{ADDRESS}"}}',
    f'{{"account": {{"homePage": "https://x.example", "name": "{SECRET}"}}}}',
    f'{{"name": "a \\" {SECRET}"}}',
    f'{{"name": ["x", "{SECRET}"]}}',
    f'{{"name": "{SECRET}',
    f'{{"mbox": "mailto:{ADDRESS[:9]}',
    f'{{"client_secret": "{SECRET}"}}',
    f'{{"CLIENT-SECRET": {{"a": ["{SECRET}", {{"b": "{SECRET}"}}]}}, "x": "y"}}',
    f'{{"payload": "{{\\"secret\\": \\"{SECRET}\\"}}"}}',
    json.dumps({"a": json.dumps({"b": json.dumps({"name": SECRET})})}),
    f'{{"headers": {{"Authorization": "Basic {SECRET}"}}}}',
    f'{{"note": "Authorization: Bearer {SECRET}"}}',
    f'{{"url": "https://key:{SECRET}@host.example/"}}',
    f"https://key:{SECRET}@host.example/",
    f"secret={SECRET}&name=x",
    f"password: {SECRET}",
    f"{{'secret': '{SECRET}', it's: 1}}",
    f"{{secret: {SECRET}}}",
    f'{{it\'s, "secret": "{SECRET}", \'x\'}}',
    f'{{"token" : \n "{SECRET}"}}',
    '{"secret":"' + "\0".join(SECRET) + '"}',
    f"free text of {ADDRESS} here",
    f"whsec_{SECRET}",
    f'[[[{{"apiKey": "{SECRET}"}}]]]',
    f'{{"secret_token": "old {SECRET}"}}',
    f'{{"secret": 1, "password": "{SECRET}"}}',
    f'{{"result": {{"extensions": {{"https://x.example/password": "{SECRET}"}}}}}}',
])
def test_no_person_and_no_secret_is_left(text: str) -> None:
    shown = masked(text)
    for hidden in (SECRET, ADDRESS, ADDRESS[:9]):
        assert hidden not in shown, shown


def test_what_says_why_it_was_refused_stays() -> None:
    statement = {"actor": {"mbox": "mailto:a@b.example"},
                 "verb": {"id": "http://adlnet.gov/expapi/verbs/passed", "display": {"en": "passed"}},
                 "object": {"id": "https://c.example/1", "definition": {"name": {"en": "Fire safety"}}}, "result": {"score": {"raw": "12"}},
                 "timestamp": "2026-11-24T12:00:00Z"}
    assert json.loads(masked(json.dumps(statement))) == {**statement, "actor": {"mbox": "***"}}
    assert masked("A basic training of tokens, by bearer of news") == "A basic training of tokens, by bearer of news"


pieces = st.lists(st.sampled_from([
    "secret", "token", "authorization", "password: 1", "secret=5", "Basic Abc123=", "ada@b", "://u:p@h", "whsec_a", "0", "true",
    "{", "[1", '{"a":1',
    "\\", '"', "'", ":", ",", "}", " ", "=", "\n", "\u00a0", "é"]), max_size=5).map("".join)
names = st.sampled_from(["name", "secret", "mbox", "x", 'a"b', "token", "é"]) | pieces
values = st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text() | pieces,
                      lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4))


@given(values)
def test_json_stays_json(value: object) -> None:
    json.loads(masked(json.dumps(value)))
    json.loads(masked(json.dumps(value, ensure_ascii=False)))


@given(st.text(max_size=300))
def test_any_text_is_masked_without_a_fault(text: str) -> None:
    masked(text)
    assert "@" not in masked(f"x {text} ada@example.com").rpartition(" ")[2]


@given(values, st.integers(0, 400))
def test_a_secret_is_hidden_wherever_the_text_is_cut(value: object, cut: int) -> None:
    text = json.dumps({"before": value, "secret": SECRET, "mbox": f"mailto:{ADDRESS}"})
    start = text.index(SECRET)
    shown = masked(text[: start + 5 + cut])
    assert SECRET[:5] not in shown


def test_a_pointer_tells_whether_it_leads_to_a_person() -> None:
    assert personal("/actor/mbox")
    assert personal("/settings/secret_token")
    assert personal("/actor/account/name")
    assert not personal("/verb/id")
