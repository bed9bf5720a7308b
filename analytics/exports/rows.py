"""The rows of an export, streamed from the log of statements in slices, filtered."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from analytics.facts import fact, learner
from lrs.completions.catalogue import Catalogue
from lrs.statements.instants import instant
from lrs.statements.record import Record
from lrs.store.open_store import Store
from verbs.read import UNMAPPED, from_json
from verbs.tables import CANONICAL

FORMATS = {"csv": "text/csv", "ndjson": "application/x-ndjson", "parquet": "application/vnd.apache.parquet"}
"""Format of a file → its media type."""
SLICE = 200
"""Statements a slice: the memory of an export is one slice, and a statement may have a megabyte."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to export. `since` (exclusive) and `until` (inclusive) are µs of storing, since 1970 UTC; `verb` a canonical
    verb or a verb's IRI as it was sent; `course` a course id or alias; `raw`: the statements themselves instead of facts."""

    since: int = 0
    until: int | None = None
    verb: str = ""
    course: str = ""
    raw: bool = False


def moment(text: str) -> int:
    """An ISO 8601 time or date (midnight UTC), or a cursor, as µs since 1970. Raises ValueError with a sentence."""
    if text.isascii() and text.isdigit() and (8 < len(text) < 19 or text == "0"):
        return int(text)
    at = instant(text)
    if at is None:
        raise ValueError(f'"{text[:60]}" is no ISO 8601 time (2026-11-24, 2026-11-24T12:00:00Z) and no cursor of a manifest')
    return at.micros


def verb(text: str) -> str:
    """The verb to filter by, as it is. Raises ValueError for a word that is no canonical verb: it would find nothing."""
    if text and ":" not in text and text not in (*CANONICAL, UNMAPPED):
        raise ValueError(f'"{text[:60]}" is no canonical verb ({", ".join((*CANONICAL, UNMAPPED))}) and no IRI')
    return text


def bound(store: Store, wanted: Wanted) -> int:
    """µs: all that was stored up to here can be exported now, and nothing can be stored before it later; the `since` of
    the next export."""
    end = store.statements.consistent_through()
    return max(wanted.since, end if wanted.until is None else min(end, wanted.until))


def slices(store: Store, wanted: Wanted, end: int | None = None) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """(seq reached, rows) a slice, oldest first, up to `end`, a `bound` (by default that of the call). Memory is one slice.

    The store is asked at the call, not at the first slice: what it cannot answer is raised before anything is sent.
    """
    return _slices(store, wanted, bound(store, wanted) if end is None else end, Catalogue(store.directory.courses()))


def _slices(store: Store, wanted: Wanted, end: int, catalogue: Catalogue) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    course = catalogue.canonical(wanted.course) if wanted.course else ""
    after = wanted.since
    while records := store.statements.follow(after, SLICE):
        after = records[-1].seq
        kept = [record for record in records if record.seq <= end]
        rows = [row for row in rows_of(store, kept, catalogue)
                if wanted.verb in ("", row["verb"], row["verb_iri"]) and course in ("", row["course"])]
        if wanted.raw:
            texts = {record.id: record for record in kept}
            rows = [_raw(texts[row["statement_id"]]) for row in rows]
        yield min(after, end), rows
        if after > end:
            return


def _raw(record: Record) -> dict[str, Any]:
    return {"statement_id": record.id, "seq": record.seq, "voided": record.voided, "statement": record.text.decode()}


def rows_of(store: Store, records: list[Record], catalogue: Catalogue) -> list[dict[str, Any]]:
    """The facts of these records, with the directory as it is now."""
    parsed = [orjson.loads(record.text) for record in records]
    names = [learner(statement) for statement in parsed]
    known = store.directory.person_by_identifier({name for of in names for name in of})
    people = [next((known[name].employee_id for name in of if name in known), of[0] if of else "") for of in names]
    return [fact(record, statement, from_json(record.reading), who=who, key=store.statements.term_key, catalogue=catalogue)
            for record, statement, who in zip(records, parsed, people, strict=True)]
