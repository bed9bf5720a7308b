"""What statements say of activities counts by the scope of who stored them; voided ones teach nothing."""
from __future__ import annotations

import json
from pathlib import Path

import pytest

from lrs.auth import credentials
from lrs.auth.defining import learned, said
from lrs.statements.record import Record
from lrs.store.open_store import open_store

ACTIVITY, OTHER = "https://x.example/a", "https://x.example/b"


@pytest.fixture
def store(tmp_path: Path) -> object:
    opened = open_store(tmp_path)
    yield opened
    opened.close()


def record(seq: int, credential: str, name: str, *, activity: str = ACTIVITY, voided: bool = False) -> Record:
    text = json.dumps({"actor": {"mbox": "mailto:a@x.example"}, "verb": {"id": "https://x.example/v"},
                       "object": {"id": activity, "definition": {"name": {"en": name}}}}, separators=(",", ":")).encode()
    return Record(str(seq), seq, text, b"{}", credential, "x", None, None, voided, False)


def key(store: object, scope: str) -> str:
    return credentials.create(store.credentials, name=scope, public_url="https://x.example", scopes=(scope,)).credential.key


def name(known: object) -> str:
    return json.loads(known.definition).get("name", {}).get("en", "")


def test_what_was_said_is_each_activity_with_its_definition_and_nothing_of_a_voided_statement() -> None:
    told = list(said([record(1, "k", "one"), record(2, "k", "two", voided=True), record(3, "l", "three", activity=OTHER)]))
    assert [(who, [(activity, json.loads(text)["name"]["en"]) for activity, text in definitions]) for who, definitions in told] == [
        ("k", [(ACTIVITY, "one")]), ("l", [(OTHER, "three")])]


def test_who_may_define_has_the_last_word_over_who_may_not(store: object) -> None:
    may, may_not = key(store, "define"), key(store, "statements/write")
    told = said([record(1, may, "of the owner"), record(2, may_not, "of another"), record(3, "gone", "of nobody")])
    assert name(learned(store.credentials, {}, told)[ACTIVITY]) == "of the owner"


def test_only_what_changed_of_what_was_asked_for_is_given(store: object) -> None:
    may = key(store, "define")
    known = learned(store.credentials, {}, said([record(1, may, "one"), record(2, may, "two", activity=OTHER)]))
    assert set(known) == {ACTIVITY, OTHER}
    assert learned(store.credentials, known, said([record(3, may, "one")])) == {}
    again = said([record(4, may, "new"), record(5, may, "new too", activity=OTHER)])
    assert set(learned(store.credentials, known, again, only=(OTHER,))) == {OTHER}
