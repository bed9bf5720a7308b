"""What makes two texts the same statement: one test a line of the definition in `lrs.statements.equality`."""
from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from lrs.statements.equality import same

UUID = "7c1e4f43-9b1a-4f0e-8f43-0123456789ab"
ACTIVITY = {"id": "http://x.example/a", "definition": {"name": {"en": "A"}}}
AGENT = {"mbox": "mailto:Ann@example.com"}
STATEMENT: dict[str, Any] = {
    "id": UUID,
    "stored": "2026-11-24T11:00:00.000001Z",
    "timestamp": "2026-11-24T10:00:00.120Z",
    "authority": AGENT,
    "version": "1.0.0",
    "actor": {"objectType": "Group", "member": [AGENT, {"openid": "http://o.example/1"}]},
    "verb": {"id": "http://x.example/did", "display": {"en": "did"}},
    "object": {
        "objectType": "SubStatement",
        "actor": AGENT,
        "verb": {"id": "http://x.example/v", "display": {"en": "v"}},
        "object": ACTIVITY,
        "context": {"contextActivities": {"parent": [ACTIVITY]}},
    },
    "result": {"duration": "PT1.239S", "score": {"scaled": 0.5}, "extensions": {"http://x.example/e": [1, "a", True]}},
    "context": {
        "registration": UUID,
        "instructor": AGENT,
        "team": {"objectType": "Group", "member": [AGENT]},
        "contextActivities": {"grouping": [ACTIVITY]},
        "statement": {"objectType": "StatementRef", "id": UUID},
    },
    "attachments": [{"usageType": "http://x.example/u"}],
}
GONE = object()


def patched(path: str, value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(STATEMENT)
    *way, last = path.split(".")
    place: Any = changed
    for step in way:
        place = place[int(step) if isinstance(place, list) else step]
    if value is GONE:
        del place[last]
    else:
        place[int(last) if isinstance(place, list) else last] = value
    return changed


def equal(one: Any, other: Any) -> bool:
    texts = [item if isinstance(item, bytes) else json.dumps(item).encode() for item in (one, other)]
    return same(*texts)


@pytest.mark.parametrize("name", ["id", "stored", "authority", "version", "attachments"])
def test_what_the_lrs_may_set_is_ignored(name: str) -> None:
    assert equal(STATEMENT, patched(name, GONE))


@pytest.mark.parametrize("path", ["verb.display", "object.verb.display"])
def test_the_display_of_a_verb_is_ignored(path: str) -> None:
    assert equal(STATEMENT, patched(path, {"de": "tat"}))
    assert equal(STATEMENT, patched(path, GONE))


@pytest.mark.parametrize(
    "path",
    [
        "object.object.definition",
        "object.context.contextActivities.parent.0.definition",
        "context.contextActivities.grouping.0.definition",
    ],
)
def test_the_definition_of_an_activity_is_ignored(path: str) -> None:
    assert equal(STATEMENT, patched(path, {"name": {"en": "another"}}))
    assert equal(STATEMENT, patched(path, GONE))


def test_the_definition_of_an_activity_that_is_the_object_is_ignored() -> None:
    assert equal(patched("object", ACTIVITY), patched("object", {"id": ACTIVITY["id"]}))


def test_the_order_of_properties_is_ignored() -> None:
    assert equal(STATEMENT, dict(reversed(STATEMENT.items())))
    assert equal(patched("actor", dict(reversed(STATEMENT["actor"].items()))), STATEMENT)


def test_the_order_of_agents_in_a_group_is_ignored_and_their_number_is_not() -> None:
    members = STATEMENT["actor"]["member"]
    assert equal(STATEMENT, patched("actor.member", members[::-1]))
    assert not equal(STATEMENT, patched("actor.member", [*members, members[0]]))


def test_the_order_of_other_arrays_counts() -> None:
    assert not equal(STATEMENT, patched("result.extensions", {"http://x.example/e": ["a", 1, True]}))


@pytest.mark.parametrize(
    "timestamp", ["2026-11-24T10:00:00.12Z", "2026-11-24T12:30:00.12+02:30", "2026-11-24T10:00:00.1200000000", "20261124T100000.12Z"]
)
def test_timestamps_are_instants(timestamp: str) -> None:
    assert equal(STATEMENT, patched("timestamp", timestamp))


def test_another_instant_is_another_statement_to_the_last_digit() -> None:
    assert not equal(STATEMENT, patched("timestamp", "2026-11-24T10:00:00.120000000001Z"))


def test_an_absent_timestamp_equals_the_one_that_we_put_there() -> None:
    assert equal(patched("timestamp", STATEMENT["stored"]), patched("timestamp", GONE))


def test_an_absent_timestamp_differs_from_one_that_was_sent() -> None:
    assert not equal(STATEMENT, patched("timestamp", GONE))


@pytest.mark.parametrize(("duration", "is_same"), [("PT1.23S", True), ("PT1.231S", True), ("PT1.24S", False), ("PT01.23S", False)])
def test_durations_are_text_with_fractions_cut_to_two_digits(duration: str, is_same: bool) -> None:
    assert equal(STATEMENT, patched("result.duration", duration)) is is_same


@pytest.mark.parametrize(
    "path", ["actor.member.0", "object.actor", "context.instructor", "context.team.member.0"]
)
def test_the_domain_of_a_mail_address_has_no_case_and_its_local_part_has(path: str) -> None:
    assert equal(STATEMENT, patched(path, {"mbox": "mailto:Ann@EXAMPLE.com"}))
    assert not equal(STATEMENT, patched(path, {"mbox": "mailto:ann@example.com"}))


@pytest.mark.parametrize("path", ["context.registration", "context.statement.id"])
def test_uuids_have_no_case(path: str) -> None:
    assert equal(STATEMENT, patched(path, UUID.upper()))


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("1", "1.0", True),
        ("100", "1e2", True),
        ("0.10", "1E-1", True),
        ("0", "-0.0", True),
        ("12345678901234567890", "12345678901234567891", False),
        ("0.1", "0.1000000000000000000001", False),
        ("1", "-1", False),
        ("1", "true", False),
        ("0", "false", False),
        ("1", '"1"', False),
        ("1e400", "1e401", False),
    ],
)
def test_numbers_are_equal_by_exact_decimal_value(one: str, other: str, is_same: bool) -> None:
    text = json.dumps(STATEMENT).replace("0.5", "%s")
    assert same((text % one).encode(), (text % other).encode()) is is_same


def test_a_single_context_activity_equals_the_array_that_we_made_of_it() -> None:
    assert equal(STATEMENT, patched("context.contextActivities.grouping", ACTIVITY))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("verb.id", "http://x.example/other"),
        ("object.object.id", "http://x.example/other"),
        ("result.score.scaled", 0.51),
        ("result", GONE),
        ("context.registration", "00000000-0000-4000-8000-000000000000"),
        ("context.contextActivities.grouping.0.id", "http://x.example/other"),
    ],
)
def test_what_it_says_counts(path: str, value: Any) -> None:
    assert not equal(STATEMENT, patched(path, value))
