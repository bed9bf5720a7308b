"""The index terms say of a statement exactly what the filters of the standard ask."""
from __future__ import annotations

import itertools
import json
import random
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from filters_model import matches
from generator import statements

from lrs.statements.actors import identifier
from lrs.statements.terms import PAIRS, Terms, terms_of

AUTHORITY = {"objectType": "Agent", "account": {"homePage": "http://lrs.example", "name": "key"}}
TERMS = Terms(b"k" * 16)
ANN, BOB = {"mbox": "mailto:ann@example.com"}, {"openid": "http://o.example/bob"}
UUID = "7c1e4f43-9b1a-4f0e-8f43-0123456789ab"
AGENTS: list[dict[str, Any]] = [
    ANN, BOB, AUTHORITY, {"mbox": "mailto:Ann.O+x@example.com"}, {"mbox_sha1sum": "ab" * 20}, {"openid": "urn:articulate:storyline:5v"},
]


def found_by(statement: dict[str, Any], filters: dict[str, Any]) -> bool:
    facts = {}
    for name, broad in (("agent", "related_agents"), ("activity", "related_activities")):
        if name in filters:
            kind = f"related_{name}" if filters.get(broad) else name
            facts[kind] = identifier(filters[name]) or "" if name == "agent" else filters[name]
    facts |= {name: filters[name] for name in ("verb", "registration") if name in filters}
    terms = TERMS.of_statement(statement, authority=AUTHORITY, credential_id="key")
    return set(TERMS.of_filters(facts)) <= set(terms)


def test_every_set_of_filters_finds_what_the_model_finds() -> None:
    chance = random.Random(4)
    drawn = [json.loads(text) for text in statements(11, 250)]
    hits = 0
    for statement in drawn:
        seen = {**statement, "authority": AUTHORITY}
        about = {
            "agent": [*AGENTS, statement["actor"]],
            "verb": ["http://example.com/a", statement["verb"]["id"]],
            "activity": ["http://example.com/a", "app:x"],
            "registration": [UUID, statement.get("context", {}).get("registration", UUID).lower()],
        }
        about["agent"] = [agent for agent in about["agent"] if identifier(agent)]
        for size in range(5):
            for names in itertools.combinations(about, size):
                filters = {name: chance.choice(about[name]) for name in names}
                filters |= {"related_agents": chance.random() < 0.5, "related_activities": chance.random() < 0.5}
                assert found_by(statement, filters) is matches(seen, filters), (statement, filters)
                hits += bool(names) and matches(seen, filters)
    assert hits > 300  # the comparison has met both answers often


@pytest.mark.parametrize(
    ("kinds", "count"),
    [
        (("agent",), 1),
        (("agent", "verb"), 1),
        (("agent", "verb", "activity"), 2),
        (("agent", "verb", "activity", "registration"), 2),
        (("related_agent", "verb"), 2),
        (("activity", "registration"), 2),
        (("credential", "verb", "agent"), 2),
        ((), 0),
    ],
)
def test_pairs_shorten_the_set_of_terms(kinds: tuple[str, ...], count: int) -> None:
    assert len(TERMS.of_filters(dict.fromkeys(kinds, "x"))) == count


def test_a_member_of_a_group_is_found_as_the_group_itself_is() -> None:
    group = {"objectType": "Group", "member": [ANN], **BOB}
    statement = {"actor": group, "verb": {"id": "u:v"}, "object": {"id": "u:o"}}
    assert all(found_by(statement, {"agent": agent, "verb": "u:v"}) for agent in (ANN, BOB))


def test_terms_are_linear_in_the_members_of_a_group() -> None:
    def size(members: int) -> int:
        group = {"objectType": "Group", "member": [{"mbox": f"mailto:{i}@x.y"} for i in range(members)]}
        whole = {"actor": group, "verb": {"id": "u:v"}, "object": {"id": "u:o"}, "context": {"registration": UUID}}
        return len(TERMS.of_statement(whole, authority=AUTHORITY, credential_id="key"))

    assert size(200) - size(100) == 100 * (2 + sum(first == "agent" for first, _ in PAIRS))


def test_terms_are_signed_64_bit_and_differ_with_the_key() -> None:
    one, other = Terms(b"a" * 16).term("verb", "u:v"), Terms(b"b" * 16).term("verb", "u:v")
    assert one != other
    assert -(2**63) <= one < 2**63


def test_a_pair_keeps_its_values_apart() -> None:
    assert TERMS.term("a+b", "ab", "c") != TERMS.term("a+b", "a", "bc")


def test_one_key_has_one_memo() -> None:
    assert terms_of(b"k" * 16) is terms_of(b"k" * 16)
