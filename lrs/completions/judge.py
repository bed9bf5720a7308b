"""Judge one statement: for which courses it is evidence, of whom, and by which rule."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lrs.completions.catalogue import Catalogue
from lrs.completions.model import Evidence
from verbs.vocabulary import Reading


@dataclass(frozen=True, slots=True)
class Judgement:
    """`evidence`: (key of the course state, evidence) pairs to fold, for the learner that `identifiers` name
    (normal forms, the naming one first; not always the actor). A key `cmi5:<registration>` is folded like a
    course and publishes nothing. `hold`: '' or why nothing is sent though a course was meant (`unmapped`,
    `passed_incomplete`, `failed_incomplete`, `progress`, `contradiction`, `untrusted`). `rule`: number of the rule
    that decided, `why`: a sentence for people. `flags`: what was repaired (`clock_ahead`, score flags)."""

    evidence: tuple[tuple[str, Evidence], ...] = ()
    identifiers: tuple[str, ...] = ()
    hold: str = ""
    rule: str = ""
    why: str = ""
    flags: tuple[str, ...] = ()


def judge(
    statement: Mapping[str, object],
    reading: Reading,
    *,
    seq: int,
    stored_us: int,
    provider: str,
    catalogue: Catalogue,
    now_us: int,
    voided: bool = False,
    source: str = "",
) -> Judgement:
    """What this statement is evidence of; total, never raises. For a void, judge the *target* with `voided=True` and
    fold the result: nothing else is to be done. `source` is the connection it came by (default: the provider)."""
    raise NotImplementedError
