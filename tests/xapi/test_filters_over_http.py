"""Every filter of GET /xapi/statements against a brute-force model, page by page."""
from __future__ import annotations

import json
import random
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

sys.path.insert(0, str(Path(__file__).parents[1] / "statements"))
from filters_model import matches

PATH = "/xapi/statements"
AGENTS = [{"mbox": f"mailto:{name}@example.com"} for name in ("ann", "bob", "cem")]
VERBS = ["http://x.example/v1", "http://x.example/v2"]
ACTIVITIES = ["http://x.example/a1", "http://x.example/a2"]
REGISTRATIONS = [str(uuid.UUID(int=n)) for n in (1, 2)]


def drawn(chance: random.Random, known: list[str]) -> dict[str, Any]:
    pick = chance.choice
    targets: list[dict[str, Any]] = [{"id": pick(ACTIVITIES)}, {"objectType": "Agent", **pick(AGENTS)}]
    targets.append({"objectType": "SubStatement", "actor": pick(AGENTS), "verb": {"id": pick(VERBS)}, "object": {"id": pick(ACTIVITIES)}})
    targets += [{"objectType": "StatementRef", "id": pick(known)}] * 2
    context: dict[str, Any] = {}
    if chance.random() < 0.5:
        context["registration"] = pick(REGISTRATIONS)
    if chance.random() < 0.3:
        context["instructor"] = pick(AGENTS)
    if chance.random() < 0.3:
        context["contextActivities"] = {"parent": {"id": pick(ACTIVITIES)}}
    actor = pick([*AGENTS, {"objectType": "Group", "member": [pick(AGENTS)]}])
    return {"id": str(uuid.UUID(int=chance.getrandbits(128), version=4)), "actor": actor, "verb": {"id": pick(VERBS)},
            "object": pick(targets), "context": context}


def expected(stored: dict[str, dict[str, Any]], filters: dict[str, Any]) -> list[str]:
    """Ids of the statements that match themselves, or by one statement of their chain of references; oldest first."""

    def holds(name: str) -> bool:
        seen: set[str] = set()
        while name in stored and name not in seen:
            seen.add(name)
            if matches(stored[name], filters):
                return True
            target = stored[name]["object"]
            name = target["id"] if target.get("objectType") == "StatementRef" else ""
        return False

    return [name for name in stored if holds(name)]


def pages(client: FlaskClient, query: dict[str, str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    answer = client.get(PATH, query_string=query)
    for _ in range(500):
        assert answer.status_code == 200, answer.text
        assert len(answer.json["statements"]) <= int(query["limit"])
        found += answer.json["statements"]
        if not answer.json["more"]:
            return found
        assert answer.json["more"].startswith(PATH + "?")
        answer = client.get(answer.json["more"])
    raise AssertionError("pages without end")


def test_every_set_of_filters_gives_what_the_model_gives_in_both_directions(client: FlaskClient) -> None:
    chance = random.Random(7)
    known = [str(uuid.UUID(int=chance.getrandbits(128), version=4)) for _ in range(2)]
    sent = []
    for _ in range(120):
        sent.append(drawn(chance, known))
        known.append(sent[-1]["id"])
    order = sent[60:] + sent[:60]  # half of the references arrive before their targets
    assert client.post(PATH, json=order).status_code == 200
    everything = pages(client, {"ascending": "true", "limit": "500"})
    stored = {item["id"]: item for item in everything}
    assert list(stored) == [item["id"] for item in order]
    about = {"agent": AGENTS, "verb": VERBS, "activity": ACTIVITIES, "registration": REGISTRATIONS}
    met = 0
    for _ in range(80):
        names = chance.sample(sorted(about), chance.randrange(5))
        filters: dict[str, Any] = {name: chance.choice(about[name]) for name in names}
        filters |= {name: True for name in ("related_agents", "related_activities") if chance.random() < 0.4}
        query = {k: v if isinstance(v, str) else json.dumps(v) for k, v in filters.items()} | {"limit": str(chance.choice([3, 40, 120]))}
        wanted = expected(stored, filters)
        assert [item["id"] for item in pages(client, query)] == wanted[::-1], filters
        assert [item["id"] for item in pages(client, {**query, "ascending": "true"})] == wanted, filters
        met += len(wanted)
    assert met > 800


def test_since_is_exclusive_and_until_inclusive_on_stored(client: FlaskClient) -> None:
    body = {"actor": AGENTS[0], "verb": {"id": VERBS[0]}, "object": {"id": ACTIVITIES[0]}}
    client.post(PATH, json=[body] * 5)
    times = [item["stored"] for item in pages(client, {"ascending": "true", "limit": "10"})]

    def asked(**query: str) -> list[str]:
        return [item["stored"] for item in pages(client, {"ascending": "true", "limit": "10", **query})]

    assert asked(since=times[1]) == times[2:]
    assert asked(until=times[3]) == times[:4]
    assert asked(since=times[0], until=times[2]) == times[1:3]
    assert asked(since=times[1].replace("Z", "+00:00")) == times[2:]


def test_a_page_that_is_exactly_full_and_last_has_no_more(client: FlaskClient) -> None:
    body = {"actor": AGENTS[0], "verb": {"id": VERBS[0]}, "object": {"id": ACTIVITIES[0]}}
    client.post(PATH, json=[body] * 4)
    assert client.get(PATH, query_string={"limit": "4"}).json["more"] == ""
    assert client.get(PATH, query_string={"limit": "3"}).json["more"] != ""


def test_more_keeps_filters_format_and_attachments(client: FlaskClient) -> None:
    body = {"actor": {"name": "Ann", **AGENTS[0]}, "verb": {"id": VERBS[0]}, "object": {"id": ACTIVITIES[0]}}
    client.post(PATH, json=[body] * 3)
    query = {"limit": "1", "format": "ids", "agent": json.dumps(AGENTS[0]), "related_agents": "true"}
    more = client.get(PATH, query_string=query).json["more"]
    second = client.get(more).json
    assert second["statements"][0]["actor"] == AGENTS[0]
    assert len(second["statements"]) == 1


def test_paging_gives_each_statement_once_while_others_are_inserted(client: FlaskClient) -> None:
    body = {"actor": AGENTS[0], "verb": {"id": VERBS[0]}, "object": {"id": ACTIVITIES[0]}}
    before = client.post(PATH, json=[body] * 7).json
    answer = client.get(PATH, query_string={"limit": "2"})
    found = [item["id"] for item in answer.json["statements"]]
    while answer.json["more"]:
        client.post(PATH, json=body)
        answer = client.get(answer.json["more"])
        found += [item["id"] for item in answer.json["statements"]]
    assert found == before[::-1]


@pytest.mark.parametrize("query", [{"limit": "-1"}, {"Verb": "http://x"}, {"agent": "{"}, {"format": "x"}, {"ascending": "yes"}])
def test_a_bad_parameter_is_named(client: FlaskClient, query: dict[str, str]) -> None:
    answer = client.get(PATH, query_string=query)
    assert answer.status_code == 400
    (finding,) = answer.json["findings"]
    assert finding["pointer"] == f"?{next(iter(query))}"
    assert answer.json["total"] == 1
