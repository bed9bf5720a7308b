"""Checks Activities with their definitions and interactions (xAPI 1.0.3 Data 2.4.4.1)."""
from __future__ import annotations

from typing import Any

from lrs.statements.checks import shapes
from lrs.statements.checks.report import Report, Where

INTERACTIONS = frozenset({
    "true-false", "choice", "fill-in", "long-fill-in", "matching", "performance", "sequencing", "likert", "numeric",
    "other",
})
COMPONENT_LISTS = ("choices", "scale", "source", "target", "steps")


def activity(value: Any, where: Where, report: Report) -> None:
    """An Activity."""
    if shapes.properties(value, where, report, _ACTIVITY) and "id" not in value:
        report.add("activity.id", where, value)


def _definition(value: Any, where: Where, report: Report) -> None:
    if not shapes.properties(value, where, report, _DEFINITION):
        return
    if "interactionType" not in value:
        for key in _INTERACTION_PARTS:
            if key in value:
                report.add("interaction.type_missing", (where, key), value[key], needing=f"\"{key}\"")


def _interaction(value: Any, where: Where, report: Report) -> None:
    if type(value) is not str:
        shapes.wrong_type(value, where, report, "a string")
    elif value not in INTERACTIONS:
        report.add("interaction.type", where, value)


def _strings(value: Any, where: Where, report: Report) -> None:
    shapes.array(value, where, report, shapes.string)


def _component(value: Any, where: Where, report: Report) -> None:
    if shapes.properties(value, where, report, _COMPONENT) and "id" not in value:
        report.add("component.id", where, value)


def _components(value: Any, where: Where, report: Report) -> None:
    if not shapes.array(value, where, report, _component):
        return
    seen: set[str] = set()
    for index, item in enumerate(value):
        name = item.get("id") if type(item) is dict else None
        if type(name) is str:
            if name in seen:
                report.add("component.distinct", ((where, index), "id"), name)
            seen.add(name)


_INTERACTION_PARTS = ("correctResponsesPattern", *COMPONENT_LISTS)
_COMPONENT: shapes.Table = {"id": shapes.string, "description": shapes.language_map}
_DEFINITION: shapes.Table = {
    "name": shapes.language_map,
    "description": shapes.language_map,
    "type": shapes.iri,
    "moreInfo": shapes.iri,
    "extensions": shapes.extensions,
    "interactionType": _interaction,
    "correctResponsesPattern": _strings,
    **dict.fromkeys(COMPONENT_LISTS, _components),
}
_ACTIVITY: shapes.Table = {"objectType": shapes.exactly("Activity"), "id": shapes.iri, "definition": _definition}
