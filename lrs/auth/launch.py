"""Credentials for one launch of content: short-lived, of one actor and one activity, fetched once (cmi5 8.2)."""
from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lrs.auth.credentials import digest, origin_findings
from lrs.errors import Finding, Forbidden, Invalid
from lrs.statements import query
from lrs.statements.actors import identifier
from lrs.store.protocols.credentials import Credential, Credentials, Launch

MINUTES, MINUTES_MAX = 120, 24 * 60
KEPT_US = 24 * 3600 * 1_000_000
"""How long an expired one is kept, so that its fetch URL says that it has expired."""
IN_USE, SECURITY, APPLICATION = "1", "2", "3"
"""Error codes of cmi5 8.2.3.2: used before or expired; any other matter of security; a fault of ours."""


@dataclass(frozen=True, slots=True)
class Launched:
    """A new launch credential, its secret, and the token of its fetch URL; both are shown this once."""

    credential: Credential
    secret: str
    token: str


def create(
    store: Credentials, *, actor: Mapping[str, Any], activity: str, now: int, public_url: str, minutes: int = MINUTES,
    registration: str = "", name: str = "", parent: Credential | None = None, origins: Iterable[str] = (),
) -> Launched:
    """Store a credential for one launch of `activity` (an IRI) by `actor` (an Agent), valid for `minutes` from `now` (µs).

    Its statements are the `parent`'s: they carry its authority and provider, and end with it. Raises `Invalid` with every
    problem.
    """
    problems = [*_wrong_actor(actor), *_wrong("activity", "activity", activity)]
    if registration:
        problems += _wrong("registration", "registration", registration)
    if not 1 <= minutes <= MINUTES_MAX:
        problems.append(Finding("/minutes", f"a launch lasts from 1 to {MINUTES_MAX} minutes", "minutes", "", str(minutes)[:20]))
    pages = tuple(dict.fromkeys(one.strip().rstrip("/") for one in origins))
    problems += origin_findings(pages)
    if problems:
        raise Invalid(problems)
    key, token = f"launch-{secrets.token_hex(10)}", secrets.token_urlsafe(32)
    shown = name or (parent.name if parent else "Launch")
    authority = {"objectType": "Agent", "name": shown, "account": {"homePage": public_url, "name": key}}
    text = parent.authority if parent else json.dumps(authority, ensure_ascii=False, separators=(",", ":")).encode()
    launch = Launch(json.dumps(actor, ensure_ascii=False).encode(), activity, now + minutes * 60_000_000, registration.lower(),
                    parent.key if parent else "", digest(store, token))
    made = Credential(key, shown, parent.provider if parent else "launch", frozenset(), digest(store, secret_of(store, key)), text, now,
                      origins=pages or (parent.origins if parent else ()), launch=launch)
    store.sweep(now - KEPT_US)
    if not store.create(made):
        raise Invalid([Finding("/key", "this key is taken", "key", "", key)])
    return Launched(made, secret_of(store, key), token)


def secret_of(store: Credentials, key: str) -> str:
    """The secret of a launch credential: derived from the store's key, so that it can be fetched and is kept nowhere."""
    derived = hashlib.blake2b(f"launch:{key}".encode(), key=store.secret_key, digest_size=32).digest()
    return base64.urlsafe_b64encode(derived).decode().rstrip("=")


def fetched(store: Credentials, token: str, now: int) -> dict[str, str]:
    """What the fetch URL answers (cmi5 8.2): the `auth-token` the first time, afterwards and otherwise an `error-code`."""
    found = store.fetch(digest(store, token))
    if found is None:
        return {"error-code": SECURITY, "error-text": "This fetch URL is not known here."}
    credential, first = found
    if credential.launch is None or now >= credential.launch.expires:
        return {"error-code": IN_USE, "error-text": "The launch has expired; launch the content again."}
    if not first:
        return {"error-code": IN_USE, "error-text": "The authorization token has already been returned; launch the content again."}
    if credential.revoked:
        return {"error-code": SECURITY, "error-text": "The launch was revoked."}
    token = base64.b64encode(f"{credential.key}:{secret_of(store, credential.key)}".encode()).decode()
    return {"auth-token": token}


def is_actor(launch: Launch, agent: str) -> bool:
    """Whether this identifier (form of `lrs.statements.actors`) is the actor's."""
    return agent == identifier(json.loads(launch.actor))


def is_about(launch: Launch, activity: str) -> bool:
    """Whether an activity is the launched one or a part of it: its id goes on after `/`, `#` or `?`."""
    return activity == launch.activity or activity.startswith(tuple(launch.activity.rstrip("/#?") + mark for mark in "/#?"))


def covers(launch: Launch, statement: Mapping[str, Any]) -> bool:
    """Whether a valid statement is by the actor (alone, no Group) and about the activity or a part of it."""
    actor, target = statement["actor"], statement["object"]
    return (actor.get("objectType", "Agent") == "Agent" and is_actor(launch, identifier(actor) or "")
            and target.get("objectType", "Activity") == "Activity" and is_about(launch, target["id"]))


def check(launch: Launch, statements: Iterable[Mapping[str, Any]]) -> None:
    """Raises `Forbidden` for the first valid statement that a launch does not cover."""
    for index, one in enumerate(statements):
        if not covers(launch, one):
            raise Forbidden(f"statement {index}: a launch credential stores only statements by its actor about {launch.activity} or a part "
                            "of it (an id that goes on after / # or ?); send others with a credential of their own")


def _wrong_actor(actor: Mapping[str, Any]) -> list[Finding]:
    if not isinstance(actor, Mapping) or actor.get("objectType", "Agent") != "Agent":
        return [Finding("/actor", "must be an Agent", "launch.actor", "Data 2.4.2.1")]
    return _wrong("actor", "agent", json.dumps(actor))


def _wrong(place: str, reader: str, text: str) -> list[Finding]:
    try:
        query.value(reader, text, f"/{place}", "Communication 2.1.3")
    except Invalid as error:
        return error.findings
    return []
