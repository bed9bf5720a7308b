"""The verb map in force: the product's, with the installation's active version on top; a document and its parts."""
from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, Protocol

import verbs.read
from lrs.completions import providers
from lrs.completions.model import Course
from lrs.completions.providers import PROVIDER_RULES, ProviderRules
from lrs.store.protocols.mappings import CourseStep, Mappings
from verbs.installed import overlay
from verbs.tables import Row, VerbTable, load
from verbs.vocabulary import Reading

VERBS, COURSES = "verbs", "courses"


@dataclass(frozen=True, slots=True)
class Installed:
    """What an installation adds: rows of the verb map, and rules of providers (each replaces the product's).
    `whole_history`: applying it reads all statements again, not only those that it touches."""

    rows: tuple[Row, ...] = ()
    providers: tuple[ProviderRules, ...] = ()
    whole_history: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class VerbMap:
    """A verb map to read with. `rules` are the installation's, for `Catalogue`. Immutable; shared by threads."""

    table: VerbTable
    rules: tuple[ProviderRules, ...]
    score_min: Mapping[str, str]

    def read(self, statement: object, provider: str) -> Reading:
        """What the statement means when this provider says it (rule 12a included)."""
        return verbs.read.read(statement, provider, self.table, score_min=self.score_min.get(provider, verbs.read.LOWEST))


class _Store(Protocol):
    @property
    def mappings(self) -> Mappings: ...


def current(store: _Store) -> VerbMap:
    """The map in force, as of now: a version that was applied before this call is met. Costs microseconds."""
    active = store.mappings.active(VERBS)
    return verb_map(active.body, active.number) if active else product_map()


def product_map() -> VerbMap:
    """The map that comes with the product, with nothing on top."""
    return verb_map(b"", 0)


@lru_cache(maxsize=16)
def verb_map(body: bytes, number: int) -> VerbMap:
    """The product's map with this document on top; `number` is its version, b"" and 0 the product's alone."""
    installed = from_json(body)
    rules = {**PROVIDER_RULES, **{one.provider: one for one in installed.providers}}
    return VerbMap(overlay(load(), installed.rows, number), installed.providers, {name: one.score_min for name, one in rules.items()})


def to_json(installed: Installed) -> bytes:
    """The document, the same bytes for the same content."""
    rows = [{name: getattr(row, name) for name in ("verb_iri", "provider", "activity_type", "canonical", "completion_event", "note")}
            for row in sorted(installed.rows, key=lambda row: (row.verb_iri, row.provider, row.activity_type))]
    rules = [providers.to_json(one) for one in sorted(installed.providers, key=lambda one: one.provider)]
    whole = {"whole_history": True} if installed.whole_history else {}
    return json.dumps({"rows": rows, "providers": rules, **whole}, ensure_ascii=False).encode()


@lru_cache(maxsize=16)
def from_json(body: bytes) -> Installed:
    """The document that `to_json` wrote; empty for b""."""
    value: Mapping[str, Any] = json.loads(body) if body else {}
    return Installed(tuple(Row(**row, source="installation") for row in value.get("rows", ())),
                     tuple(providers.from_json(one) for one in value.get("providers", ())), value.get("whole_history", False))


def step_to_json(step: CourseStep) -> bytes:
    """The document of a version of the course map."""
    return json.dumps({"put": [asdict(one) for one in step.put], "removed": list(step.removed),
                       "before": [asdict(one) for one in step.before]}, ensure_ascii=False).encode()


def step_of(body: bytes) -> CourseStep:
    """The document that `step_to_json` wrote."""
    value = json.loads(body)
    return CourseStep([_course(one) for one in value["put"]], value["removed"], [_course(one) for one in value["before"]])


def _course(value: Mapping[str, Any]) -> Course:
    fields: dict[str, Any] = {name: tuple(part) if isinstance(part, list) else part for name, part in value.items()}
    return Course(**fields)
