"""One statement as one row: what reports need, without a name, an e-mail or an identifier."""
from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from lrs.completions.catalogue import Catalogue, is_never_course, product_alias
from lrs.completions.providers import ProviderRules
from lrs.completions.subjects import identifier
from lrs.statements.instants import instant, printed
from lrs.statements.record import Record
from verbs.vocabulary import Reading

NOTHING_KNOWN = Catalogue()
_TYPES = {"never": "http://adlnet.gov/expapi/activities/question", "typed": "http://adlnet.gov/expapi/activities/course", "other": ""}
TIMESTAMP_RANGE = (-62_135_596_800_000_000, 253_402_300_799_999_999)


def subject_key(key: bytes, who: str) -> str:
    """The opaque key of a person's employee id or of an identifier: a keyed hash, 32 hex digits."""
    return hashlib.blake2b(who.encode("utf-8", "replace"), key=key, digest_size=16).hexdigest()


def learner(statement: Mapping[str, Any]) -> list[str]:
    """The identifiers of the statement's actor, the naming one first."""
    return identifier(statement.get("actor"))


def fact(record: Record, statement: Mapping[str, Any], reading: Reading, *, who: str, key: bytes, catalogue: Catalogue) -> dict[str, Any]:
    """The row of a statement, by column of `analytics.dictionary.FACTS`. `who`: the employee id of its learner, else
    the identifier that names him; `statement` is the record's text, parsed."""
    target = _map(statement.get("object"))
    context, result = _map(statement.get("context")), _map(statement.get("result"))
    is_activity = target.get("objectType", "Activity") == "Activity"
    parents = _map(context.get("contextActivities")).get("parent", [])
    roles = catalogue.roles(target, [p for p in parents if isinstance(p, dict)], catalogue.rules(record.provider)) if is_activity else []
    at = printed(_micros(statement.get("timestamp"), record.seq))
    score = reading.score
    return {
        "statement_id": record.id, "seq": record.seq, "timestamp": at, "date": at[:10],
        "subject": subject_key(key, who) if who else "", "verb": reading.verb,
        "verb_iri": _map(statement.get("verb")).get("id", ""), "status": reading.outcome,
        "activity": target.get("id", "") if is_activity else "", "course": roles[0].course if roles else "",
        "source": record.provider, "registration": context.get("registration", ""),
        "score": score.scaled if score else None, "score_raw": score.raw if score else None,
        "success": result.get("success"), "completion": result.get("completion"), "duration": reading.duration,
        "voided": record.voided, "map_version": reading.map_version,
    }


def _micros(text: object, otherwise: int) -> int:
    at = instant(text) if isinstance(text, str) else None
    micros = at.micros if at else otherwise
    return micros if TIMESTAMP_RANGE[0] <= micros <= TIMESTAMP_RANGE[1] else otherwise


def _map(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def kept(record: Record, statement: Mapping[str, Any], reading: Reading, *, key: bytes) -> dict[str, Any]:
    """The row of a statement as the table keeps it: `fact` as if nobody and no course were known, and what it takes to put in
    the directory's answers later. `subject_also`: keys of the other forms of the learner's address; `place`: what decides, with
    `activity`, which course this is in a catalogue (`course_in`)."""
    names = learner(statement)
    row = fact(record, statement, reading, who=names[0] if names else "", key=key, catalogue=NOTHING_KNOWN)
    row["subject_also"] = " ".join(subject_key(key, name) for name in names[1:])
    row["place"] = _place(record, statement) if row["activity"] else ""
    return row


def course_in(catalogue: Catalogue, activity: str, place: str) -> str:
    """The course that a kept row is about by this catalogue, '' for none."""
    told = {"kind": place, "above": []} if place in _TYPES else json.loads(place)
    above = [_typed(name, "typed" if is_course else "other") for name, is_course in told["above"]]
    roles = catalogue.roles(_typed(activity, told["kind"]), above, ProviderRules())
    return roles[0].course if roles else ""


def catalogued(catalogue: Catalogue) -> Iterator[tuple[str, str, str]]:
    """(activity, place, course) of every activity that the catalogue names, where it differs from what the table keeps."""
    named = {name for one in catalogue.courses for given in (one.id, *one.aliases, one.single_au, *one.all_of) if given
             for name in (given, product_alias(given))}
    for name in sorted(named):
        for place in _TYPES:
            course = course_in(catalogue, name, place)
            if course != (name if place == "typed" else ""):
                yield name, place, course


def _place(record: Record, statement: Mapping[str, Any]) -> str:
    target, rules = _map(statement.get("object")), NOTHING_KNOWN.rules(record.provider)
    kind = "never" if is_never_course(target) else "typed" if NOTHING_KNOWN.roles(target, [], rules) else "other"
    parents = _map(_map(statement.get("context")).get("contextActivities")).get("parent", []) if kind == "typed" else []
    above = [[p["id"], bool(NOTHING_KNOWN.roles(p, [], rules))] for p in parents
             if isinstance(p, dict) and isinstance(p.get("id"), str) and p["id"] != target["id"]]
    if not above and product_alias(target["id"]) == target["id"]:
        return kind
    return json.dumps({"kind": kind, "above": above}, ensure_ascii=False)


def _typed(activity: str, kind: str) -> dict[object, object]:
    return {"id": activity, "definition": {"type": _TYPES[kind]}}
