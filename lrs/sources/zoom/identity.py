"""Who a participant of Zoom is: the identifiers that Zoom gave, and the actor that they make."""
from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from lrs.completions.subjects import email_identifiers, identifier
from lrs.statements.checks.formats import is_mbox

HOME = "https://zoom.us"
"""homePage of the accounts that stand for Zoom's own identifiers."""

FIELDS: Mapping[str, tuple[str, ...]] = {
    "registrant_id": ("registrant_id",),
    "customer_key": ("customer_key",),
    "email": ("email", "user_email"),
    "id": ("id", "participant_user_id"),
    "user_id": ("user_id",),
    "participant_uuid": ("participant_uuid",),
}
"""Identifier → the fields it stands in, in webhooks and in rows of reports; the first that is not empty counts. The order
is the order in which a person is sought. `user_id` and `participant_uuid` hold for one meeting only and name nobody."""

ACCOUNTS: Mapping[str, str] = {"registrant_id": "registrant", "customer_key": "customer", "id": "user"}
"""Identifier → what the name of its account begins with."""
UNKNOWN: tuple[str, ...] = ("email", "customer_key", "registrant_id", "id")
"""Which identifier names somebody whom the directory does not know, the best first: an e-mail address is what the
directory will learn, a registration holds for one meeting."""

_SURROGATE = re.compile("[\ud800-\udfff]")

Known = Callable[[Collection[str]], Collection[str]]
"""Those of the identifiers (normal forms of `lrs.completions.subjects`) that a person of the directory has."""


def given(participant: Any) -> dict[str, str]:
    """The identifiers that Zoom gave, as text, without those that are empty or can name nobody; never the display name."""
    if not isinstance(participant, Mapping):
        return {}
    found = {name: next(filter(None, (text(participant.get(field)) for field in fields)), "") for name, fields in FIELDS.items()}
    email = found["email"].lower()
    found["email"] = email if email_identifiers(email) and is_mbox(f"mailto:{email}") else ""
    return {name: value for name, value in found.items() if value}


def actor(identifiers: Mapping[str, str], known: Known) -> dict[str, Any] | None:
    """The Agent for a participant: by the first identifier that the directory knows, in the order of `FIELDS`, else
    by the best of `UNKNOWN`; None where nothing names a person."""
    agents = {name: _agent(name, identifiers[name]) for name in FIELDS if name in identifiers and name in UNKNOWN}
    forms = {name: identifier(agent) for name, agent in agents.items()}
    there = set(known([form for each in forms.values() for form in each])) if agents else set()
    for name, agent in agents.items():
        if not there.isdisjoint(forms[name]):
            return agent
    return next((agents[name] for name in UNKNOWN if name in agents), None)


def text(value: Any) -> str:
    """A field that Zoom sends as text or as a number, as text; '' for anything else, and for what is no Unicode."""
    if isinstance(value, str):
        return "" if _SURROGATE.search(value) else value.strip()
    return str(value) if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**18 else ""


def _agent(name: str, value: str) -> dict[str, Any]:
    if name == "email":
        return {"objectType": "Agent", "mbox": f"mailto:{value}"}
    return {"objectType": "Agent", "account": {"homePage": HOME, "name": f"{ACCOUNTS[name]}:{value}"}}
