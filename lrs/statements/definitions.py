"""What statements say about an Activity or an Agent, put together: the Activity with its definition, the Person."""
from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from lrs.statements.actors import IFI, identifier
from lrs.statements.terms import CONTEXT_ACTIVITIES

LANGUAGE_MAPS = ("name", "description")
INTERACTION = ("interactionType", "correctResponsesPattern", "choices", "scale", "source", "target", "steps")


def activity(activity_id: str, definitions: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The Activity object (xAPI 1.0.3 Communication 2.5) from its definitions, oldest first: languages and extensions
    add up, a later value replaces an earlier one; what describes an interaction is taken whole from the latest."""
    merged: dict[str, Any] = {}
    for definition in definitions:
        if "interactionType" in definition:
            for name in INTERACTION:
                merged.pop(name, None)
        for name, value in definition.items():
            adds_up = name in (*LANGUAGE_MAPS, "extensions") and isinstance(value, Mapping)
            merged[name] = {**merged.get(name, {}), **value} if adds_up else value
    return {"objectType": "Activity", "id": activity_id, **({"definition": merged} if merged else {})}


def definitions_of(statement: Mapping[str, Any], activity_id: str) -> Iterator[Mapping[str, Any]]:
    """The definitions that a statement gives of an activity: as its object, in its context, and in its SubStatement."""
    target = statement["object"]
    for part in (statement, target) if target.get("objectType") == "SubStatement" else (statement,):
        activities = part.get("context", {}).get("contextActivities", {})
        listed = [one for role in CONTEXT_ACTIVITIES for one in _listed(activities.get(role, ()))]
        for one in (part["object"], *listed):
            if one.get("id") == activity_id and one.get("objectType", "Activity") == "Activity" and one.get("definition"):
                yield one["definition"]


def person(agent: Mapping[str, Any], statements: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The Person (xAPI 1.0.3 Communication 2.4) of an agent: the identifier asked for, and the names given to it."""
    wanted = identifier(agent)
    asked = [agent["name"]] if isinstance(agent.get("name"), str) else []
    names = dict.fromkeys(asked + [one["name"] for statement in statements for one in _actors(statement)
                                   if isinstance(one.get("name"), str) and identifier(one) == wanted])
    kind = next(name for name in IFI if name in agent)
    return {"objectType": "Person", **({"name": list(names)} if names else {}), kind: [agent[kind]]}


def _actors(statement: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for one in (statement["actor"], statement["object"]):
        yield one
        yield from one.get("member", ())


def _listed(value: Any) -> Iterable[Mapping[str, Any]]:
    return (value,) if isinstance(value, Mapping) else value
