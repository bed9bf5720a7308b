"""One statement as one row: what reports need, without a name, an e-mail or an identifier."""
from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from lrs.completions.catalogue import Catalogue
from lrs.completions.subjects import identifier
from lrs.statements.instants import instant, printed
from lrs.statements.record import Record
from verbs.vocabulary import Reading

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
    at = _micros(statement.get("timestamp"), record.seq)
    score = reading.score
    return {
        "statement_id": record.id, "seq": record.seq, "timestamp": printed(at), "date": printed(at)[:10],
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
