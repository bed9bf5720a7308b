"""Checks what every object of a statement has in common: types, known properties, plain values, extensions."""
from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any

from lrs.statements.checks import formats
from lrs.statements.checks.report import Check, Report, Where

Table = Mapping[str, Check]

_KINDS = {dict: "an object", list: "an array", str: "a string", bool: "true or false", int: "a number", float: "a number"}
_ZERO_ZONES = ("-00", "-0000", "-00:00")
_SUGGESTIONS = 20  # of one statement: a search for the nearest word costs, and a sender reads the first few


def wrong_type(value: Any, where: Where, report: Report, expected: str) -> None:
    """Note a value of another JSON type than expected; null has a rule of its own."""
    if value is None:
        report.add("null", where, value)
    else:
        report.add("type", where, value, expected=expected, actual=_KINDS.get(type(value), "null"))


def properties(value: Any, where: Where, report: Report, table: Table) -> bool:
    """Check an object's members by the table; False if it is no object. Properties that the table lacks are unknown."""
    if type(value) is not dict:
        wrong_type(value, where, report, "an object")
        return False
    for key, item in value.items():
        check = table.get(key)
        if check is None:
            _unknown(key, item, where, report, table)
        elif item is None:
            report.add("null", (where, key), item)
        else:
            check(item, (where, key), report)
    return True


def _unknown(key: str, item: Any, where: Where, report: Report, table: Table) -> None:
    for known in table:
        if known.lower() == key.lower():
            report.add("property.case", (where, key), item, right=known)
            return
    near = get_close_matches(key[:64], table, 1, 0.7) if len(report.findings) < _SUGGESTIONS else []
    report.add("property.unknown", (where, key), item, advice=f" Did you mean \"{near[0]}\"?" if near else "")


def array(value: Any, where: Where, report: Report, check: Check) -> bool:
    """Check every element of an array; False if it is none."""
    if type(value) is not list:
        wrong_type(value, where, report, "an array")
        return False
    for index, item in enumerate(value):
        check(item, (where, index), report)
    return True


def string(value: Any, where: Where, report: Report) -> None:
    """Any string, the empty one too."""
    if type(value) is not str:
        wrong_type(value, where, report, "a string")


def boolean(value: Any, where: Where, report: Report) -> None:
    """true or false."""
    if type(value) is not bool:
        wrong_type(value, where, report, "true or false")


def number(value: Any, where: Where, report: Report) -> None:
    """Any number."""
    if type(value) is not int and type(value) is not float:
        wrong_type(value, where, report, "a number")


def iri(value: Any, where: Where, report: Report) -> None:
    """An IRI, IRL or URI (4.3)."""
    if type(value) is not str:
        wrong_type(value, where, report, "an IRI")
    elif not formats.is_iri(value):
        if not formats.has_scheme(value):
            urn = f"`urn:uuid:{value}` or a URL" if formats.is_uuid(value) else "a URL or a URN"
            report.add("iri.scheme", where, value, advice=urn)
        else:
            report.add("iri.characters", where, value, character=ascii(formats.forbidden_in_iri(value)))


def _formatted(test: Callable[[str], bool], rule: str, name: str) -> Check:
    def check(value: Any, where: Where, report: Report) -> None:
        if type(value) is not str:
            wrong_type(value, where, report, name)
        elif not test(value):
            report.add(rule, where, value)

    return check


uuid = _formatted(formats.is_uuid, "uuid", "a UUID")
language = _formatted(formats.is_language, "language.tag", "a language tag")
duration = _formatted(formats.is_duration, "duration", "a duration")
mbox = _formatted(formats.is_mbox, "actor.mbox", "a mailto IRI")
sha1 = _formatted(formats.is_sha1, "actor.mbox_sha1sum", "a SHA-1 in hexadecimal digits")
sha2 = _formatted(formats.is_sha2, "attachment.sha2", "a SHA-2 hash in hexadecimal digits")
media_type = _formatted(formats.is_media_type, "attachment.content_type", "an Internet media type")


def version(line: str) -> Check:
    """A check for the version of a statement, which is of the request's line (2.4.10)."""

    def check(value: Any, where: Where, report: Report) -> None:
        if type(value) is not str:
            wrong_type(value, where, report, "a string")
        elif not formats.is_version(value, line):
            report.add("statement.version", where, value, line=line)

    return check


def timestamp(value: Any, where: Where, report: Report) -> None:
    """A timestamp of ISO 8601 (4.5)."""
    if type(value) is not str:
        wrong_type(value, where, report, "a timestamp")
    elif value.endswith(_ZERO_ZONES) and formats.has_negative_zero_zone(value):
        report.add("timestamp.zone", where, value)
    elif not formats.is_timestamp(value):
        report.add("timestamp", where, value)


def language_map(value: Any, where: Where, report: Report) -> None:
    """A map of language tags to strings (4.2); empty maps and strings are valid."""
    if type(value) is not dict:
        report.add("language.map", where, value)
        return
    for key, item in value.items():
        if not formats.is_language(key):
            report.add("language.tag", (where, key), key)
        if type(item) is not str:
            wrong_type(item, (where, key), report, "a string")


def extensions(value: Any, where: Where, report: Report) -> None:
    """A map whose keys are IRIs; its values are nobody's business (4.1)."""
    if type(value) is not dict:
        wrong_type(value, where, report, "an object")
        return
    for key in value:
        if not formats.is_iri(key):
            report.add("extension.key", (where, key), key)


def exactly(right: str) -> Check:
    """A check for an objectType that can have one value only."""

    def check(value: Any, where: Where, report: Report) -> None:
        if type(value) is not str:
            wrong_type(value, where, report, "a string")
        elif value != right:
            report.add("object_type", where, value, allowed=f"\"{right}\"")

    return check
