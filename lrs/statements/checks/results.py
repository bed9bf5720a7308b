"""Checks results and scores, comparing numbers exactly as they were sent (xAPI 1.0.3 Data 2.4.5)."""
from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, TypeAlias

import msgspec

from lrs.statements.checks import shapes
from lrs.statements.checks.report import Report, Where, keys

_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_EXACT = 2**53  # from here on a float no longer holds every integer

Number: TypeAlias = Any  # int, float or Decimal: they compare exactly with each other


def result(value: Any, where: Where, report: Report) -> None:
    """A result."""
    shapes.properties(value, where, report, _RESULT)


def _score(value: Any, where: Where, report: Report) -> None:
    if not shapes.properties(value, where, report, _SCORE):
        return
    numbers: dict[str, Number] = {k: v for k, v in value.items() if k in _SCORE and type(v) in (int, float)}
    if report.raw is not None and _in_doubt(numbers):
        numbers = _as_sent(report.raw, where, numbers)
    scaled, raw, low, high = map(numbers.get, ("scaled", "raw", "min", "max"))
    if scaled is not None and not -1 <= scaled <= 1:
        report.add("score.scaled", (where, "scaled"), scaled)
    if low is not None and high is not None and low >= high:
        bounds = f"both are {low}" if low == high else f"min is {low}, max is {high}"
        report.add("score.bounds", where, value, bounds=bounds + ". Leave both out where there are no points")
    if raw is not None and low is not None and raw < low:
        report.add("score.raw_below_min", (where, "raw"), raw, raw=raw, min=low)
    if raw is not None and high is not None and raw > high:
        report.add("score.raw_above_max", (where, "raw"), raw, raw=raw, max=high)


def _in_doubt(numbers: dict[str, Number]) -> bool:
    """Whether rounding to floats may have hidden a difference: it keeps order, but makes neighbours equal."""
    if not any(type(n) is float for n in numbers.values()):
        return False
    if any(abs(n) >= _EXACT for n in numbers.values()) or numbers.get("scaled") in (1, -1):
        return True
    points = [n for key, n in numbers.items() if key != "scaled"]
    return len(set(points)) < len(points)


def _as_sent(raw: bytes, where: Where, numbers: dict[str, Number]) -> dict[str, Number]:
    try:
        text: msgspec.Raw | bytes = raw
        for key in keys(where):
            text = _FIELDS.decode(text)[str(key)]
        sent = json.loads(bytes(text), parse_float=Decimal, parse_int=Decimal)
        return {key: sent[key] for key in numbers}
    except (ArithmeticError, ValueError, KeyError, RecursionError):
        return numbers  # an exponent beyond what Decimal holds: the floats are 0 and as near as anyone can tell


_SCORE: shapes.Table = dict.fromkeys(("scaled", "raw", "min", "max"), shapes.number)
_RESULT: shapes.Table = {
    "score": _score,
    "success": shapes.boolean,
    "completion": shapes.boolean,
    "response": shapes.string,
    "duration": shapes.duration,
    "extensions": shapes.extensions,
}
