"""A statement is held to every rule of the table, and what is valid is accepted."""
from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from generator import statements, valid_statements
from mutations import ACTIVITY, AGENT, MUTATIONS, SUB, UUID, VERB, patched

from lrs.errors import Invalid
from lrs.statements.limits import Limits
from lrs.statements.parse import Received, parse
from lrs.statements.rules import HINTS, RULES, markdown
from lrs.statements.validate import batch_findings, findings

SYNTAX = {key for key in RULES if key.split(".")[0] in ("json", "body", "batch", "limit")}  # test_parse.py breaks these
OF_2 = {key for key in RULES if RULES[key].section.startswith("2.0 ")}  # test_validate_2.py breaks these


def bare(**parts: Any) -> dict[str, Any]:
    return {"actor": AGENT, "verb": VERB, "object": ACTIVITY, **parts}


def scored(numbers: str) -> list[str]:
    raw = b'{"actor":{"mbox":"mailto:a@b.c"},"verb":{"id":"http://x/v"},"object":{"id":"http://x/o"},"result":{"score":'
    (one,) = parse(raw + numbers.encode() + b"}}", Limits())
    return [f.rule for f in findings(one.value, raw=one.raw)]


@pytest.mark.parametrize(("rule", "pointer", "place", "value"), MUTATIONS)
def test_one_fault_gives_one_finding_with_its_pointer_and_rule(rule: str, pointer: str, place: str, value: Any) -> None:
    expected = pointer
    if rule == "object_type" and pointer.endswith("grouping"):
        expected += "/objectType"
    broken = findings(patched(place, value))
    assert (expected, rule) in [(f.where, f.rule) for f in broken]
    assert len(broken) <= 3  # what follows from the fault, not a flood
    found = next(f for f in broken if f.rule == rule)
    assert found.section == RULES[rule].section
    assert found.why
    assert len(found.found) <= 100


def test_there_are_at_least_150_mutations_and_every_rule_has_one() -> None:
    assert len(MUTATIONS) >= 150
    assert {row[0] for row in MUTATIONS} == set(RULES) - SYNTAX - OF_2


def test_the_document_of_the_rules_is_what_the_table_prints() -> None:
    document = Path(__file__).parents[2] / "docs" / "validation.md"
    assert document.read_text(encoding="utf-8") == markdown()


def test_every_hint_is_said_for_some_mutation() -> None:
    said = [(f.rule, f.where) for row in MUTATIONS for f in findings(patched(row[2], row[3]))]
    assert [h for h in HINTS if not any(rule == h[0] and h[1].fullmatch(where) for rule, where in said)] == []


def test_the_statement_that_is_mutated_is_valid() -> None:
    assert findings(patched("/id", UUID)) == []


@pytest.mark.parametrize(("place", "value", "sentence"), [
    ("/object/id", UUID, f'IRI without a scheme: "{UUID}". Send `urn:uuid:{UUID}` or a URL'),
    ("/object/objectType", "GroupActivity",
     '"GroupActivity" is no object type of xAPI here. Leave it out or send "Activity"'),
    ("/result/score", {"min": 0, "max": 0}, "min must be below max; both are 0. Leave both out where there are no points"),
    ("/result/score", {"raw": 18, "min": 24, "max": 60},
     "raw 18 is below min 24. min is the lowest possible score, not the pass mark"),
    ("/object/definition/interactionType", "compound",
     '"compound" is none of the ten interaction types. Leave interactionType out'),
    ("/context/instructor", [AGENT], "must be one Agent or Group. Several: one Group with members"),
    ("/object/extensions", {}, "no such property here. It belongs into definition.extensions"),
    ("/timestmp", "x", 'no such property. Did you mean "timestamp"?'),
    ("/object/definition/name", "Quiz", 'must be a language map, e.g. {"en": "…"}'),
    ("/context/instructor/mbox", "mailto:undefined",
     "not a mailto IRI with an address. Send an account (homePage, name) for a learner without e-mail"),
])
def test_the_sentence_says_what_to_send_instead(place: str, value: Any, sentence: str) -> None:
    assert sentence in [f.why for f in findings(patched(place, value))]


@pytest.mark.parametrize("statement", [
    bare(context={"contextActivities": {}}, result={}),
    bare(object={**ACTIVITY, "definition": {}}),
    bare(object={**ACTIVITY, "definition": {"name": {}, "description": {"en": ""}, "extensions": {}}}),
    bare(object={**ACTIVITY, "definition": {"extensions": {"urn:x": None, "urn:y": "", "urn:z": [], "urn:w": {}}}}),
    bare(object={**ACTIVITY, "definition": {"interactionType": "choice"}}),
    bare(context={"contextActivities": {"parent": ACTIVITY}}),
    bare(verb={"id": "urn:x"}),
    bare(actor={**AGENT, "name": ""}),
    bare(object={**SUB, "timestamp": "2999-01-01T00:00:00Z"}),
    bare(result={"duration": "PT0.123456789S", "response": ""}),
    bare(timestamp="2026-11-24T11:00:00.123456789"),
    bare(context={"language": "en-us"}),
])
def test_what_the_standard_allows_is_accepted(statement: dict[str, Any]) -> None:
    assert findings(statement) == []


