"""From a statement to its reading: the canonical verb, the outcome, the score and the duration. Total: never raises."""
from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import cache

import msgspec

from verbs.tables import VerbTable, load
from verbs.vocabulary import Reading, Score

UNMAPPED = "unmapped"
LOWEST, PASS_MARK = "lowest", "pass_mark"
_ENCODER = msgspec.json.Encoder()
_EXACT = 2**63
_NUMBER = r"([0-9]{1,12}(?:[.,][0-9]{1,12})?)"
_DURATION = re.compile(rf"P(?:{_NUMBER}Y)?(?:{_NUMBER}M)?(?:{_NUMBER}W)?(?:{_NUMBER}D)?(T(?:{_NUMBER}H)?(?:{_NUMBER}M)?(?:{_NUMBER}S)?)?")
_SECONDS = (None, None, 604800.0, 86400.0, 3600.0, 60.0, 1.0)


def read(statement: object, provider: str = "", table: VerbTable | None = None, *, score_min: str = LOWEST) -> Reading:
    """What the statement means. `provider` is the credential's; senders known by a context category add themselves.

    `score_min` is the provider's setting: `lowest` (min is the lowest score) or `pass_mark` (rule 12a).
    Answers `unmapped` for a verb without a row, and for anything that is no statement.
    """
    table = load() if table is None else table
    value = mapping(statement)
    verb_iri = _text(mapping(value.get("verb")).get("id"))
    result = mapping(value.get("result"))
    duration = seconds(result.get("duration"))
    hit = table.find(verb_iri, (_text(provider), *recognised(value, table)), activity_type(value)) if verb_iri else None
    if hit is None:
        return Reading(UNMAPPED, score=score(result.get("score"), score_min), duration=duration, map_version=table.version)
    row = hit.row
    line = table.outcome(row, _flag(result.get("completion")), _flag(result.get("success")))
    outcome = line.outcome if line else ""
    if line and not outcome:
        # Absence (rule 19a) has no presence time; a presence that was measured is one, however short.
        outcome, duration = ("attended", duration) if duration and _measured(value, table) else ("", None)
    return Reading(
        verb=row.canonical,
        kind=row.completion_event,
        outcome=outcome,
        score=score(result.get("score"), score_min) if table.carries_score(row) else None,
        duration=duration,
        map_version=table.version,
        via=hit.via,
    )


def activity_type(statement: Mapping[object, object]) -> str:
    """`object.definition.type`, '' where there is none."""
    return _text(mapping(mapping(statement.get("object")).get("definition")).get("type"))


def recognised(statement: Mapping[object, object], table: VerbTable) -> list[str]:
    """The providers that the statement's context categories give away (`scorm_profile`), in order."""
    found = mapping(mapping(statement.get("context")).get("contextActivities")).get("category")
    if found is None:
        return []
    activities = found if isinstance(found, list | tuple) else [found]
    names = (table.categories.get(_text(mapping(activity).get("id"))) for activity in activities)
    return list(dict.fromkeys(name for name in names if name))


def seconds(duration: object) -> float | None:
    """An ISO 8601 duration in seconds; None if it is none, or has years or months (they have no fixed length)."""
    match = _DURATION.fullmatch(duration) if isinstance(duration, str) else None
    if match is None:
        return None
    years, months, weeks, days, time, *hms = match.groups()
    parts = (years, months, weeks, days, *hms)
    given = [part for part in parts if part is not None]
    if not given or (time is not None and not any(hms)) or any(not part.isdigit() for part in given[:-1]):
        return None
    total = 0.0
    for part, unit in zip(parts, _SECONDS, strict=True):
        if part is None:
            continue
        amount = float(part.replace(",", "."))
        if unit is None and amount:
            return None
        total += amount * (unit or 0.0)
    return total


def score(value: object, score_min: str = LOWEST) -> Score | None:
    """The score, normalised (rules 12, 12a); None if there is none.

    `scaled` as sent if it lies in -1..1; else (raw - min) / (max - min), a missing min being 0; with `pass_mark`
    raw / max. Without max raw stays raw. Figures that contradict each other are kept and flagged, nothing is divided.
    """
    if not (value := mapping(value)):
        return None
    figures: dict[str, float] = {}
    flags: list[str] = []
    for name in ("scaled", "raw", "min", "max"):
        if name in value:
            number = _number(value[name])
            if number is None:
                flags.append(f"{name}_unusable")
            else:
                figures[name] = number
    scaled, raw, low, high = (figures.get(name) for name in ("scaled", "raw", "min", "max"))
    if scaled is not None and not -1.0 <= scaled <= 1.0:
        flags.append("scaled_out_of_range")
        scaled = None
    if "min_unusable" in flags or "max_unusable" in flags:
        computed = None
    else:
        computed, flag = _scaled(raw, low, high, score_min)
        flags += [flag] if flag else []
    if not figures and not flags:
        return None
    return Score(computed if scaled is None else scaled, raw, low, high, " ".join(flags))


def _scaled(raw: float | None, low: float | None, high: float | None, score_min: str) -> tuple[float | None, str]:
    floor = 0.0 if low is None or score_min == PASS_MARK else low
    if high is None:
        return None, "raw_below_min" if raw is not None and raw < floor and low is not None else ""
    if high <= floor:
        return None, "max_not_above_min"
    if raw is None:
        return None, ""
    if not floor <= raw <= high:
        return None, "raw_out_of_range"
    share = (raw - floor) / (high - floor)
    return (share, "") if math.isfinite(share) else (None, "range_too_large")


def to_json(reading: Reading) -> bytes:
    """The reading as JSON, as it is kept beside the statement."""
    return _ENCODER.encode(reading)


def from_json(text: bytes) -> Reading:
    """The reading that `to_json` wrote. Raises ValueError for anything else; unknown members are ignored."""
    return _decoder().decode(text)


@cache
def _decoder() -> msgspec.json.Decoder[Reading]:
    return msgspec.json.Decoder(Reading)


def _measured(statement: Mapping[object, object], table: VerbTable) -> bool:
    extensions = mapping(mapping(statement.get("context")).get("extensions"))
    return any(name in table.measured_by for name in extensions)


def mapping(value: object) -> Mapping[object, object]:
    """The value if it is a JSON object, else an empty one."""
    # nearly always a dict or nothing, and to ask an abstract class costs ten times as much
    return value if type(value) is dict or (value is not None and isinstance(value, Mapping)) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _number(value: object) -> float | None:
    """The figure as a float; None for what is none, or too large to be kept as the same number."""
    if type(value) is not int and type(value) is not float:
        return None
    if isinstance(value, int) and abs(value) >= _EXACT:
        return None
    number = float(value)
    return number if math.isfinite(number) and abs(number) < _EXACT and number == value else None
