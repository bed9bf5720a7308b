"""People and courses from CSV files: every row read or refused with its line and reason."""
from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import TypeVar

from lrs.completions.model import Course, Person
from lrs.completions.subjects import EMPLOYEES, email_identifiers

Row = TypeVar("Row")
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+\Z")
IRI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+\Z")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
SHA1 = re.compile(r"[0-9a-f]{40}\Z")
PEOPLE_COLUMNS = ("employee_id", "email", "name", "department", "job_code", "hris_id", "crm_id", "aliases", "identifiers")
COURSE_COLUMNS = ("id", "title", "aliases", "provider", "single_au", "all_of", "repeat_after_days", "attempts", "hris_type",
                  "sessions", "attendance_percent")


@dataclass(frozen=True, slots=True)
class Refused:
    """A row that was not taken: its line in the file (the header is line 1) and why."""

    line: int
    why: str


def people(lines: Iterable[str]) -> tuple[list[tuple[int, Person]], list[Refused]]:
    """Read people: columns `PEOPLE_COLUMNS`, `employee_id` required and kept as text (leading zeros stay);
    `aliases` are further e-mails and `identifiers` IFIs, both separated by `;` (mailto:…, 40 hex digits of a sha1,
    `homePage|name`, or an OpenID URI). Cells are separated by commas, semicolons or tabs, as the header is. Raises ValueError
    where this is no CSV with such a header."""
    return _rows(lines, "employee_id", PEOPLE_COLUMNS, _person)


def courses(lines: Iterable[str]) -> tuple[list[tuple[int, Course]], list[Refused]]:
    """Read courses: columns `COURSE_COLUMNS`, `id` required; `aliases`, `all_of` and `sessions` (ids of live sessions or
    series, or activity types) separated by `;` or spaces; `attendance_percent` 1 to 100, empty: as the session was judged.
    Cells are separated as those of people. Raises ValueError where this is no CSV with such a header."""
    return _rows(lines, "id", COURSE_COLUMNS, _course)


def identifiers_of(employee_id: str, emails: Iterable[str]) -> Iterator[str]:
    """The identifiers that follow from an employee id and e-mails: the mbox, its sha1 (xAPI 1.0.3 Data 2.4.2.3), and
    the sha1 of the bare address, which Open edX sends."""
    yield f"account:{EMPLOYEES}|{employee_id}"
    for email in emails:
        yield from email_identifiers(email)


def _rows(
    lines: Iterable[str], key: str, columns: tuple[str, ...], build: Callable[[Mapping[str, str]], Row],
) -> tuple[list[tuple[int, Row]], list[Refused]]:
    given = iter(lines)
    first = next(given, "").removeprefix("\ufeff")
    # spreadsheets write what their country is used to
    mark = next((one for one in ",;\t" if key in [name.strip().strip('"') for name in first.split(one)]), ",")
    # strict: a quote that nobody closes would silently swallow every row after it
    reader = csv.DictReader(chain([first], (line.removeprefix("\ufeff") for line in given)), delimiter=mark, strict=True)
    try:
        return _read(reader, key, columns, build)
    except csv.Error as error:
        raise ValueError(f"the row that begins in line {reader.line_num + 1} is no CSV: {error}") from error


def _read(
    reader: csv.DictReader[str], key: str, columns: tuple[str, ...], build: Callable[[Mapping[str, str]], Row],
) -> tuple[list[tuple[int, Row]], list[Refused]]:
    header = [name.strip() for name in reader.fieldnames or []]
    reader.fieldnames = header
    if key not in header:
        there = f'it has: {CONTROL.sub("?", ", ".join(header))[:200]}' if header else "the file is empty"
        raise ValueError(f'the header has no column "{key}"; {there}; known columns: {", ".join(columns)}')
    if unknown := sorted(set(header) - set(columns)):
        raise ValueError(f'unknown column "{unknown[0]}"; known columns: {", ".join(columns)}')
    if twice := [name for name in header if header.count(name) > 1]:
        raise ValueError(f'the header has the column "{twice[0]}" twice')
    taken: list[tuple[int, Row]] = []
    refused: list[Refused] = []
    seen: dict[str, int] = {}
    for row in reader:
        # DictReader's own line_num stays behind where it passes over empty lines
        line = reader.reader.line_num
        if None in row:
            refused.append(Refused(line, "more cells than the header has columns"))
            continue
        cells = {name: (value or "").strip() for name, value in row.items()}
        if not any(cells.values()):
            continue
        if broken := next((name for name, value in cells.items() if CONTROL.search(value)), None):
            refused.append(Refused(line, f"{broken} has a control character in it; is the file plain UTF-8 text?"))
            continue
        if cells[key] in seen:
            refused.append(Refused(line, f'{key} "{cells[key]}" stands already in line {seen[cells[key]]}'))
            continue
        try:
            taken.append((line, build(cells)))
            seen[cells[key]] = line
        except ValueError as error:
            refused.append(Refused(line, str(error)))
    return taken, refused


def _person(row: Mapping[str, str]) -> Person:
    employee_id = row["employee_id"]
    if not employee_id:
        raise ValueError("employee_id is empty")
    emails = [text.lower() for text in (row.get("email", ""), *_split(row.get("aliases", ""))) if text]
    for email in emails:
        if not EMAIL.match(email):
            raise ValueError(f'"{email}" is no e-mail address')
    given = [_identifier(text) for text in row.get("identifiers", "").split(";") if text.strip()]
    identifiers = tuple(dict.fromkeys([*identifiers_of(employee_id, emails), *given]))
    return Person(employee_id, row.get("email", "").lower(), row.get("name", ""), row.get("department", ""),
                  row.get("job_code", ""), row.get("crm_id", ""), row.get("hris_id", ""), identifiers)


def _identifier(text: str) -> str:
    text = text.strip()
    if text.lower().startswith("mailto:"):
        return f"mbox:{text[7:].lower()}"
    if SHA1.match(text.lower()):
        return f"sha1:{text.lower()}"
    if "|" in text:
        home, _, name = text.partition("|")
        if ":" in home and name:
            return f"account:{home}|{name}"
    elif ":" in text:
        return f"openid:{text}"
    raise ValueError(f'"{text}" is no identifier; write mailto:…, a sha1, homePage|name or an OpenID URI')


def _course(row: Mapping[str, str]) -> Course:
    if not row["id"]:
        raise ValueError("id is empty")
    if row.get("attempts", "") not in ("", "per_registration"):
        raise ValueError('attempts is empty or "per_registration"')
    return Course(row["id"], row.get("title", ""), tuple(_split(row.get("aliases", ""))), row.get("provider", ""),
                  row.get("single_au", ""), tuple(_split(row.get("all_of", ""))),
                  _number(row, "repeat_after_days") or 90, row.get("attempts", ""), _number(row, "hris_type"),
                  _sessions(row), _number(row, "attendance_percent", 100))


def _sessions(row: Mapping[str, str]) -> tuple[str, ...]:
    named = tuple(dict.fromkeys(_split(row.get("sessions", ""))))
    for name in named:
        if not IRI.match(name):
            raise ValueError(f'sessions: "{name[:100]}" is no IRI; write the id of a session or of its series, or an activity type')
    return named


def _split(text: str) -> list[str]:
    return [part for part in re.split(r"[;\s]+", text) if part]


def _number(row: Mapping[str, str], column: str, most: int = 999999999) -> int | None:
    text = row.get(column, "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= most):
        raise ValueError(f'{column} "{text[:40]}" is no whole number from 1 to {most}')
    return int(text)
