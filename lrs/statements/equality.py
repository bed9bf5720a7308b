"""Decides whether a received statement is the one that is already stored under its id."""
from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from lrs.statements.actors import ACTORS, mailbox
from lrs.statements.instants import instant

Form = tuple[Any, ...] | str | bool | None

_FRACTION = re.compile(r"(\d+[.,]\d{2})\d+(?=S)")


def same(stored: bytes, received: bytes) -> bool:
    """True when the two are one statement by xAPI 1.0.3 Data 2.3.1 and 2.4.

    Ignored: id, stored, authority, version, attachments, a verb's display, definitions of Activities (object, context,
    SubStatement), the order of properties, the order of Agents in a Group. Timestamps are instants, and one that was
    not sent equals the one that we put there; durations count to hundredths of a second; numbers are equal by exact
    decimal value; mail domains and UUIDs have no case.
    """
    ours, theirs = _parsed(stored), _parsed(received)
    if "timestamp" not in theirs and "stored" in ours and ours.get("timestamp") == ours["stored"]:
        del ours["timestamp"]
    return _statement(ours) == _statement(theirs)


def _parsed(text: bytes) -> dict[str, Any]:
    value = json.loads(text, parse_float=Decimal, parse_int=Decimal)
    assert isinstance(value, dict)
    return value


def _number(value: Decimal) -> Form:
    sign, digits, exponent = value.as_tuple()
    figures = "".join(map(str, digits)).lstrip("0")
    short = figures.rstrip("0")
    if not short:
        return ("number", "0")
    return ("number", f"{'-' if sign else ''}{short}e{int(exponent) + len(figures) - len(short)}")


def _plain(value: Any) -> Form:
    """A value without meaning of its own: objects without order, arrays with, numbers by value."""
    if isinstance(value, Decimal):
        return _number(value)
    if isinstance(value, dict):
        return ("object", *((key, _plain(value[key])) for key in sorted(value)))
    if isinstance(value, list):
        return ("array", *map(_plain, value))
    return value  # type: ignore[no-any-return]  # str, bool or None


def _members(value: Mapping[str, Any], forms: Mapping[str, Callable[[Any], Form]], ignored: frozenset[str]) -> Form:
    return ("object", *((key, forms.get(key, _plain)(value[key])) for key in sorted(value) if key not in ignored))


def _lower(value: Any) -> Form:
    return str(value).lower()


def _timestamp(value: Any) -> Form:
    found = instant(value)
    return ("text", value) if found is None else ("instant", found.seconds, found.fraction)


def _duration(value: Any) -> Form:
    return _FRACTION.sub(r"\1", value)


def _mbox(value: Any) -> Form:
    return mailbox(value)


def _group(value: Any) -> Form:
    return ("members", *sorted(map(_actor, value), key=repr))


def _actor(value: Any) -> Form:
    return _members(value, _ACTOR, _NOTHING)


def _activity(value: Any) -> Form:
    return _members(value, _NO_FORMS, _DEFINITION)


def _context_activities(value: Any) -> Form:
    lists = {key: item if isinstance(item, list) else [item] for key, item in value.items()}
    return ("object", *((key, ("array", *map(_activity, lists[key]))) for key in sorted(lists)))


def _reference(value: Any) -> Form:
    return _members(value, _REFERENCE, _NOTHING)


def _result(value: Any) -> Form:
    return _members(value, _RESULT, _NOTHING)


def _context(value: Any) -> Form:
    return _members(value, _CONTEXT, _NOTHING)


def _verb(value: Any) -> Form:
    return _members(value, _NO_FORMS, _DISPLAY)


def _sub_statement(value: Any) -> Form:
    return _members(value, _STATEMENT, _ATTACHMENTS)


def _object(value: Any) -> Form:
    kind = value.get("objectType", "Activity")
    return _actor(value) if kind in ACTORS else _OBJECT.get(kind, _activity)(value)


def _statement(value: Mapping[str, Any]) -> Form:
    return _members(value, _STATEMENT, _ENVELOPE)


_NOTHING: frozenset[str] = frozenset()
_DEFINITION = frozenset({"definition"})
_DISPLAY = frozenset({"display"})
_ATTACHMENTS = frozenset({"attachments"})
_ENVELOPE = frozenset({"id", "stored", "authority", "version", "attachments"})
_NO_FORMS: dict[str, Callable[[Any], Form]] = {}
_ACTOR: dict[str, Callable[[Any], Form]] = {"mbox": _mbox, "member": _group}
_REFERENCE: dict[str, Callable[[Any], Form]] = {"id": _lower}
_RESULT: dict[str, Callable[[Any], Form]] = {"duration": _duration}
_CONTEXT: dict[str, Callable[[Any], Form]] = {
    "registration": _lower,
    "instructor": _actor,
    "team": _actor,
    "contextActivities": _context_activities,
    "statement": _reference,
}
_OBJECT: dict[str, Callable[[Any], Form]] = {"StatementRef": _reference, "SubStatement": _sub_statement}
_STATEMENT: dict[str, Callable[[Any], Form]] = {
    "actor": _actor,
    "verb": _verb,
    "object": _object,
    "result": _result,
    "context": _context,
    "timestamp": _timestamp,
}
