"""Reads the URL parameters of GET /statements into one statement's id or a query for a page."""
from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from lrs.errors import Finding, Invalid
from lrs.statements.actors import identifier
from lrs.statements.formats import NAMES
from lrs.statements.instants import instant
from lrs.statements.record import Query
from lrs.statements.terms import Terms

_SECTION = "Communication 2.1.3"
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
_IRI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+")
_INTEGER = re.compile(r"\d{1,19}", re.ASCII)

CURSOR = "cursor"  # ours: where a `more` link goes on; a seq, exclusive
SINGLE = ("statementId", "voidedStatementId")
WITH_SINGLE = frozenset({*SINGLE, "attachments", "format"})


@dataclass(frozen=True, slots=True)
class Asked:
    """What a GET asked for: one statement (`statement_id`, `voided` or not), or the page that `query` describes."""

    query: Query
    statement_id: str | None = None
    voided: bool = False
    format: str = "exact"
    attachments: bool = False


def read(
    pairs: Sequence[tuple[str, str]],
    terms: Terms,
    *,
    page_default: int,
    page_max: int,
    mine: str | None = None,
) -> Asked:
    """What these decoded URL parameters ask for.

    `mine`: the credential to whose statements the answer is limited (scope statements/read/mine), also where a
    filter is met by the statement that one refers to. `limit` 0 and anything above `page_max` mean `page_max`.
    Raises `Invalid`, its findings with `where` = `?<parameter>`.
    """
    found: list[Finding] = []
    values: dict[str, Any] = {}
    for name, text in pairs:
        reader = _PARAMETERS.get(name)
        if reader is None:
            found.append(_finding(name, f'no such parameter "{name}"', "query.unknown", name))
        elif name in values:
            found.append(_finding(name, f'parameter "{name}" is given twice', "query.twice", text))
        else:
            values[name] = None
            try:
                values[name] = reader(text)
            except ValueError as wrong:
                found.append(_finding(name, str(wrong), f"query.{name}", text))
    if any(name in values for name in SINGLE):
        found += (
            _finding(name, f"{name} cannot be combined with statementId or voidedStatementId", "query.single", "")
            for name in values
            if name not in WITH_SINGLE
        )
        if all(name in values for name in SINGLE):
            found.append(_finding(SINGLE[0], "give statementId or voidedStatementId, not both", "query.single", ""))
    if found:
        raise Invalid(found)
    single = next((name for name in SINGLE if name in values), None)
    return Asked(
        query=_query(values, terms, page_default, page_max, mine),
        statement_id=None if single is None else values[single],
        voided=single == "voidedStatementId",
        format=values.get("format", "exact"),
        attachments=values.get("attachments", False),
    )


def value(parameter: str, text: str, where: str, section: str) -> Any:
    """The value of one URL parameter, read as GET /statements reads its parameter of this name. Raises `Invalid`."""
    try:
        return _PARAMETERS[parameter](text)
    except ValueError as wrong:
        raise Invalid([Finding(where, str(wrong), f"query.{parameter}", section, text[:100])]) from None


def _query(values: dict[str, Any], terms: Terms, page_default: int, page_max: int, mine: str | None) -> Query:
    facts = {
        ("related_" + kind if values.get(broad) else kind): values[kind]
        for kind, broad in (("agent", "related_agents"), ("activity", "related_activities"))
        if kind in values
    }
    facts |= {kind: values[kind] for kind in ("verb", "registration") if kind in values}
    if mine is not None:
        facts["credential"] = mine
    limit = values.get("limit", page_default) or page_max
    return Query(
        terms=terms.of_filters(facts),
        since=values.get("since"),
        until=values.get("until"),
        after=values.get(CURSOR),
        ascending=values.get("ascending", False),
        limit=min(limit, page_max),
        credential_id=mine,
    )


def _finding(name: str, why: str, rule: str, found: str) -> Finding:
    return Finding(where=f"?{name}", why=why, rule=rule, section=_SECTION, found=found[:100])


def _boolean(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError('must be "true" or "false"')
    return text == "true"


def _uuid(text: str) -> str:
    if not _UUID.fullmatch(text):
        raise ValueError("must be a UUID such as 7c1e5c0e-2f3a-4b1c-9d7e-0a1b2c3d4e5f")
    return text.lower()


def _iri(text: str) -> str:
    if not _IRI.fullmatch(text):
        raise ValueError("must be an IRI with a scheme, such as http://adlnet.gov/expapi/verbs/completed")
    return text


def _number(text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise ValueError("must be a whole number, 0 or more")
    return int(text)


def _cursor(text: str) -> int:
    value = _number(text)
    if value >= 1 << 63:
        raise ValueError("is no position that a `more` link has given")
    return value


def _time(text: str) -> int:
    found = instant(text)
    if found is None or "T" not in text.upper():
        raise ValueError("must be a timestamp of ISO 8601 such as 2026-11-24T11:00:00Z (write + as %2B in a URL)")
    return found.micros


def _choice(text: str) -> str:
    if text not in NAMES:
        raise ValueError("must be one of " + ", ".join(NAMES))
    return text


def _agent(text: str) -> str:
    try:
        actor = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("must be an Agent or identified Group as JSON, URL-encoded") from None
    wrong = "must be an Agent or Group with exactly one of mbox, mbox_sha1sum, openid, account"
    if not isinstance(actor, dict) or actor.get("objectType", "Agent") not in ("Agent", "Group"):
        raise ValueError(wrong)
    names = [key for key in _IDENTIFIERS if key in actor]
    if len(names) != 1:
        raise ValueError(wrong)
    fits, form = _IDENTIFIERS[names[0]]
    if not fits(actor[names[0]]):
        raise ValueError(f"{names[0]} must be {form}")
    return identifier(actor) or ""


def _account(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(value.get(key), str) for key in ("homePage", "name"))


_IDENTIFIERS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "mbox": (lambda value: isinstance(value, str) and value.startswith("mailto:") and "@" in value,
             "an IRI such as mailto:ada@example.com"),
    "mbox_sha1sum": (lambda value: isinstance(value, str) and re.fullmatch(r"[0-9A-Fa-f]{40}", value) is not None, "40 hexadecimal digits"),
    "openid": (lambda value: isinstance(value, str) and _IRI.fullmatch(value) is not None, "an IRI with a scheme"),
    "account": (_account, "an object with homePage and name"),
}
_PARAMETERS: dict[str, Callable[[str], Any]] = {
    "statementId": _uuid,
    "voidedStatementId": _uuid,
    "agent": _agent,
    "verb": _iri,
    "activity": _iri,
    "registration": _uuid,
    "related_activities": _boolean,
    "related_agents": _boolean,
    "since": _time,
    "until": _time,
    "limit": _number,
    "format": _choice,
    "attachments": _boolean,
    "ascending": _boolean,
    CURSOR: _cursor,
}
