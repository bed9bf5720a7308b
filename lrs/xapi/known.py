"""What this LRS knows of an Activity or an Agent from statements (xAPI 1.0.3 Communication 2.4, 2.5)."""
from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import orjson
from flask import Response

from lrs.auth.defining import learned, said
from lrs.errors import Finding, Invalid
from lrs.http import answer_json, provider, services_of_request
from lrs.statements import definitions, query
from lrs.statements.definitions import Known
from lrs.statements.record import Query, Record
from lrs.statements.terms import terms_of
from lrs.xapi import launches
from lrs.xapi.params import only, version

NEWEST = 500
"""Statements looked at, the newest: an agent whom everybody names must not cost a walk through all of them."""
TAIL = 500
"""Statements that the worker has not learned from yet, at most, that a request reads itself."""


def activities() -> Response:
    """The Activity with all that is known of it; 200 also for one that nobody has spoken of (its id alone)."""
    activity_id = _asked("activityId", "activity", "Communication 2.5")
    store = services_of_request().store
    cursor, known = store.definitions.of([activity_id])
    tail = _newest("related_activity", activity_id, since=cursor)
    known |= learned(store.credentials, known, said(tail), only=(activity_id,))
    return answer_json(definitions.activity(activity_id, known.get(activity_id, Known())))


def definitions_of(records: Iterable[Record]) -> Callable[[str], bytes | None]:
    """The definitions of all activities that these records name, for `format=canonical`: one look into the table, and one
    at the statements since, of which those count that are visible now."""
    store = services_of_request().store
    named = list({one for record in records for one in definitions.activities_in(record.text)})
    cursor, known = store.definitions.of(named)
    known |= learned(store.credentials, known, said(store.statements.follow(cursor, TAIL)), only=frozenset(named))
    made = {name: one.definition for name, one in known.items()}
    return made.get


def agents() -> Response:
    """The Person of an Agent or identified Group; 200 also for one whom nobody has spoken of."""
    name = _asked("agent", "agent", "Communication 2.4")
    agent = json.loads(only(("agent",))["agent"])
    return answer_json(definitions.person(agent, (orjson.loads(record.text) for record in _newest("agent", name))))


def _newest(kind: str, value: str, since: int | None = None) -> Iterator[Record]:
    """The newest statements that speak of it, oldest first."""
    store = services_of_request().store.statements
    page = store.page(Query(terms_of(store.term_key).of_filters({kind: value}), since=since, limit=NEWEST))
    return reversed(page.records)


def _asked(name: str, reader: str, section: str) -> Any:
    provider("statements/read/mine", "profile", "define", launched=True)
    version()
    given = only((name,))
    if name not in given:
        raise Invalid([Finding(f"?{name}", f"the parameter {name} is missing", "document.parameter", section)])
    value = query.value(reader, given[name], f"?{name}", section)
    launches.check(**{reader: value})
    return value
