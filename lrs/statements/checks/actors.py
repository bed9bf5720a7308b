"""Checks Agents, Groups and their accounts (xAPI 1.0.3 Data 2.4.2)."""
from __future__ import annotations

from typing import Any

from lrs.statements.checks import shapes
from lrs.statements.checks.report import Report, Where

IDENTIFIERS = ("mbox", "mbox_sha1sum", "openid", "account")


def _account(value: Any, where: Where, report: Report) -> None:
    if shapes.properties(value, where, report, _ACCOUNT) and not ("homePage" in value and "name" in value):
        report.add("account.required", where, value)


def _member(value: Any, where: Where, report: Report) -> None:
    if type(value) is dict and (value.get("objectType") == "Group"):
        report.add("group.nested", where, value)
    else:
        agent(value, where, report)


def _members(value: Any, where: Where, report: Report) -> None:
    shapes.array(value, where, report, _member)


def _no_members(value: Any, where: Where, report: Report) -> None:
    report.add("agent.member", where, value)


def _kind(value: Any, where: Where, report: Report) -> None:
    if type(value) is not str:
        shapes.wrong_type(value, where, report, "a string")
    elif value != "Agent" and value != "Group":
        report.add("object_type", where, value, allowed="\"Agent\" or \"Group\"")


def agent(value: Any, where: Where, report: Report) -> None:
    """An Agent: exactly one identifier, no members (2.4.2.1)."""
    if shapes.properties(value, where, report, _AGENT):
        count = _identifiers(value, where, report)
        if not count:
            report.add("actor.no_identifier", where, value)


def group(value: Any, where: Where, report: Report) -> None:
    """A Group: one identifier, or none and a list of members (2.4.2.2)."""
    if shapes.properties(value, where, report, _GROUP):
        count = _identifiers(value, where, report)
        if not count and "member" not in value:
            report.add("group.member", where, value)


def actor(value: Any, where: Where, report: Report) -> None:
    """An Agent or a Group, told apart by objectType; without one it is an Agent."""
    if type(value) is dict and value.get("objectType") == "Group":
        group(value, where, report)
    else:
        agent(value, where, report)


def team(value: Any, where: Where, report: Report) -> None:
    """The Group of `context.team` (2.4.6)."""
    if type(value) is dict and value.get("objectType") != "Group":
        report.add("context.team", where, value)
    else:
        group(value, where, report)


def authority(value: Any, where: Where, report: Report) -> None:
    """An Agent, or an anonymous Group of two Agents (2.4.9)."""
    actor(value, where, report)
    if type(value) is dict and value.get("objectType") == "Group":
        members = value.get("member")
        if any(key in value for key in IDENTIFIERS) or type(members) is not list or len(members) != 2:
            report.add("authority.group", where, value)


def _identifiers(value: dict[str, Any], where: Where, report: Report) -> int:
    count = ("mbox" in value) + ("account" in value) + ("openid" in value) + ("mbox_sha1sum" in value)
    if count > 1:
        several = " and ".join(key for key in IDENTIFIERS if key in value)
        report.add("actor.several_identifiers", where, value, several=several)
    return count


_ACCOUNT: shapes.Table = {"homePage": shapes.iri, "name": shapes.string}
_COMMON: dict[str, Any] = {
    "objectType": _kind,
    "name": shapes.string,
    "mbox": shapes.mbox,
    "mbox_sha1sum": shapes.sha1,
    "openid": shapes.iri,
    "account": _account,
}
_AGENT: shapes.Table = {**_COMMON, "member": _no_members}
_GROUP: shapes.Table = {**_COMMON, "member": _members}
