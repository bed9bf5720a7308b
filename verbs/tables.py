"""Load and check the verb map: rows, folding, outcomes; and look a verb up in it."""
from __future__ import annotations

import csv
import hashlib
import io
import re
import tomllib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files

from lrs.memo import Memo
from verbs.vocabulary import Via

CANONICAL = (
    "attempted", "completed", "scored", "passed", "failed", "progressed", "satisfied", "waived", "abandoned", "mastered", "revoked",
    "attended", "registered", "answered", "experienced", "interacted", "session", "voided", "other",
)  # fmt: skip
"""The canonical verbs, the five of the business first. `unmapped` is not one: it says that no row exists."""

KINDS = ("yes", "no", "by_threshold", "opt_in", "revoke", "never")
COLUMNS = ("verb_iri", "provider", "activity_type", "canonical", "completion_event", "source", "note")
OUTCOMES = ("", "completed", "passed", "failed", "completed_failed", "waived", "attended",
            "passed_incomplete", "failed_incomplete", "progress", "contradiction")  # fmt: skip


class BadTable(ValueError):
    """The verb map breaks its own rules; the text names each place."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row: what a verb means when this provider ('' = any) says it of this activity type ('' = any)."""

    verb_iri: str
    provider: str
    activity_type: str
    canonical: str
    completion_event: str
    source: str
    note: str


@dataclass(frozen=True, slots=True)
class Fold:
    """One step of folding: `match` is replaced by `put`, once unless `everywhere`."""

    why: str
    match: re.Pattern[str]
    put: str
    everywhere: bool = False
    verbs_only: bool = False


@dataclass(frozen=True, slots=True)
class OutcomeLine:
    """One line of the outcome table; None is "any". `completion`, `success`: true, false or "absent"."""

    rule: str
    outcome: str
    verb: str
    kind: str | None = None
    provider: str | None = None
    activity_type: str | None = None
    completion: bool | str | None = None
    success: bool | str | None = None

    def holds(
        self, canonical: str, kind: str, provider: str, activity_type: str, completion: bool | None, success: bool | None
    ) -> bool:
        """Whether the line applies to a statement read by a row of these parts with these results (None: absent)."""
        return (
            self.verb == canonical
            and self.kind in (None, kind)
            and self.provider in (None, provider)
            and self.activity_type in (None, activity_type)
            and (self.completion is None or self.completion == ("absent" if completion is None else completion))
            and (self.success is None or self.success == ("absent" if success is None else success))
        )


@dataclass(frozen=True, slots=True)
class Hit:
    """A row found, and how a reading names it."""

    row: Row
    via: Via


@dataclass(frozen=True, slots=True, eq=False)
class VerbTable:
    """A version of the verb map. Made by `parse` or `load`; never changed."""

    version: int
    rows: tuple[Row, ...]
    folds: tuple[Fold, ...]
    outcomes: tuple[OutcomeLine, ...]
    categories: Mapping[str, str]
    scoreless_verbs: frozenset[str]
    scoreless_iris: frozenset[str]
    measured_by: frozenset[str]
    rules: Mapping[str, str]
    index: Mapping[tuple[str, str, str], Row]
    by_segment: Mapping[str, str]

    def fold(self, iri: str, *, verb: bool = True) -> str:
        """The IRI as it is looked up when it has no row itself. Bare words are folded for verbs only."""
        for step in self.folds:
            if verb or not step.verbs_only:
                iri = step.match.sub(step.put, iri, count=0 if step.everywhere else 1)
        return iri

    def find(self, verb_iri: str, providers: Sequence[str] = (), activity_type: str = "") -> Hit | None:
        """The most specific row: provider and type, provider, type, verb alone; exact verb first, then folded.

        `providers` are tried in order at each step. The activity type is matched as sent, then folded: else an exact
        verb with another spelling of the type would slip past the row that excludes it.
        """
        return _FOUND[self, verb_iri, tuple(p for p in providers if p), activity_type]

    def outcome(self, row: Row, completion: bool | None, success: bool | None) -> OutcomeLine | None:
        """The line of the outcome table that decides (rule 8); None where the verb class has no status."""
        return _outcome(self, row.canonical, row.completion_event, row.provider, row.activity_type, completion, success)

    def carries_score(self, row: Row) -> bool:
        """Whether a score in the statement is a result of the learner (rules 10 and 12)."""
        return row.canonical not in self.scoreless_verbs and row.verb_iri not in self.scoreless_iris

    def suggestion(self, verb_iri: str) -> str:
        """The canonical verb that an unmapped IRI's last segment hints at; '' if none or not clear. Never applied."""
        return self.by_segment.get(_SEGMENTS[verb_iri], "")


