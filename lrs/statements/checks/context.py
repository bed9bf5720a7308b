"""Checks the context of a statement (xAPI 1.0.3 Data 2.4.6; 2.0 4.2.2.5) and references to statements (2.4.4.3)."""
from __future__ import annotations

from typing import Any

from lrs.statements.checks import shapes
from lrs.statements.checks.activities import activity
from lrs.statements.checks.actors import actor, agent, group, team
from lrs.statements.checks.report import Check, Report, Where
from lrs.statements.members import members
from lrs.statements.seen import Seen

_OF_STATEMENT: Where = ((None, "context"), "contextActivities")
_SEEN: Seen[bool] = Seen()
KINDS = ("parent", "grouping", "category", "other")


def context(value: Any, where: Where, report: Report) -> None:
    """A context, but for what depends on the statement's object (see `activity_only`)."""
    shapes.properties(value, where, report, _CONTEXT)


def context_2(value: Any, where: Where, report: Report) -> None:
    """A context of xAPI 2.0, which also names the Agents and Groups around a statement."""
    shapes.properties(value, where, report, _CONTEXT_2)


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
    text = None
    if where == _OF_STATEMENT and report.members is not None:
        text = members(report.members["context"])["contextActivities"]
        if _SEEN.get(text):
            return
    before = len(report.findings)
    _checked_activities(value, where, report)
    if text is not None and len(report.findings) == before:
        _SEEN.put(text, True)


def _checked_activities(value: Any, where: Where, report: Report) -> None:
    if type(value) is not dict:
        shapes.wrong_type(value, where, report, "an object")
        return
    for key, item in value.items():
        if key in KINDS:
            _activities(item, (where, key), report)
        else:
            report.add("context.kind", (where, key), item, key=key[:100])


def _around(kind: str, who: str, check: Check) -> Check:
    """The entries of contextAgents or contextGroups: an object of this kind with `who` and, perhaps, relevantTypes."""
    table: shapes.Table = {"objectType": shapes.exactly(kind), who: check, "relevantTypes": _relevant_types}

    def entry(value: Any, where: Where, report: Report) -> None:
        if shapes.properties(value, where, report, table):
            for key in ("objectType", who):
                if key not in value:
                    report.add("context.around", where, value, missing=key, kind=kind)

    def entries(value: Any, where: Where, report: Report) -> None:
        shapes.array(value, where, report, entry)

    return entries


def _relevant_types(value: Any, where: Where, report: Report) -> None:
    if shapes.array(value, where, report, shapes.iri) and not value:
        report.add("context.relevant_types", where, value)


def _one_group(value: Any, where: Where, report: Report) -> None:
    """A Group that says so: without objectType it would be an Agent."""
    if type(value) is dict and value.get("objectType") != "Group":
        report.add("context.group", where, value)
    else:
        group(value, where, report)


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
_CONTEXT_2: shapes.Table = {
    **_CONTEXT,
    "contextAgents": _around("contextAgent", "agent", agent),
    "contextGroups": _around("contextGroup", "group", _one_group),
}
