"""Reads the body of a statements request strictly, and keeps the exact bytes of every statement."""
from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import msgspec
import orjson

from lrs.errors import Finding, Invalid, TooLarge
from lrs.statements import syntax
from lrs.statements.checks.report import Report, Where
from lrs.statements.limits import Limits
from lrs.statements.members import members
from lrs.statements.validate import REPORTED, batch_findings, findings

__all__ = ["Limits", "Received", "parse"]

_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])
_WHITE = b" \t\r\n"


class _Limits(Protocol):
    @property
    def body_max(self) -> int: ...
    @property
    def statement_max(self) -> int: ...
    @property
    def batch_max(self) -> int: ...
    @property
    def depth_max(self) -> int: ...
    @property
    def group_max(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Received:
    """A statement as it arrived: its exact bytes without white space around them, the same parsed, and the exact bytes of
    each of its members (None where nobody has taken it apart)."""

    raw: bytes
    value: dict[str, Any]
    members: Mapping[str, bytes] | None = None


def parse(body: bytes, limits: _Limits, version: str = "1.0.3") -> list[Received]:
    """The statements of a body, one object or an array of them (an empty array is an empty batch).

    Raises `TooLarge` for body, statement or batch beyond their limits. Raises `Invalid` for what is not strict JSON
    (with line and column), and for a key that occurs twice, nesting or a Group beyond the limits, and a statement
    that is no object: then the other bad statements of the batch are listed too, by the rules of `version`,
    the first 100 in all.
    """
    if len(body) > limits.body_max:
        raise _too_large("the body has", len(body), "bytes", "body_max", limits.body_max)
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Invalid([syntax.diagnosis(body, limits.depth_max)]) from None
    if not isinstance(value, (dict, list)):
        report = Report()
        report.add("body.shape", None, value)
        raise Invalid(report.findings)
    values = value if isinstance(value, list) else [value]
    if len(values) > limits.batch_max:
        raise _too_large("the batch has", len(values), "statements", "batch_max", limits.batch_max)
    raws = _texts(body, value, limits.depth_max)
    for index, raw in enumerate(raws):
        if len(raw) > limits.statement_max:
            raise _too_large(f"statement {index} has", len(raw), "bytes", "statement_max", limits.statement_max)
    doubtful = syntax.may_have_duplicates(body, value)
    faults = [_faults(raw, item, limits, doubtful) for raw, item in zip(raws, values, strict=True)]
    if any(faults):
        raise Invalid(_with_the_rest([Received(raw, item) for raw, item in zip(raws, values, strict=True)], faults, version))
    # only now: what takes a statement apart trusts that a strict parser has accepted it
    return [Received(raw, item, members(raw)) for raw, item in zip(raws, values, strict=True)]


def _with_the_rest(received: list[Received], faults: list[list[Finding]], version: str) -> list[Finding]:
    """The faults, and what else is wrong in the batch: of the first 100 bad statements, as `batch_findings` does."""
    others, _ = batch_findings(received, version)
    own = [replace(finding, index=index) for index, found in enumerate(faults) for finding in found]
    known = {(f.index, f.where, f.rule) for f in own}
    listed = own + [f for f in others if (f.index, f.where, f.rule) not in known]
    first = set(sorted({f.index or 0 for f in listed})[:REPORTED])
    return sorted((f for f in listed if (f.index or 0) in first), key=lambda f: f.index or 0)


def _texts(body: bytes, value: Any, depth_max: int) -> list[bytes]:
    if isinstance(value, dict):
        return [body.strip(_WHITE)]
    try:
        return [bytes(raw) for raw in _ARRAY.decode(body)]
    except RecursionError:
        deep = [i for i, item in enumerate(value) if syntax.depth(item) > depth_max]
        raise Invalid([replace(syntax.too_deep(depth_max), index=i) for i in deep]) from None


def _faults(raw: bytes, value: Any, limits: _Limits, doubtful: bool) -> list[Finding]:
    """What a statement breaks before any rule of xAPI is asked."""
    if not isinstance(value, dict):
        return findings(value)
    if raw.count(b"{") + raw.count(b"[") > limits.depth_max and syntax.depth(value) > limits.depth_max:
        return [syntax.too_deep(limits.depth_max)]
    found: list[Finding] = []
    if doubtful and syntax.may_have_duplicates(raw, value):
        try:
            found = syntax.duplicates(raw)
        except RecursionError:
            return [syntax.too_deep(limits.depth_max)]
    if b'"member"' in raw or b"\\u" in raw:
        found += _large_groups(value, limits.group_max)
    return found


def _large_groups(statement: dict[str, Any], group_max: int) -> list[Finding]:
    report = Report()
    for group, where in _groups(statement, None):
        members = group.get("member")
        if isinstance(members, list) and len(members) > group_max:
            report.add("limit.group", (where, "member"), members, count=len(members), limit=group_max)
    return report.findings


def _groups(statement: dict[str, Any], where: Where) -> Iterator[tuple[dict[str, Any], Where]]:
    for key in ("actor", "object", "authority"):
        if isinstance(statement.get(key), dict):
            yield statement[key], (where, key)
    context = statement.get("context")
    if isinstance(context, dict):
        for key in ("instructor", "team"):
            if isinstance(context.get(key), dict):
                yield context[key], ((where, "context"), key)
    inner = statement.get("object")
    if where is None and isinstance(inner, dict):
        yield from _groups(inner, (None, "object"))


def _too_large(what: str, size: int, unit: str, setting: str, limit: int) -> TooLarge:
    return TooLarge(f"{what} {size} {unit}; at most {limit} are taken (setting {setting})", setting, limit)
