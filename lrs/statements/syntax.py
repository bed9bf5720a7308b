"""Says what keeps a body from being strict JSON, and where: position, depth, and keys that occur twice."""
from __future__ import annotations

import json
import re
from typing import Any

import orjson

from lrs.errors import Finding
from lrs.statements.checks.report import Report, Where

_BOM = b"\xef\xbb\xbf"
_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_ESCAPE = re.compile(r"\\(?:ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}|(ud[89a-f][0-9a-f]{2})|.)", re.IGNORECASE | re.DOTALL)
_LISTED = 100
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")


class _NotANumber(Exception):
    """NaN, Infinity or -Infinity, which Python's parser takes and JSON does not know."""


def _refuse(name: str) -> Any:
    raise _NotANumber(name)


def diagnosis(body: bytes, depth_max: int) -> Finding:
    """Why a body that the strict parser refused is not JSON, with line and column, both from 1."""
    report = Report()
    if not body.strip():
        report.add("json.empty", None, "")
        return report.findings[0]
    if body.startswith(_BOM):
        report.add("json.bom", None, "")
        return report.findings[0]
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        return _at("json.utf8", body[: error.start].decode("utf-8"), body[error.start : error.start + 4].hex())
    try:
        json.loads(text, parse_constant=_refuse, parse_int=str, parse_float=str)
    except _NotANumber as error:
        at = _outside_strings(text, re.compile(re.escape(str(error))))
        return _at("json.number", text[:at], str(error))
    except json.JSONDecodeError as error:
        return _at("json.syntax", text[: error.pos], text[error.pos : error.pos + 40], detail=error.msg)
    except RecursionError:
        return too_deep(depth_max)
    surrogate = next((m for m in _ESCAPE.finditer(text) if m[1]), None)
    if surrogate:
        return _at("json.surrogate", text[: surrogate.start()], surrogate[0])
    place = _huge_number(text)
    if place is not None:
        return _at("json.number", text[:place], text[place : place + 40])
    return too_deep(depth_max)


def too_deep(depth_max: int, where: Where = None) -> Finding:
    """The finding for JSON nested deeper than the limit."""
    report = Report()
    report.add("limit.depth", where, "", limit=depth_max)
    return report.findings[0]


def depth(value: Any) -> int:
    """Levels of objects and arrays, the value itself the first; 0 for a plain value."""
    levels = 0
    level = [value]
    while level := [item for item in level if isinstance(item, (dict, list))]:
        levels += 1
        level = [inner for item in level for inner in (item.values() if isinstance(item, dict) else item)]
    return levels


def may_have_duplicates(raw: bytes, value: Any) -> bool:
    """False only when no object of the text has a key twice: then printing the value gives back every colon.

    A colon can hide as `\\u003a`, so a text with that escape is always in doubt.
    """
    if b"\\u003" in raw:
        return True
    try:
        return raw.count(b":") != orjson.dumps(value).count(b":")
    except (TypeError, ValueError):  # deeper than the printer goes
        return True


class _Twice(dict[str, Any]):
    repeated: list[str]


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    plain = dict(pairs)
    if len(plain) == len(pairs):
        return plain
    seen: set[str] = set()
    marked = _Twice(plain)
    marked.repeated = list(dict.fromkeys(k for k, _ in pairs if k in seen or seen.add(k)))  # type: ignore[func-returns-value]
    return marked


def duplicates(raw: bytes) -> list[Finding]:
    """A finding for each key that occurs twice in one object of the text, in the first hundred places or so."""
    report = Report()
    top = json.loads(raw, object_pairs_hook=_pairs, parse_int=str, parse_float=str)
    waiting: list[tuple[Any, Where]] = [(top, None)]
    while waiting and len(report.findings) < _LISTED:
        value, where = waiting.pop()
        for key in getattr(value, "repeated", ()):
            report.add("json.duplicate", (where, key), key, key=key[:100])
        inner = value.items() if isinstance(value, dict) else enumerate(value)
        waiting += [(item, (where, key)) for key, item in inner if isinstance(item, (dict, list))]
    return report.findings


def _at(rule: str, before: str, value: str, **names: str) -> Finding:
    report = Report()
    line, last = before.count("\n") + 1, before.rfind("\n")
    report.add(rule, None, value, line=line, column=len(before) - last, **names)
    return report.findings[0]


def _outside_strings(text: str, pattern: re.Pattern[str]) -> int:
    blank = _STRING.sub(lambda m: "_" * len(m[0]), text)
    hit = pattern.search(blank)
    return hit.start() if hit else 0


def _huge_number(text: str) -> int | None:
    blank = _STRING.sub(lambda m: "_" * len(m[0]), text)
    for hit in _NUMBER.finditer(blank):
        if float(hit[0]) in (float("inf"), float("-inf")):
            return hit.start()
    return None
