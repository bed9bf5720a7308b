"""What the credential of a launch may do in the xAPI resources, and the URL that hands it out once (cmi5 8.2)."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import orjson
from flask import Response, request

from lrs.auth import launch
from lrs.errors import Forbidden, StoreUnavailable
from lrs.http import answer_json, launch_of_request, services_of_request
from lrs.ingest.batch import Permit
from lrs.statements.record import Record

FETCH = "/xapi/fetch"


def fetch(token: str) -> Response:
    """The `auth-token` of a launch, once; afterwards an `error-code`. 200 whatever it is (cmi5 8.2.2)."""
    services = services_of_request()
    try:
        told: Mapping[str, str] = launch.fetched(services.store.credentials, token, services.now_us())
    except StoreUnavailable:
        told = {"error-code": launch.APPLICATION, "error-text": "The record store is unavailable; launch the content again later."}
    return answer_json(told, headers={"Cache-Control": "no-store"})


def permit() -> Permit | None:
    """What statements of this request must pass before they are stored."""
    limits = launch_of_request()
    return None if limits is None else partial(launch.check, limits)


def narrowed(pairs: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """The parameters of GET /statements, narrowed to the launch: what it may not read need not be looked at."""
    limits, names = launch_of_request(), {name for name, _ in pairs}
    if limits is None or names & {"statementId", "voidedStatementId"}:
        return list(pairs)
    own = (("agent", limits.actor.decode()), ("activity", limits.activity))
    return [*pairs, *((name, value) for name, value in own if name not in names)]


def readable(record: Record) -> bool:
    """Whether this request may read the statement; a filter may find one by another that it refers to."""
    limits = launch_of_request()
    return limits is None or launch.covers(limits, orjson.loads(record.text))


def check(activity: str | None = None, agent: str | None = None) -> None:
    """Raises `Forbidden` where a launch is asked about another activity or another agent."""
    limits = launch_of_request()
    if limits is None:
        return
    if activity is not None and not launch.is_about(limits, activity):
        raise Forbidden(f"a launch credential opens only what is about {limits.activity}")
    if agent is not None and not launch.is_actor(limits, agent):
        raise Forbidden("a launch credential opens only what is of its actor")


def check_reads() -> None:
    """Raises `Forbidden` where a launch writes what others read too: the profile of an activity."""
    if launch_of_request() is not None and request.method not in ("GET", "HEAD"):
        raise Forbidden("a launch credential reads the activity's profile and does not write it: every learner has the same")
