"""What xAPI 2.0 changes in the rules for a statement, in its index terms and in its envelope."""
from __future__ import annotations

import json
from typing import Any

import pytest

from lrs.statements import envelope
from lrs.statements.members import members
from lrs.statements.rules import RULES
from lrs.statements.terms import Terms
from lrs.statements.validate import findings

AGENT = {"mbox": "mailto:guide@example.com"}
GROUP = {"objectType": "Group", "member": [{"mbox": "mailto:member@example.com"}]}
TYPE = "http://x.example/observer"


def said(**context: Any) -> dict[str, Any]:
    return {"actor": {"mbox": "mailto:ann@example.com"}, "verb": {"id": "http://x.example/did"},
            "object": {"id": "http://x.example/a"}, "context": context}


def agents(*entries: Any) -> dict[str, Any]:
    return said(contextAgents=list(entries))


def groups(*entries: Any) -> dict[str, Any]:
    return said(contextGroups=list(entries))


GOOD = (
    agents({"objectType": "contextAgent", "agent": AGENT}, {"objectType": "contextAgent", "agent": AGENT, "relevantTypes": [TYPE]}),
    groups({"objectType": "contextGroup", "group": GROUP, "relevantTypes": [TYPE]}),
    groups({"objectType": "contextGroup", "group": {**AGENT, "objectType": "Group"}}),
    agents(),
)
BAD = (
    ("context.around", "/context/contextAgents/0", agents({"agent": AGENT})),
    ("context.around", "/context/contextAgents/0", agents({"objectType": "contextAgent"})),
    ("context.around", "/context/contextGroups/1", groups({"objectType": "contextGroup", "group": GROUP}, {"objectType": "contextGroup"})),
    ("object_type", "/context/contextAgents/0/objectType", agents({"objectType": "contextGroup", "agent": AGENT})),
    ("context.relevant_types", "/context/contextAgents/0/relevantTypes",
     agents({"objectType": "contextAgent", "agent": AGENT, "relevantTypes": []})),
    ("iri.scheme", "/context/contextAgents/0/relevantTypes/0",
     agents({"objectType": "contextAgent", "agent": AGENT, "relevantTypes": ["observer"]})),
    ("property.unknown", "/context/contextAgents/0/group", agents({"objectType": "contextAgent", "agent": AGENT, "group": GROUP})),
    ("context.group", "/context/contextGroups/0/group", groups({"objectType": "contextGroup", "group": AGENT})),
    ("actor.no_identifier", "/context/contextAgents/0/agent", agents({"objectType": "contextAgent", "agent": {}})),
    ("type", "/context/contextAgents", said(contextAgents={})),
    ("statement.version", "/version", {**said(), "version": "3.0.0"}),
)


@pytest.mark.parametrize("statement", GOOD)
def test_agents_and_groups_around_a_statement_are_valid_in_2_and_unknown_in_1(statement: dict[str, Any]) -> None:
    assert findings(statement, "2.0.0") == []
    assert [f.rule for f in findings(statement, "1.0.3")] == ["property.unknown"]


@pytest.mark.parametrize("wrap", [False, True], ids=["statement", "substatement"])
@pytest.mark.parametrize(("rule", "pointer", "statement"), BAD)
def test_one_fault_gives_its_finding(rule: str, pointer: str, statement: dict[str, Any], wrap: bool) -> None:
    if wrap:
        if "version" in statement:
            return
        statement, pointer = {**said(), "object": {**statement, "objectType": "SubStatement"}}, f"/object{pointer}"
    assert (rule, pointer) in [(f.rule, f.where) for f in findings(statement, "2.0.0")]


def test_every_rule_of_2_is_broken_above() -> None:
    assert {key for key in RULES if RULES[key].section.startswith("2.0 ")} <= {rule for rule, _, _ in BAD}


@pytest.mark.parametrize(("line", "version", "good"), [
    ("2.0.0", "2.0.0", True), ("2.0.0", "2.0.7", True), ("2.0.0", "1.0.3", True), ("2.0.0", "2.1.0", False),
    ("1.0.3", "1.0.9", True), ("1.0.3", "2.0.0", False),
])
def test_a_statement_names_a_version_of_its_request_s_line_or_an_older_one(line: str, version: str, good: bool) -> None:
    assert (findings({**said(), "version": version}, line) == []) is good


@pytest.mark.parametrize(("request_version", "given"), [("1.0.3", "1.0.0"), ("2.0.0", "2.0.0")])
def test_a_statement_without_a_version_gets_that_of_its_request(request_version: str, given: str) -> None:
    value = said()
    pieces = envelope.parts(members(json.dumps(value).encode()), value, "i", {}, request_version)
    assert json.loads(envelope.text(pieces, "t"))["version"] == given


def test_those_around_a_statement_are_found_as_related_agents() -> None:
    terms = Terms(b"k" * 16)
    statement = said(contextAgents=[{"objectType": "contextAgent", "agent": AGENT}],
                     contextGroups=[{"objectType": "contextGroup", "group": GROUP}])
    found = terms.of_statement(statement, authority={"mbox": "mailto:a@b.c"}, credential_id="c")
    for name in ("mailto:guide@example.com", "mailto:member@example.com"):
        assert set(terms.of_filters({"related_agent": f"mbox {name}"})) <= set(found)
        assert not set(terms.of_filters({"agent": f"mbox {name}"})) <= set(found)
