"""An installation's own rows on top of the product's verb map: overlay, version, and which verbs a change touches."""
from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from verbs.tables import CANONICAL, KINDS, Row, VerbTable, by_segment

NUMBERS_A_PRODUCT = 1000
"""A map's version is installation × 1000 + product: it rises with either, and both can be read from it."""
COLUMNS = ("verb_iri", "provider", "activity_type", "canonical", "completion_event", "note")
Key = tuple[str, str, str]

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_IRI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"{}|\\^`\x00-\x1f\x7f]+")


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a row: its line in the file (the header is line 1) or its place in a list, the column, why."""

    row: int
    column: str
    why: str


def key(row: Row) -> Key:
    """What a row is found by: verb IRI, provider, activity type."""
    return row.verb_iri, row.provider, row.activity_type


def overlay(base: VerbTable, rows: Sequence[Row], number: int) -> VerbTable:
    """The product's table with the installation's rows added, each in place of the product's row of the same key.

    `number` is the installation's version, 0 for none. A row that this product no longer understands (a canonical verb
    that is gone) is left out: reading must go on.
    """
    return replace(_overlaid(base, tuple(rows)), version=number * NUMBERS_A_PRODUCT + base.version)


@lru_cache(maxsize=8)
def _overlaid(base: VerbTable, rows: tuple[Row, ...]) -> VerbTable:
    good = {key(row): row for row in rows if row.canonical in CANONICAL and row.completion_event in KINDS}
    index = {**base.index, **good}
    merged = tuple(index.values())
    return replace(base, rows=merged, index=index, by_segment=by_segment(merged))


def versions(map_version: int) -> tuple[int, int]:
    """(product, installation) of a map version."""
    return map_version % NUMBERS_A_PRODUCT, map_version // NUMBERS_A_PRODUCT


@lru_cache(maxsize=8)  # asked twice in every round of those that read history again after a change
def differing(old: VerbTable, new: VerbTable) -> frozenset[str]:
    """The verb IRIs of the rows that one of the tables lacks or reads otherwise."""
    keys = [k for k in {**old.index, **new.index} if _meaning(old.index.get(k)) != _meaning(new.index.get(k))]
    return frozenset(k[0] for k in keys)


def _meaning(row: Row | None) -> tuple[str, str] | None:
    return None if row is None else (row.canonical, row.completion_event)


@lru_cache(maxsize=256)
def spellings(table: VerbTable, iri: str) -> frozenset[str]:
    """Every verb IRI that is looked up as this one: itself, and those that fold to it (the inverse of `[[fold]]`).

    Spaces are left out: no statement can be stored with an IRI that has any.
    """
    found = {iri}
    for undo in (_bare, _schema, _html, _slash, _hosts):
        found |= {other for one in found for other in undo(one)}
    return frozenset(one for one in found if one == iri or table.fold(one) == iri)


def _bare(iri: str) -> Iterable[str]:
    if iri.startswith("http://adlnet.gov/expapi/verbs/"):
        yield iri.removeprefix("http://adlnet.gov/expapi/verbs/")


def _schema(iri: str) -> Iterable[str]:
    if iri.startswith("http://activitystrea.ms/"):
        yield iri.replace("http://activitystrea.ms/", "http://activitystrea.ms/schema/1.0/", 1)


def _html(iri: str) -> Iterable[str]:
    if iri.startswith("http://adlnet.gov/expapi/"):
        yield f"{iri}.html"


def _slash(iri: str) -> Iterable[str]:
    yield f"{iri}/"


def _hosts(iri: str) -> Iterable[str]:
    if iri.startswith("http://adlnet.gov/"):
        for start in ("https://adlnet.gov/", "http://www.adlnet.gov/", "https://www.adlnet.gov/"):
            yield iri.replace("http://adlnet.gov/", start, 1)


def read_rows(lines: Iterable[str]) -> tuple[list[Row], list[Key], list[Fault]]:
    """Rows of a CSV file with a header of `COLUMNS`: those to add, the keys of those to take away (canonical `-`), and
    every fault by line and column. Raises ValueError where this is no CSV with such a header."""
    reader = csv.DictReader((line.removeprefix("\ufeff") for line in lines), strict=True)
    try:
        header = [name.strip() for name in reader.fieldnames or []]
        reader.fieldnames = header
        missing = [name for name in ("verb_iri", "canonical") if name not in header]
        if missing:
            raise ValueError(f'the header has no column "{missing[0]}"; known columns: {", ".join(COLUMNS)}')
        if unknown := sorted(set(header) - {*COLUMNS, "source"}):
            raise ValueError(f'unknown column "{unknown[0]}"; known columns: {", ".join(COLUMNS)}')
        found = [(reader.reader.line_num, cells) for cells in reader]
    except csv.Error as error:
        raise ValueError(f"the row that begins in line {reader.line_num + 1} is no CSV: {error}") from error
    long = [Fault(line, "", "more cells than the header has columns") for line, cells in found if None in cells]
    rows, gone, faults = checked((line, cells) for line, cells in found if None not in cells)
    return rows, gone, sorted([*long, *faults], key=lambda fault: fault.row)


def checked(found: Iterable[tuple[int, Mapping[str, object]]]) -> tuple[list[Row], list[Key], list[Fault]]:
    """What `read_rows` gives, from cells by column name and the number that names each row in a fault."""
    rows: list[Row] = []
    gone: list[Key] = []
    faults: list[Fault] = []
    seen: dict[Key, int] = {}
    for line, given in found:
        wrong = [Fault(line, name, "must be text") for name, value in given.items() if not isinstance(value, str | None)]
        cells = {name: value.strip() for name, value in given.items() if isinstance(value, str)}
        if not wrong and not any(cells.values()):
            continue
        row = Row(cells.get("verb_iri", ""), cells.get("provider", ""), cells.get("activity_type", ""), cells.get("canonical", ""),
                  cells.get("completion_event", ""), "installation", cells.get("note", ""))
        wrong = wrong or [Fault(line, column, why) for column, why in _faults(row)]
        if not wrong and (first := seen.setdefault(key(row), line)) != line:
            wrong = [Fault(line, "verb_iri", f"the same verb, provider and activity type stand already in row {first}")]
        faults += wrong
        if not wrong and row.canonical == "-":
            gone.append(key(row))
        elif not wrong:
            rows.append(row)
    return rows, gone, faults


def _faults(row: Row) -> Iterable[tuple[str, str]]:
    if not _IRI.fullmatch(row.verb_iri):
        yield "verb_iri", f'"{row.verb_iri[:80]}" is no IRI'
    if row.activity_type and not _IRI.fullmatch(row.activity_type):
        yield "activity_type", f'"{row.activity_type[:80]}" is no IRI'
    for column in ("provider", "note"):
        if _CONTROL.search(getattr(row, column)):
            yield column, "has a control character in it"
    if row.canonical == "-":
        return
    if row.canonical not in CANONICAL:
        yield "canonical", f'"{row.canonical[:40]}" is no canonical verb; one of {", ".join(CANONICAL)}, or - to take the row away'
    if row.completion_event not in KINDS:
        yield "completion_event", f'"{row.completion_event[:40]}" is none of {", ".join(KINDS)}'
