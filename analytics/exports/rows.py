"""The rows of an export, streamed from the log of statements in slices, filtered."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from analytics.facts import fact, learner
from lrs.completions.catalogue import Catalogue
from lrs.statements.record import Record
from lrs.store.open_store import Store
from verbs.read import from_json

SLICE = 1000


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to export. `since` (exclusive) and `until` (inclusive) are µs of storing, since 1970 UTC; `verb` canonical;
    `course` a course id or alias; `raw`: the statements themselves instead of facts."""

    since: int = 0
    until: int | None = None
    verb: str = ""
    course: str = ""
    raw: bool = False


def slices(store: Store, wanted: Wanted) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """(seq reached, rows) a slice, oldest first, up to what was consistent at the start. Memory is one slice."""
    end = store.statements.consistent_through()
    end = end if wanted.until is None else min(end, wanted.until)
    catalogue = Catalogue(store.directory.courses())
    course = catalogue.canonical(wanted.course) if wanted.course else ""
    after = wanted.since
    while records := store.statements.follow(after, SLICE):
        after = records[-1].seq
        kept = [record for record in records if record.seq <= end]
        rows = [row for row in _rows(store, kept, catalogue)
                if wanted.verb in ("", row["verb"]) and course in ("", row["course"])]
        if wanted.raw:
            texts = {record.id: record for record in kept}
            rows = [_raw(texts[row["statement_id"]]) for row in rows]
        yield min(after, end), rows
        if after > end:
            return


def _raw(record: Record) -> dict[str, Any]:
    return {"statement_id": record.id, "seq": record.seq, "voided": record.voided, "statement": record.text.decode()}


def _rows(store: Store, records: list[Record], catalogue: Catalogue) -> list[dict[str, Any]]:
    parsed = [orjson.loads(record.text) for record in records]
    names = [learner(statement) for statement in parsed]
    known = store.directory.person_by_identifier({name for of in names for name in of})
    people = [next((known[name].employee_id for name in of if name in known), of[0] if of else "") for of in names]
    return [fact(record, statement, from_json(record.reading), who=who, key=store.statements.term_key, catalogue=catalogue)
            for record, statement, who in zip(records, parsed, people, strict=True)]
