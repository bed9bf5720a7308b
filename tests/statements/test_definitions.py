"""Definitions put together byte by byte say what a merge of the parsed values says."""
from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lrs.statements.definitions import ADD_UP, INTERACTION, LARGEST, Known, definitions_in, put

TAGS = st.sampled_from(["en", "de", "fr"])
PARTS = {**{name: st.dictionaries(TAGS, st.text(max_size=4), max_size=3) for name in ADD_UP},
         "type": st.sampled_from(["http://x.example/1", "http://x.example/2"]), "interactionType": st.sampled_from(["choice", "likert"]),
         "choices": st.lists(st.sampled_from(["a", "b"]), max_size=2), "correctResponsesPattern": st.just(["a"])}
DEFINITIONS = st.lists(st.fixed_dictionaries({}, optional=PARTS), max_size=8)


def model(definitions: list[dict[str, Any]]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for one in definitions:
        if "interactionType" in one:
            merged = {name: value for name, value in merged.items() if name not in INTERACTION}
        for name, value in one.items():
            merged[name] = {**merged.get(name, {}), **value} if name in ADD_UP else value
    return merged


def folded(definitions: list[dict[str, Any]], start: bytes = b"{}") -> bytes:
    for one in definitions:
        start = put(start, json.dumps(one).encode())
    return start


@given(DEFINITIONS)
def test_bytes_merge_as_values_do(definitions: list[dict[str, Any]]) -> None:
    assert json.loads(folded(definitions)) == model(definitions)


@given(DEFINITIONS, DEFINITIONS)
def test_what_was_put_together_before_is_put_on_as_if_one_by_one(first: list[dict[str, Any]], second: list[dict[str, Any]]) -> None:
    assert json.loads(put(folded(first), folded(second))) == model([*first, *second])


def test_a_definition_does_not_grow_for_ever() -> None:
    known = Known()
    for n in range(400):
        known = known.learned(json.dumps({"extensions": {f"http://x.example/{n}": "x" * 1000}}).encode(), may_define=False)
    assert LARGEST - 2000 < len(known.others) <= LARGEST


def test_a_definition_is_found_wherever_the_standard_puts_an_activity() -> None:
    def one(n: int) -> dict[str, Any]:
        return {"id": f"http://x.example/{n}", "definition": {"type": f"http://t.example/{n}"}}

    inner = {"objectType": "SubStatement", "actor": {"mbox": "mailto:a@x.example"}, "verb": {"id": "http://x.example/v"}, "object": one(1),
             "context": {"contextActivities": {"parent": one(2), "grouping": [one(3), {"id": "http://x.example/bare"}]}}}
    other = {"id": "http://x.example/definition"}
    statement = {"actor": inner["actor"], "verb": inner["verb"], "object": inner,
                 "context": {"extensions": {other["id"]: one(9)}, "contextActivities": {"category": [one(4)], "other": []}}}
    found = dict(definitions_in(json.dumps(statement).encode()))
    assert sorted(found) == [f"http://x.example/{n}" for n in (1, 2, 3, 4)]
    agent = {**statement, "object": {"objectType": "Agent", "mbox": "mailto:a@x.example"}, "context": {}}
    assert list(definitions_in(json.dumps(agent).encode())) == []
