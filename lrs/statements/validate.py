"""Holds a statement to every rule of its version of xAPI and returns what it breaks."""
from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from lrs.errors import Finding
from lrs.statements.checks import shapes
from lrs.statements.checks.activities import activity
from lrs.statements.checks.actors import actor, agent, authority, group
from lrs.statements.checks.attachments import attachments
from lrs.statements.checks.context import activity_only, context, context_2, reference
from lrs.statements.checks.report import Check, Report, Where
from lrs.statements.checks.results import result
from lrs.statements.seen import Seen

REPORTED = 100  # bad statements of one batch that are listed; the rest is a number
VOIDED = "http://adlnet.gov/expapi/verbs/voided"


class Parsed(Protocol):
    """A statement as `lrs.statements.parse` gives it."""

    @property
    def raw(self) -> bytes: ...
    @property
    def value(self) -> dict[str, Any]: ...
    @property
    def members(self) -> Mapping[str, bytes] | None: ...


def findings(
    value: Any, version: str = "1.0.3", raw: bytes | None = None, data: Container[str] = (), members: Mapping[str, bytes] | None = None
) -> list[Finding]:
    """Every rule that the statement breaks, in the order of its text (the first 1 000); none: it is valid.

    `value` is the parsed JSON, of whatever type. `raw` is its text: with it scores are compared digit by digit,
    without it as floats. `data` holds the hashes of the attachments that came with it. `members` are the texts of
    its members: what was found to break no rule is known again by them. `version` is the request's;
    raises ValueError for one whose rules we do not have.
    """
    check = _VERSIONS.get(version.rpartition(".")[0] if version.count(".") > 1 else version)
    if check is None:
        raise ValueError(f"no rules for version {version}")
    report = Report(raw, data, members)
    check(value, None, report)
    return report.findings


def batch_findings(received: Sequence[Parsed], version: str = "1.0.3", data: Container[str] = ()) -> tuple[list[Finding], int]:
    """The findings of the first 100 bad statements, each with its index, and how many statements are bad.

    An id that stands twice in the batch is a finding at its second place (xAPI 1.0.3 Communication 2.1.2).
    """
    listed: list[Finding] = []
    bad = 0
    first: dict[str, int] = {}
    for index, item in enumerate(received):
        broken = findings(item.value, version, item.raw, data, item.members)
        name = item.value.get("id") if isinstance(item.value, dict) else None
        if isinstance(name, str) and first.setdefault(name.lower(), index) != index:
            report = Report()
            report.add("batch.id_twice", (None, "id"), name, first=first[name.lower()], index=index)
            broken += report.findings
        if broken:
            bad += 1
            if bad <= REPORTED:
                listed += [replace(finding, index=index) for finding in broken]
    return listed, bad


def _whole(value: dict[str, Any], where: Where, report: Report) -> None:
    """What takes more than one property to see."""
    if not ("actor" in value and "verb" in value and "object" in value):
        for key in ("actor", "verb", "object"):
            if key not in value:
                report.add("statement.required", where, value, missing=key)
    target, verb, around = value.get("object"), value.get("verb"), value.get("context")
    kind = target.get("objectType", "Activity") if type(target) is dict else None
    if type(around) is dict and kind in _OTHER_OBJECTS:
        activity_only(around, (where, "context"), report)
    if type(verb) is dict and verb.get("id") == VOIDED and kind is not None and kind != "StatementRef":
        report.add("statement.void", (where, "object"), target)


def _verb(value: Any, where: Where, report: Report) -> None:
    if shapes.properties(value, where, report, _VERB) and "id" not in value:
        report.add("verb.id", where, value)


def _forbidden(key: str) -> Check:
    def check(value: Any, where: Where, report: Report) -> None:
        report.add("substatement.forbidden", where, value, key=key)

    return check


def _remembered(key: str, check: Check) -> Check:
    """The check of a member that is known again by its bytes. Not of what depends on more than them: a SubStatement's
    scores are compared in the statement's text, its attachments with the data that came."""
    seen: Seen[bool] = Seen()

    def known(value: Any, where: Where, report: Report) -> None:
        text = report.members.get(key) if report.members is not None else None
        if text is None or (type(value) is dict and value.get("objectType") == "SubStatement"):
            check(value, where, report)
        elif seen.get(text) is None:
            before = len(report.findings)
            check(value, where, report)
            if len(report.findings) == before:
                seen.put(text, True)

    return known


_VERB: shapes.Table = {"id": shapes.iri, "display": shapes.language_map}
_OTHER_OBJECTS = ("Agent", "Group", "StatementRef", "SubStatement")


def _rules(line: str, around: Check) -> Check:
    """The rules of a line of versions: they differ in the context and in what a statement's version may be."""
    common: dict[str, Check] = {
        "actor": actor,
        "verb": _verb,
        "result": result,
        "context": around,
        "timestamp": shapes.timestamp,
        "attachments": attachments,
    }

    def target(value: Any, where: Where, report: Report) -> None:
        kind = value.get("objectType", "Activity") if type(value) is dict else "Activity"
        check = objects.get(kind) if type(kind) is str else activity
        if check is None:
            report.add("object_type", (where, "objectType"), kind, allowed="\"Activity\"")
        else:
            check(value, where, report)

    def sub_target(value: Any, where: Where, report: Report) -> None:
        if type(value) is dict and value.get("objectType") == "SubStatement":
            report.add("substatement.nested", where, value)
        else:
            target(value, where, report)

    def statement(value: Any, where: Where, report: Report) -> None:
        if shapes.properties(value, where, report, whole):
            _whole(value, where, report)

    def sub_statement(value: Any, where: Where, report: Report) -> None:
        if shapes.properties(value, where, report, part):
            _whole(value, where, report)

    objects: dict[str, Check] = {
        "Activity": activity, "Agent": agent, "Group": group, "StatementRef": reference, "SubStatement": sub_statement,
    }
    whole: shapes.Table = {
        **common,
        "actor": _remembered("actor", actor),
        "verb": _remembered("verb", _verb),
        "object": _remembered("object", target),
        "id": shapes.uuid,
        "stored": shapes.timestamp,
        "authority": authority,
        "version": shapes.version(line),
    }
    part: shapes.Table = {
        **common,
        "object": sub_target,
        "objectType": shapes.exactly("SubStatement"),
        **{key: _forbidden(key) for key in ("id", "stored", "version", "authority")},
    }
    return statement


_VERSIONS: dict[str, Check] = {"1.0": _rules("1.0", context), "2.0": _rules("2.0", context_2)}
