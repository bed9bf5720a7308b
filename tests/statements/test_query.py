"""The URL parameters of GET /statements, and what is refused with its name."""
from __future__ import annotations

import json
from typing import Any

import pytest

from lrs.errors import Invalid
from lrs.statements.query import Asked, read
from lrs.statements.terms import Terms

TERMS = Terms(b"k" * 16)
UUID = "7c1e4f43-9b1a-4f0e-8f43-0123456789ab"
ANN = json.dumps({"mbox": "mailto:ann@Example.com"})


def asked(*pairs: tuple[str, str], mine: str | None = None) -> Asked:
    return read(pairs, TERMS, page_default=100, page_max=500, mine=mine)


def test_nothing_asked_is_the_newest_page() -> None:
    query = asked().query
    assert (query.terms, query.limit, query.ascending, query.after, query.credential_id) == ((), 100, False, None, None)


@pytest.mark.parametrize(("name", "value", "single"), [("statementId", UUID.upper(), False), ("voidedStatementId", UUID, True)])
def test_one_statement_by_id(name: str, value: str, single: bool) -> None:
    found = asked((name, value), ("format", "ids"), ("attachments", "true"))
    assert (found.statement_id, found.voided, found.format, found.attachments) == (UUID, single, "ids", True)


@pytest.mark.parametrize(
    ("pairs", "facts"),
    [
        ([("agent", ANN)], {"agent": "mbox mailto:ann@example.com"}),
        ([("agent", ANN), ("related_agents", "true")], {"related_agent": "mbox mailto:ann@example.com"}),
        ([("agent", ANN), ("related_agents", "false"), ("verb", "u:v")], {"agent": "mbox mailto:ann@example.com", "verb": "u:v"}),
        ([("activity", "u:a"), ("related_activities", "true")], {"related_activity": "u:a"}),
        ([("activity", "u:a"), ("registration", UUID.upper())], {"activity": "u:a", "registration": UUID}),
    ],
)
def test_filters_become_terms(pairs: list[tuple[str, str]], facts: dict[str, str]) -> None:
    assert asked(*pairs).query.terms == TERMS.of_filters(facts)


def test_mine_is_a_term_and_a_check_of_the_record() -> None:
    query = asked(mine="key").query
    assert query.credential_id == "key"
    assert query.terms == (TERMS.term("credential", "key"),)


def test_times_are_microseconds_and_rounded_down() -> None:
    query = asked(("since", "1970-01-01T00:00:01.0000019Z"), ("until", "1970-01-01T01:00:02+01:00")).query
    assert (query.since, query.until) == (1_000_001, 2_000_000)


@pytest.mark.parametrize(("limit", "rows"), [("0", 500), ("7", 7), ("500", 500), ("501", 500), ("9" * 19, 500)])
def test_limit_0_and_beyond_the_maximum_are_the_maximum(limit: str, rows: int) -> None:
    assert asked(("limit", limit)).query.limit == rows


BAD: list[tuple[list[tuple[str, str]], str, str]] = [
    ([("statementid", UUID)], "?statementid", "query.unknown"),
    ([("verb", "u:v"), ("verb", "u:w")], "?verb", "query.twice"),
    ([("statementId", "x")], "?statementId", "query.statementId"),
    ([("voidedStatementId", "")], "?voidedStatementId", "query.voidedStatementId"),
    ([("statementId", UUID), ("voidedStatementId", UUID)], "?statementId", "query.single"),
    ([("statementId", UUID), ("limit", "1")], "?limit", "query.single"),
    ([("verb", "completed")], "?verb", "query.verb"),
    ([("activity", "")], "?activity", "query.activity"),
    ([("registration", "1")], "?registration", "query.registration"),
    ([("related_agents", "yes")], "?related_agents", "query.related_agents"),
    ([("related_activities", "True")], "?related_activities", "query.related_activities"),
    ([("ascending", "1")], "?ascending", "query.ascending"),
    ([("attachments", "")], "?attachments", "query.attachments"),
    ([("since", "yesterday")], "?since", "query.since"),
    ([("until", "2026-13-01T00:00:00Z")], "?until", "query.until"),
    ([("limit", "-1")], "?limit", "query.limit"),
    ([("limit", "1.5")], "?limit", "query.limit"),
    ([("format", "short")], "?format", "query.format"),
    ([("cursor", str(2**63))], "?cursor", "query.cursor"),
    ([("agent", "ann")], "?agent", "query.agent"),
    ([("agent", "[" * 100_000)], "?agent", "query.agent"),
    ([("agent", "{}")], "?agent", "query.agent"),
    ([("agent", '{"mbox":"ann@example.com"}')], "?agent", "query.agent"),
    ([("agent", '{"mbox":"mailto:a@b.c","openid":"http://o.example"}')], "?agent", "query.agent"),
    ([("agent", '{"account":{"name":"a"}}')], "?agent", "query.agent"),
    ([("agent", '{"objectType":"Activity","mbox":"mailto:a@b.c"}')], "?agent", "query.agent"),
]


@pytest.mark.parametrize(("pairs", "where", "rule"), BAD)
def test_what_is_refused_names_the_parameter_and_the_rule(pairs: list[tuple[str, str]], where: str, rule: str) -> None:
    with pytest.raises(Invalid) as refused:
        asked(*pairs)
    assert (where, rule) in [(finding.where, finding.rule) for finding in refused.value.findings]
    assert all(len(finding.found) <= 100 for finding in refused.value.findings)


def test_every_bad_parameter_is_named_at_once() -> None:
    with pytest.raises(Invalid) as refused:
        asked(("limit", "x"), ("verb", "x"), ("nonsense", "x"))
    assert [finding.where for finding in refused.value.findings] == ["?limit", "?verb", "?nonsense"]


def test_a_group_is_asked_for_by_its_identifier() -> None:
    group: dict[str, Any] = {"objectType": "Group", "account": {"homePage": "http://h.example", "name": "g"}, "member": []}
    assert asked(("agent", json.dumps(group))).query.terms == (TERMS.term("agent", "account http://h.example g"),)
