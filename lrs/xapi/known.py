"""What this LRS knows of an Activity or an Agent from statements (xAPI 1.0.3 Communication 2.4, 2.5)."""
from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import orjson
from flask import Response

from lrs.auth.scopes import allowed
from lrs.errors import Finding, Invalid
from lrs.http import answer_json, provider, services_of_request
from lrs.statements import definitions, query
from lrs.statements.record import Query, Record
from lrs.statements.terms import terms_of
from lrs.xapi import launches
from lrs.xapi.params import only, version

NEWEST = 500
"""Statements looked at, the newest: an activity that everybody uses must not cost a walk through all of them."""


def activities() -> Response:
    """The Activity with all that is known of it; 200 also for one that nobody has spoken of (its id alone)."""
    activity_id = _asked("activityId", "activity", "Communication 2.5")
    spoken = list(_newest("related_activity", activity_id))
    # those who may define come last and so prevail; what others say holds where they say nothing (Communication 4.2)
    spoken.sort(key=_may_define)
    found = [one for record in spoken for one in definitions.definitions_of(orjson.loads(record.text), activity_id)]
    return answer_json(definitions.activity(activity_id, found))


def agents() -> Response:
    """The Person of an Agent or identified Group; 200 also for one whom nobody has spoken of."""
    name = _asked("agent", "agent", "Communication 2.4")
    agent = json.loads(only(("agent",))["agent"])
    return answer_json(definitions.person(agent, (orjson.loads(record.text) for record in _newest("agent", name))))


def _newest(kind: str, value: str) -> Iterator[Record]:
    """The newest statements that speak of it, oldest first."""
    store = services_of_request().store.statements
    page = store.page(Query(terms_of(store.term_key).of_filters({kind: value}), limit=NEWEST))
    return reversed(page.records)


def _may_define(record: Record) -> bool:
    credential = services_of_request().store.credentials.by_key(record.credential_id)
    return credential is not None and allowed(credential.scopes, "define")


def _asked(name: str, reader: str, section: str) -> Any:
    provider("statements/read/mine", "profile", "define", launched=True)
    version()
    given = only((name,))
    if name not in given:
        raise Invalid([Finding(f"?{name}", f"the parameter {name} is missing", "document.parameter", section)])
    value = query.value(reader, given[name], f"?{name}", section)
    launches.check(**{reader: value})
    return value
