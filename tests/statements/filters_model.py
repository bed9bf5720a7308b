"""A brute-force reading of the filters of GET /statements, written from the standard and not from our index."""
from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Statement = Mapping[str, Any]


def matches(statement: Statement, filters: Mapping[str, Any]) -> bool:
    """Whether one statement (with its authority) meets these filters: agent, verb, activity, registration,
    related_agents, related_activities (xAPI 1.0.3 Communication 2.1.3)."""
    if "verb" in filters and statement["verb"]["id"] != filters["verb"]:
        return False
    registration = statement.get("context", {}).get("registration", "")
    if "registration" in filters and registration.lower() != filters["registration"].lower():
        return False
    if "agent" in filters:
        actors = _all_actors(statement) if filters.get("related_agents") else _own_actors(statement)
        wanted = _key(filters["agent"])
        if wanted not in {_key(one) for actor in actors for one in (actor, *actor.get("member", ()))}:
            return False
    if "activity" in filters:
        broad = filters.get("related_activities")
        found = _all_activities(statement) if broad else _own_activities(statement)
        return filters["activity"] in {activity["id"] for activity in found}
    return True


def _key(actor: Mapping[str, Any]) -> Any:
    if "mbox" in actor:
        local, _, domain = actor["mbox"].rpartition("@")
        return ("mbox", local, domain.lower())
    if "mbox_sha1sum" in actor:
        return ("sha1", actor["mbox_sha1sum"].lower())
    if "openid" in actor:
        return ("openid", actor["openid"])
    account = actor.get("account")
    return ("account", account["homePage"], account["name"]) if account else object()


def _own_actors(statement: Statement) -> Iterator[Mapping[str, Any]]:
    yield statement["actor"]
    if statement["object"].get("objectType") in ("Agent", "Group"):
        yield statement["object"]


def _all_actors(statement: Statement) -> Iterator[Mapping[str, Any]]:
    yield from _own_actors(statement)
    context = statement.get("context", {})
    for place in (statement.get("authority"), context.get("instructor"), context.get("team")):
        if place:
            yield place
    if statement["object"].get("objectType") == "SubStatement":
        yield from _all_actors(statement["object"])


def _own_activities(statement: Statement) -> Iterator[Mapping[str, Any]]:
    if statement["object"].get("objectType", "Activity") == "Activity":
        yield statement["object"]


def _all_activities(statement: Statement) -> Iterator[Mapping[str, Any]]:
    yield from _own_activities(statement)
    for listed in statement.get("context", {}).get("contextActivities", {}).values():
        yield from listed if isinstance(listed, list) else [listed]
    if statement["object"].get("objectType") == "SubStatement":
        yield from _all_activities(statement["object"])