@settings(max_examples=150, deadline=None)
@given(valid_statements())
def test_a_generated_valid_statement_is_accepted_and_kept_to_the_byte(text: str) -> None:
    (one,) = parse(b" " + text.encode() + b"\n", Limits())
    assert findings(one.value, raw=one.raw) == []
    assert one.raw == text.encode()


def test_the_plain_generator_gives_the_same_valid_statements_again() -> None:
    drawn = statements(7, 300)
    assert drawn == statements(7, 300)
    batch = parse(("[" + ",".join(drawn) + "]").encode(), Limits())
    assert [r.raw.decode() for r in batch] == drawn
    assert batch_findings(batch) == ([], 0)


@pytest.mark.parametrize(("numbers", "rules"), [
    ('{"min": 12345678901234567890123, "max": 12345678901234567890124}', []),
    ('{"min": 12345678901234567890124, "max": 12345678901234567890123}', ["score.bounds"]),
    ('{"raw": 100.00000000000000000001, "max": 100}', ["score.raw_above_max"]),
    ('{"raw": 100.0, "max": 1e2, "min": 0.10}', []),
    ('{"scaled": 1.00000000000000000001}', ["score.scaled"]),
    ('{"scaled": 1.000}', []),
    ('{"min": 0, "max": 1e-400}', []),
    ('{"min": 0, "max": 1e-99999999999999999999999}', ["score.bounds"]),  # both 0 as near as anyone can tell
    ('{"raw": 9007199254740993, "max": 9007199254740993.5}', []),
])
def test_scores_are_compared_digit_by_digit(numbers: str, rules: list[str]) -> None:
    assert scored(numbers) == rules


def test_24_bad_statements_of_a_batch_are_all_listed() -> None:
    rows = [row for row in MUTATIONS if row[2] != "/id"]
    values = [patched(place, value) for _, _, place, value in rows[:: len(rows) // 24][:24]]
    for value in values:
        value.pop("id", None)
    listed, bad = batch_findings([Received(orjson.dumps(value), value) for value in [bare(), *values]])
    assert {f.index for f in listed} == set(range(1, 25))
    assert bad == 24


def test_exactly_24_bad_statements_give_24_entries() -> None:
    value = bare(result={"score": {"min": 0, "max": 0}})
    listed, bad = batch_findings([Received(orjson.dumps(value), value)] * 24)
    assert [(f.index, f.where) for f in listed] == [(i, "/result/score") for i in range(24)]
    assert bad == 24


def test_a_hundred_bad_statements_are_listed_and_all_are_counted() -> None:
    listed, bad = batch_findings([Received(b"{}", {})] * 150)
    assert {f.index for f in listed} == set(range(100))
    assert bad == 150


def test_an_id_that_stands_twice_in_a_batch_is_refused_naming_both_places() -> None:
    twice = [bare(id=UUID), bare(), bare(id=UUID.upper())]
    listed, bad = batch_findings([Received(orjson.dumps(v), v) for v in twice])
    assert [(f.index, f.where, f.rule) for f in listed] == [(2, "/id", "batch.id_twice")]
    assert "index 0 and at index 2" in listed[0].why
    assert bad == 1


def test_pointers_escape_slashes_and_tildes() -> None:
    broken = findings(bare(context={"extensions": {"a/b~c": 1}}))
    assert [f.where for f in broken] == ["/context/extensions/a~1b~0c"]


def test_a_flood_of_faults_is_answered_with_a_thousand() -> None:
    assert len(findings(bare(**{f"k{i}": 1 for i in range(5_000)}))) == 1_000
    (long,) = findings(bare(**{"k" * 10_000: 1}))
    assert len(long.where) < 300


def test_the_rules_of_a_version_that_we_do_not_have_are_not_guessed() -> None:
    with pytest.raises(ValueError, match="no rules for version"):
        findings({}, "7.1.0")


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8), lambda inner: st.one_of(
    st.lists(inner, max_size=3),
    st.dictionaries(st.sampled_from(["actor", "objectType", "member", "account", "id", "score", "min", "x"]) | st.text(
        max_size=4), inner, max_size=4)), max_leaves=12)
PLACES = sorted({row[2] for row in MUTATIONS})


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(PLACES), JSON)
def test_arbitrary_json_in_any_place_gives_findings_and_never_another_exception(place: str, value: Any) -> None:
    statement = patched(place, value)
    assert isinstance(findings(statement), list)
    try:
        for one in parse(orjson.dumps(statement), Limits()):
            findings(one.value, raw=one.raw)
    except (Invalid, TypeError):  # TypeError: orjson prints no integers beyond 64 bits
        pass
