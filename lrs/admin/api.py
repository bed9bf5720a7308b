"""What every resource of the management API shares: its guard, its pages by cursor, its one error shape."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask import Response, g, request
from flask_smorest import Blueprint
from marshmallow import Schema, fields, validate
from werkzeug.exceptions import HTTPException

from lrs import http
from lrs.errors import Finding, Invalid

LIMIT, LIMIT_MAX = 100, 500


class PageQuery(Schema):
    """Which page: items after the cursor that the page before gave."""

    cursor = fields.String(load_default="", metadata={"description": "`next` of the page before; leave it out for the first."})
    limit = fields.Integer(load_default=LIMIT, validate=validate.Range(1, LIMIT_MAX), metadata={"description": "Items a page."})


class ErrorSchema(Schema):
    """The one error shape."""

    status = fields.Integer()
    code = fields.String()
    message = fields.String()
    request_id = fields.String()
    help = fields.String()
    total = fields.Integer()
    findings = fields.List(fields.Dict())


def blueprint(name: str, description: str) -> Blueprint:
    """A blueprint at /api/v1/<name>: reading asks for the scope all/read, changing for all."""
    made = Blueprint(name, name, url_prefix=f"/api/v1/{name}", description=description)
    made.before_request(guard)
    made.errorhandler(422)(bad_input)
    made.errorhandler(RecursionError)(too_deep)
    return made


def guard() -> None:
    """Who asks comes first: a stranger learns nothing about parameters."""
    http.provider("all/read" if request.method in ("GET", "HEAD", "OPTIONS") else "all")


def who() -> str:
    """The key of the credential that asks, for the audit log."""
    return str(g.provider.credential_id)


def bad_input(error: HTTPException) -> Response:
    """What a schema refuses, as findings: `?name` for a parameter, a JSON pointer for a member of the body."""
    messages: Mapping[str, Any] = getattr(error, "data", {}).get("messages", {})
    findings = [Finding(f"?{path[0]}" if place == "query" else "/" + "/".join(path), why, "api.input", "")
                for place, tree in messages.items() for path, why in _leaves(tree)]
    return http.failed(400, "invalid", str(Invalid(findings)), findings=findings)


def too_deep(error: RecursionError) -> Response:
    """A body nested so deeply that no parser ends with it."""
    return http.failed(400, "invalid", "the body is nested too deeply")


def page(items: Sequence[Any], next_cursor: str = "") -> dict[str, Any]:
    """A page: its items, and the cursor of the next one (null on the last)."""
    return {"items": list(items), "next": next_cursor or None}


def _leaves(tree: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], str]]:
    if isinstance(tree, Mapping):
        return [leaf for name, below in tree.items() for leaf in _leaves(below, (*path, str(name)))]
    if isinstance(tree, list | tuple):
        return [leaf for below in tree for leaf in _leaves(below, path)]
    return [(path or ("",), str(tree))]