def _find(asked: tuple[VerbTable, str, tuple[str, ...], str]) -> Hit | None:
    table, verb_iri, providers, activity_type = asked
    types = [(activity_type, False)] if activity_type else []
    if activity_type and (other := table.fold(activity_type, verb=False)) != activity_type:
        types.append((other, True))
    verbs = [(verb_iri, False)]
    if (other := table.fold(verb_iri)) != verb_iri:
        verbs.append((other, True))
    for verb, verb_folded in verbs:
        steps = [(p, t, f) for p in providers for t, f in types] + [(p, "", False) for p in providers]
        steps += [("", t, f) for t, f in types] + [("", "", False)]
        for provider, kind_of, type_folded in steps:
            row = table.index.get((verb, provider, kind_of))
            if row is not None:
                return Hit(row, Via(row.verb_iri, row.provider, row.activity_type, verb_folded or type_folded))
    return None


@lru_cache(maxsize=4096)
def _outcome(
    table: VerbTable, canonical: str, kind: str, provider: str, activity_type: str, completion: bool | None, success: bool | None
) -> OutcomeLine | None:
    return next((line for line in table.outcomes if line.holds(canonical, kind, provider, activity_type, completion, success)), None)


def _segment(iri: str) -> str:
    last = re.split(r"[/#:]", iri.strip().rstrip("/"))[-1].lower()
    return re.sub(r"\.(?:html|json)\Z", "", last)


_FOUND = Memo(_find, 2_048)
_SEGMENTS = Memo(_segment, 4_096)


def by_segment(rows: Sequence[Row]) -> dict[str, str]:
    """The canonical verb of each last segment of a verb IRI, where the rows agree on it (see `VerbTable.suggestion`)."""
    found: dict[str, set[str]] = defaultdict(set)
    preferred: dict[str, str] = {}
    for row in rows:
        if row.provider or row.activity_type:
            continue
        found[_segment(row.verb_iri)].add(row.canonical)
        if row.verb_iri.startswith("http://adlnet.gov/expapi/verbs/"):
            preferred.setdefault(_segment(row.verb_iri), row.canonical)
    clear = {segment: next(iter(verbs)) for segment, verbs in found.items() if len(verbs) == 1}
    return clear | preferred


def _faults(rows: Sequence[Row], outcomes: Sequence[OutcomeLine]) -> list[str]:
    faults, seen = [], set()
    for n, row in enumerate(rows, start=2):
        key = (row.verb_iri, row.provider, row.activity_type)
        checks = (
            (not row.verb_iri, "no verb IRI"),
            (any(part != part.strip() for part in key), "space around a key"),
            (row.canonical not in CANONICAL, f"canonical verb {row.canonical!r} is not in the vocabulary"),
            (row.completion_event not in KINDS, f"completion_event {row.completion_event!r} is unknown"),
            (key in seen, f"the key {key} stands twice"),
        )
        faults += [f"row {n}: {why}" for bad, why in checks if bad]
        seen.add(key)
    faults += [f"{v}: no row without provider and type" for v in sorted({r.verb_iri for r in rows}) if (v, "", "") not in seen]
    for line in outcomes:
        if line.outcome not in OUTCOMES or line.verb not in CANONICAL or line.kind not in (None, *KINDS):
            faults.append(f"outcome line {line} names what the vocabulary lacks")
    return faults


def parse(map_text: str, rows_text: bytes) -> VerbTable:
    """The table in these two files (the TOML of `map.toml`, the CSV of its rows). Raises `BadTable`, naming every fault."""
    spec = tomllib.loads(map_text)
    version = spec.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise BadTable(f"version must be a whole number from 1, not {version!r}")
    digest = hashlib.sha256(rows_text).hexdigest()
    if digest != spec.get("rows_sha256"):
        raise BadTable(f"the rows have changed (sha256 {digest}): raise `version` and put the new digest in map.toml")
    reader = csv.DictReader(io.StringIO(rows_text.decode("utf-8"), newline=""))
    if tuple(reader.fieldnames or ()) != COLUMNS:
        raise BadTable(f"columns must be {', '.join(COLUMNS)}")
    rows = tuple(Row(**{name: cells[name] or "" for name in COLUMNS}) for cells in reader)
    folds = tuple(
        Fold(f["why"], re.compile(f["match"]), f["put"], f.get("all", False), f.get("verbs_only", False)) for f in spec["fold"]
    )
    outcomes = tuple(OutcomeLine(**line) for line in spec["outcome"])
    if faults := _faults(rows, outcomes):
        raise BadTable("; ".join(faults))
    return VerbTable(
        version=version,
        rows=rows,
        folds=folds,
        outcomes=outcomes,
        categories=spec["recognised_by_category"],
        scoreless_verbs=frozenset(spec["no_score"]["canonical"]),
        scoreless_iris=frozenset(spec["no_score"]["verb_iri"]),
        measured_by=frozenset(spec["measured_presence"]["extension"]),
        rules=spec["rules"],
        index={(r.verb_iri, r.provider, r.activity_type): r for r in rows},
        by_segment=by_segment(rows),
    )


@cache
def load() -> VerbTable:
    """The table that comes with the product; read once a process."""
    data = files("verbs") / "data"
    map_text = (data / "map.toml").read_text(encoding="utf-8")
    return parse(map_text, (data / tomllib.loads(map_text)["rows"]).read_bytes())
