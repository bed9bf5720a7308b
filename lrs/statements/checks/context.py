"""Checks the context of a statement and references to statements (xAPI 1.0.3 Data 2.4.6, 2.4.4.3)."""
from __future__ import annotations

from typing import Any

from lrs.statements.checks import shapes
from lrs.statements.checks.activities import activity
from lrs.statements.checks.actors import actor, team
from lrs.statements.checks.report import Report, Where

KINDS = ("parent", "grouping", "category", "other")


def context(value: Any, where: Where, report: Report) -> None:
    """A context, but for what depends on the statement's object (see `activity_only`)."""
    shapes.properties(value, where, report, _CONTEXT)


def activity_only(value: dict[str, Any], where: Where, report: Report) -> None:
    """Note the properties of a context that are allowed only where the statement's object is an Activity."""
    for key in ("revision", "platform"):
        if key in value:
            report.add("context.activity_only", (where, key), value[key], key=key)


def reference(value: Any, where: Where, report: Report) -> None:
    """A StatementRef (2.4.4.3)."""
    if shapes.properties(value, where, report, _REFERENCE) and "id" not in value:
        report.add("reference.id", where, value)


def _statement(value: Any, where: Where, report: Report) -> None:
    if type(value) is dict and value.get("objectType") != "StatementRef":
        report.add("context.statement", where, value)
    else:
        reference(value, where, report)


def _activities(value: Any, where: Where, report: Report) -> None:
    if type(value) is list:
        shapes.array(value, where, report, activity)
    elif type(value) is dict:
        activity(value, where, report)
    else:
        shapes.wrong_type(value, where, report, "an Activity or an array of Activities")


def _context_activities(value: Any, where: Where, report: Report) -> None:
    if type(value) is not dict:
        shapes.wrong_type(value, where, report, "an object")
        return
    for key, item in value.items():
        if key in KINDS:
            _activities(item, (where, key), report)
        else:
            report.add("context.kind", (where, key), item, key=key[:100])


_REFERENCE: shapes.Table = {"objectType": shapes.exactly("StatementRef"), "id": shapes.uuid}
_CONTEXT: shapes.Table = {
    "registration": shapes.uuid,
    "instructor": actor,
    "team": team,
    "contextActivities": _context_activities,
    "revision": shapes.string,
    "platform": shapes.string,
    "language": shapes.language,
    "statement": _statement,
    "extensions": shapes.extensions,
}
