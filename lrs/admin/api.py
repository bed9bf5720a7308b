"""What every resource of the management API shares: its guard, its pages by cursor, its one error shape (docs/api.md)."""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NoReturn

import orjson
from flask import Request, Response, g, request
from flask_smorest import Blueprint
from marshmallow import RAISE, Schema, ValidationError, fields, missing, validate
from webargs.core import is_json
from webargs.flaskparser import FlaskParser

from lrs import http
from lrs.errors import Finding, Forbidden, Invalid
from lrs.statements.instants import instant

LIMIT, LIMIT_MAX = 100, 500
NUMBER_MAX = 2**53
"""The largest number of a row that a client may name: any JSON reader holds it exactly."""


class PageQuery(Schema):
    """Which page: items after the cursor that the page before gave."""

    cursor = fields.String(load_default="", metadata={"description": "`next` of the page before; leave it out for the first."})
    limit = fields.Integer(load_default=LIMIT, validate=validate.Range(1, LIMIT_MAX), metadata={"description": "Items a page."})


class NumberedQuery(PageQuery):
    """Which page of rows that have numbers: those before the cursor, the newest first."""

    cursor = fields.String(load_default="", validate=validate.Regexp(r"\d{0,15}\Z"), metadata={
        "description": "`next` of the page before; leave it out for the first."})


class Moment(fields.String):
    """An ISO 8601 time (without an offset: UTC), read as µs since 1970 UTC."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **more: Any) -> int:  # type: ignore[override]
        at = instant(super()._deserialize(value, attr, data, **more))
        if at is None:
            raise ValidationError("an ISO 8601 time, such as 2026-11-24T12:00:00Z")
        return at.micros


class FindingSchema(Schema):
    """One broken rule."""

    index = fields.Integer(allow_none=True, metadata={"description": "Place in a list, where the request carries one."})
    pointer = fields.String(metadata={"description": "JSON pointer into the body, or ?name of a parameter.", "example": "/name"})
    rule = fields.String(metadata={"example": "api.input"})
    section = fields.String(metadata={"description": "Section of the standard, if it is a rule of the standard."})
    found = fields.String()
    why = fields.String(metadata={"example": "Missing data for required field."})


class ErrorSchema(Schema):
    """The one error shape."""

    status = fields.Integer(metadata={"example": 400})
    code = fields.String(metadata={"example": "invalid"})
    message = fields.String(metadata={"example": "/name: Missing data for required field."})
    request_id = fields.String(metadata={"description": "Stands in the answer's X-Request-ID and in the log."})
    help = fields.String(metadata={"description": "Where to read on."})
    total = fields.Integer(metadata={"description": "How many things are wrong, where findings are given."})
    findings = fields.List(fields.Nested(FindingSchema))


class Arguments(FlaskParser):
    """Reads parameters and bodies: what nobody asked for is refused, and so is JSON that readers read differently."""

    DEFAULT_UNKNOWN_BY_LOCATION: ClassVar[dict[str, str | None]] = {
        **FlaskParser.DEFAULT_UNKNOWN_BY_LOCATION, "query": RAISE, "json": RAISE}

    def _raw_load_json(self, req: Request) -> Any:
        raw = http.body()
        if not raw:
            return missing
        if not is_json(req.mimetype):
            raise http.Refused(415, f"this resource reads application/json, not {req.mimetype or 'a body without a type'}")
        try:
            return orjson.loads(raw)
        except orjson.JSONDecodeError as error:
            raise Invalid([Finding("", f"not JSON: {error}", "api.json", "")]) from None

    def handle_error(self, error: ValidationError, req: Request, schema: Schema, *, error_status_code: int | None,
                     error_headers: Mapping[str, str] | None) -> NoReturn:
        """What a schema refuses, as findings: `?name` for a parameter, a JSON pointer for a member of the body."""
        places: Mapping[str, Any] = error.messages if isinstance(error.messages, Mapping) else {"json": error.messages}
        raise Invalid([Finding(_pointer(place, path), why, "api.input", "")
                       for place, tree in places.items() for path, why in _leaves(tree)])


class Part(Blueprint):
    """The resources of one noun."""

    ARGUMENTS_PARSER = Arguments()


def blueprint(name: str, description: str, opened_by: Mapping[str, tuple[str, ...]] | None = None) -> Part:
    """A blueprint at /api/v1/<name>: reading asks for the scope all/read, changing for all.

    `opened_by`: views (by name) that other scopes open; the view then says itself what they show to whom.
    """
    made = Part(name, name, url_prefix=f"/api/v1/{name}", description=description)
    made.before_request(_guard(opened_by or {}))
    made.errorhandler(RecursionError)(too_deep)
    return made


def _guard(opened_by: Mapping[str, tuple[str, ...]]) -> Callable[[], None]:
    def guard() -> None:
        """Who asks comes first: a stranger learns nothing about parameters."""
        view = (request.endpoint or "").rpartition(".")[2]
        reads = request.method in ("GET", "HEAD", "OPTIONS")
        http.provider(*opened_by.get(view, ("all/read",) if reads else ("all",)))
        if not reads and request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
            # a browser sends a password that it remembers along with what another page makes it post
            raise Forbidden("a page of another origin may not change anything here")
    return guard


def who() -> str:
    """The key of the credential that asks, for the audit log."""
    return str(g.provider.credential_id)


def too_deep(error: RecursionError) -> Response:
    """A body nested so deeply that no parser ends with it."""
    return http.failed(400, "invalid", "the body is nested too deeply")


def page(items: Sequence[Any], next_cursor: str = "") -> dict[str, Any]:
    """A page: its items, and the cursor of the next one (null on the last)."""
    return {"items": list(items), "next": next_cursor or None}


def paged(rows: Sequence[Any], limit: int, cursor: Callable[[Any], str]) -> dict[str, Any]:
    """A page of rows that were read one further than `limit`, to see whether more follow; `cursor` of its last row."""
    shown = rows[:limit]
    return page(shown, cursor(shown[-1]) if len(rows) > limit else "")


def before(query: Mapping[str, Any]) -> int | None:
    """The number that a `NumberedQuery` asks to stay below; None for the newest."""
    return int(query["cursor"]) if query["cursor"] else None


def _pointer(place: str, path: tuple[str, ...]) -> str:
    if place == "query":
        return f"?{path[0]}"
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in path if part != "_schema")


def _leaves(tree: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], str]]:
    if isinstance(tree, Mapping):
        return [leaf for name, below in tree.items() for leaf in _leaves(below, (*path, str(name)))]
    if isinstance(tree, list | tuple):
        return [leaf for below in tree for leaf in _leaves(below, path)]
    return [(path or ("",), str(tree))]
