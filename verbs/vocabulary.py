"""The canonical vocabulary, and the reading of a statement in it."""
from __future__ import annotations

from dataclasses import dataclass

import msgspec


@dataclass(frozen=True, slots=True)
class Score:
    """A normalised score. `scaled` is -1..1 or None when it cannot be known; `raw`, `min`, `max` as sent.
    `flag` names what was wrong with the figures (empty when nothing was)."""

    scaled: float | None = None
    raw: float | None = None
    min: float | None = None
    max: float | None = None
    flag: str = ""


@dataclass(frozen=True, slots=True)
class Via:
    """The row of the verb table that gave a reading; `folded` if the IRI was folded for the look-up."""

    verb_iri: str
    provider: str = ""
    activity_type: str = ""
    folded: bool = False


class Reading(msgspec.Struct, frozen=True):
    """What a statement means: canonical `verb`; `kind`, the row's completion_event
    (yes | no | by_threshold | opt_in | revoke | never); `outcome`, the status by rule 8 (completed, passed, failed,
    completed_failed, waived, attended, or a held one: passed_incomplete, failed_incomplete, progress, contradiction;
    empty when the verb class has no status); `duration` in seconds. `via` is None for `unmapped`."""

    verb: str
    kind: str = "no"
    outcome: str = ""
    score: Score | None = None
    duration: float | None = None
    map_version: int = 1
    via: Via | None = None
