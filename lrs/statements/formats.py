"""Gives a stored statement in the format that a reader asked for: exact, ids or canonical."""
from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from lrs.statements.actors import IFI
from lrs.statements.languages import chosen
from lrs.statements.members import elements, is_object, members, put_array, put_together, replaced

NAMES = ("exact", "ids", "canonical")  # xAPI 1.0.3 Communication 2.1.3, parameter `format`
Rewrite = Callable[[bytes], bytes]
Definitions = Callable[[str], bytes | None]
"""From an activity's id to its definition as JSON; None where nothing is known."""


def nothing_known(activity_id: str) -> bytes | None:
    """No activity has a definition but that of the statement itself."""
    return None


def page(statements: Iterable[bytes], more: str) -> bytes:
    """A StatementResult (xAPI 1.0.3 Data 2.5) of statements that are in their format already."""
    return b'{"statements":' + put_array(statements) + b',"more":' + msgspec.json.encode(more) + b"}"


def formatted(text: bytes, name: str, languages: Sequence[str] = (), known: Definitions = nothing_known) -> bytes:
    """A stored statement in format `name`. Numbers keep their digits in every format.

    `exact`: the bytes as stored. `ids`: of Agents, Groups, Activities and the Verb only what identifies them.
    `canonical`: one language of each language map, the best for `languages` (see `lrs.statements.languages`), and of each
    Activity the definition that is `known` (Communication 2.1.3), its own where none is.
    """
    if name == "ids":
        return _statement_ids(text)
    if name == "canonical":
        return _canonical(languages, known)(text)
    return text


def downgraded(text: bytes) -> bytes:
    """A statement as a client that speaks 1.0.x can read it: without what only 2.0 knows (contextAgents, contextGroups;
    also in a SubStatement), and under version 1.0.3 if it is one of 2.0."""
    if not any(mark in text for mark in _ONLY_IN_2):
        return text
    found = members(text)
    changed = {"version": b'"1.0.3"'} if found.get("version", b"").startswith(b'"2.') else {}
    changed |= {key: _without_2(found[key]) for key in ("context",) if key in found}
    if "object" in found and _object_type(found["object"]) == "SubStatement":
        changed["object"] = _changed({"context": _without_2})(found["object"])
    return replaced(text, changed)


def _without_2(context: bytes) -> bytes:
    found = members(context)
    kept = {key: value for key, value in found.items() if key not in ("contextAgents", "contextGroups")}
    return context if len(kept) == len(found) else put_together(kept)


_ONLY_IN_2 = (b'"contextAgents"', b'"contextGroups"', b'"2.0')


# --- ids -------------------------------------------------------------------------------------------------------------


def _only(keys: Sequence[str]) -> Rewrite:
    def rewrite(text: bytes) -> bytes:
        return put_together({key: value for key, value in members(text).items() if key in keys})

    return rewrite


def _actor_ids(text: bytes) -> bytes:
    found = members(text)
    kept = {key: value for key, value in found.items() if key == "objectType" or key in IFI}
    if "member" in found and not any(key in IFI for key in kept):  # an anonymous Group is identified by its members
        kept["member"] = put_array(map(_actor_ids, elements(found["member"])))
    return put_together(kept)


_activity_ids = _only(("id",))  # without objectType an object is an Activity


def _activities_ids(text: bytes) -> bytes:
    return put_together({key: put_array(map(_activity_ids, elements(v))) for key, v in members(text).items()})


def _changed(rewrites: Mapping[str, Rewrite]) -> Rewrite:
    def rewrite(text: bytes) -> bytes:
        found = members(text)
        return replaced(text, {key: change(found[key]) for key, change in rewrites.items() if key in found})

    return rewrite


def _object_type(text: bytes) -> str:
    kind = members(text).get("objectType")
    return "Activity" if kind is None else str(msgspec.json.decode(kind))


def _object_ids(text: bytes) -> bytes:
    return {
        "Activity": _activity_ids,
        "Agent": _actor_ids,
        "Group": _actor_ids,
        "SubStatement": _statement_ids,
    }.get(_object_type(text), _same)(text)


def _same(text: bytes) -> bytes:
    return text


_context_ids = _changed({"instructor": _actor_ids, "team": _actor_ids, "contextActivities": _activities_ids})


def _statement_ids(text: bytes) -> bytes:
    return _changed(
        {
            "actor": _actor_ids,
            "verb": _only(("id",)),
            "object": _object_ids,
            "context": _context_ids,
            "authority": _actor_ids,
        }
    )(text)


# --- canonical -------------------------------------------------------------------------------------------------------


def _canonical(languages: Sequence[str], known: Definitions) -> Rewrite:
    def language_map(text: bytes) -> bytes:
        found = members(text)
        tag = chosen(tuple(found), languages)
        return text if tag is None else put_together({tag: found[tag]})

    def each(rewrite: Rewrite) -> Rewrite:
        return lambda text: put_array(map(rewrite, elements(text)))

    component = _changed({"description": language_map})
    named = {"name": language_map, "description": language_map}
    components = dict.fromkeys(("choices", "scale", "source", "target", "steps"), each(component))
    definition = _changed({**named, **components})

    def activity(text: bytes) -> bytes:
        found = members(text)
        told = known(msgspec.json.decode(found["id"]))
        if told is None:
            told = found.get("definition")
        return text if told is None else put_together({**found, "definition": definition(told)})

    def activities(text: bytes) -> bytes:
        one_or_more = {k: activity(v) if is_object(v) else each(activity)(v) for k, v in members(text).items()}
        return replaced(text, one_or_more)

    def target(text: bytes) -> bytes:
        return {"Activity": activity, "SubStatement": statement}.get(_object_type(text), _same)(text)

    def statement(text: bytes) -> bytes:
        return _changed(
            {
                "verb": _changed({"display": language_map}),
                "object": target,
                "context": _changed({"contextActivities": activities}),
                "attachments": each(_changed({"display": language_map, "description": language_map})),
            }
        )(text)

    return statement
