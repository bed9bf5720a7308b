"""What /api/v1/verbs and /api/v1/courses share: versions of a map, their diff, apply and rollback."""
from __future__ import annotations

from typing import Any

from flask.views import MethodView
from flask_smorest import Blueprint
from marshmallow import RAISE, Schema, fields

from lrs import http
from lrs.admin.api import page, who
from lrs.management import maps
from lrs.store.protocols.mappings import Mapping

DIFF_MOST = 20_000
"""Statements that a diff looks at in one request (some seconds); the CLI has no such limit."""
NUMBER = {"404": {"description": "There is no such version"}}
CHANGED = {"409": {"description": "Nothing was changed; the message says why"}}


class VersionSchema(Schema):
    """A version of a map."""

    number = fields.Integer()
    state = fields.String(metadata={"description": "proposed, active or retired"})
    base = fields.Integer(metadata={"description": "The version that was active when it was proposed; 0: none"})
    who = fields.String()
    at = fields.String()
    note = fields.String()
    applied = fields.String(allow_none=True)
    history = fields.String(allow_none=True, metadata={"description": "`read again` when the worker is through with it, else `waiting`"})


class VersionsSchema(Schema):
    """All versions."""

    items = fields.List(fields.Nested(VersionSchema))
    next = fields.String(allow_none=True)


class NoteSchema(Schema):
    """Why."""

    note = fields.String(load_default="", metadata={"description": "Why, for the list of versions."})


def add_versions(blueprint: Blueprint, kind: str) -> None:
    """Give the noun its resources versions, diff, apply and rollback. POST versions (propose) is the noun's own."""

    @blueprint.route("/versions/<int:number>")
    class Version(MethodView):
        """One version."""

        @blueprint.response(200, VersionSchema)
        @blueprint.doc(summary=f"A version of the {kind} map", responses=NUMBER)
        def get(self, number: int) -> Any:
            """The version."""
            return shown(kind, _there(kind, number).number)

    @blueprint.route("/versions/<int:number>/diff")
    class Diff(MethodView):
        """What a version would change."""

        @blueprint.doc(summary="What this version would change on history", description=(
            "Readings that change by provider and verb, completions that would be released, what counts no longer. Nothing is written. "
            f"Looks at {DIFF_MOST} statements at most: then `complete` is false, and `lrs {kind} diff` says the rest."),
            responses={"200": {"description": "Counts and samples"}, **NUMBER})
        def get(self, number: int) -> Any:
            """The diff."""
            _there(kind, number)
            return maps.as_json(maps.diff(http.services_of_request().store, kind, number, most=DIFF_MOST))

    @blueprint.route("/versions/<int:number>/apply")
    class Apply(MethodView):
        """Put a version in force."""

        @blueprint.response(200, VersionSchema)
        @blueprint.doc(summary="Put this version in force", description=(
            "The worker reads history again: what was never sent is released, nothing is sent twice, nothing is revoked."),
            responses={**NUMBER, **CHANGED})
        def post(self, number: int) -> Any:
            """Apply it."""
            _there(kind, number)
            services = http.services_of_request()
            maps.apply(services.store, kind, number, who=who())
            services.wake()
            return shown(kind, number)

    @blueprint.route("/rollback")
    class Rollback(MethodView):
        """Undo the last version."""

        @blueprint.arguments(NoteSchema, unknown=RAISE)
        @blueprint.response(200, VersionSchema)
        @blueprint.doc(summary="Put back in force what stood before the active version", responses=CHANGED)
        def post(self, given: dict[str, Any]) -> Any:
            """Roll back."""
            services = http.services_of_request()
            made = maps.rollback(services.store, kind, who=who(), note=given["note"])
            services.wake()
            return shown(kind, made.number)


def listed(kind: str) -> dict[str, Any]:
    """The page of all versions."""
    return page(maps.versions(http.services_of_request().store, kind))


def shown(kind: str, number: int) -> dict[str, Any]:
    """A version as the API shows it."""
    return next(one for one in maps.versions(http.services_of_request().store, kind) if one["number"] == number)


def _there(kind: str, number: int) -> Mapping:
    found = http.services_of_request().store.mappings.get(kind, number) if number < 2**63 else None
    if found is None:
        raise http.Refused(404, f"there is no version {number} of the {kind} map")
    return found
