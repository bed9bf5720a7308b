"""What statements say about an Activity or an Agent, put together: the Activity with its definition, the Person."""
from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from lrs.statements.actors import IFI, identifier
from lrs.statements.members import elements, is_object, members, put_together

ADD_UP = ("name", "description", "extensions")
"""Members of a definition of which each language, or each extension, stands for itself."""
INTERACTION = ("interactionType", "correctResponsesPattern", "choices", "scale", "source", "target", "steps")
LARGEST = 2**18
"""Bytes beyond which a definition takes nothing more in: with extensions it could grow for ever."""


@dataclass(frozen=True, slots=True)
class Known:
    """The definition of an activity, put together: what those said who may define it, and what all others said. JSON
    objects, every value in the bytes in which it was sent."""

    official: bytes = b"{}"
    others: bytes = b"{}"

    def learned(self, definition: bytes, *, may_define: bool) -> Known:
        """With what a later statement says."""
        if may_define:
            return Known(put(self.official, definition), self.others)
        return Known(self.official, put(self.others, definition))

    @property
    def definition(self) -> bytes:
        """All of it: who may define it prevails, and what others say holds where they say nothing (Communication 4.2)."""
        return put(self.others, self.official)


def put(known: bytes, definition: bytes) -> bytes:
    """A definition with a later one put on it: languages and extensions add up, a later value replaces an earlier one;
    what describes an interaction is taken whole from the latest."""
    later = members(definition)
    merged = members(known)
    if "interactionType" in later:
        merged = {name: value for name, value in merged.items() if name not in INTERACTION}
    for name, value in later.items():
        adds_up = name in ADD_UP and name in merged and is_object(value) and is_object(merged[name])
        merged[name] = put_together({**members(merged[name]), **members(value)}) if adds_up else value
    made = put_together(merged)
    return made if len(made) <= LARGEST else known


def activity(activity_id: str, known: Known) -> bytes:
    """The Activity object (xAPI 1.0.3 Communication 2.5)."""
    definition = known.definition
    told = {"objectType": b'"Activity"', "id": msgspec.json.encode(activity_id)}
    return put_together(told if definition == b"{}" else {**told, "definition": definition})


def definitions_in(text: bytes) -> Iterator[tuple[str, bytes]]:
    """Every activity that a stored statement defines, with its definition."""
    if b'definition"' in text or b"\\u" in text:
        yield from ((str(_text(found["id"])), found["definition"]) for found in _activities(text) if "definition" in found)


def activities_in(text: bytes) -> Iterator[str]:
    """The ids of the activities that a stored statement names."""
    return (str(_text(found["id"])) for found in _activities(text))


def _activities(text: bytes) -> Iterator[dict[str, bytes]]:
    """The activities of a stored statement: its object, those in its context, and those of its SubStatement."""
    statement = members(text)
    yield from _of_part(statement)
    target = members(statement["object"])
    if _text(target.get("objectType")) == "SubStatement":
        yield from _of_part(target)


def _of_part(part: Mapping[str, bytes]) -> Iterator[dict[str, bytes]]:
    target = members(part["object"])
    if _text(target.get("objectType")) in (None, "Activity"):
        yield target
    activities = members(part["context"]).get("contextActivities") if "context" in part else None
    for listed in members(activities).values() if activities else ():
        for one in (listed,) if is_object(listed) else elements(listed):
            yield members(one)


def _text(text: bytes | None) -> Any:
    return None if text is None else msgspec.json.decode(text)


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
