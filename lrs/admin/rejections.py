"""/api/v1/rejections: what was refused, and why. A provider sees its own."""
from __future__ import annotations

from typing import Any

from flask import g
from flask.views import MethodView
from marshmallow import Schema, fields, validate

from lrs import http
from lrs.admin.api import Moment, NumberedQuery, before, paged, who
from lrs.admin.api import blueprint as made
from lrs.auth.scopes import allowed
from lrs.management import rejections
from lrs.store.protocols.rejections import COUNTED_BY, Sought

READERS = ("all/read", "statements/write")
blueprint = made("rejections", "What was refused, and why", {"Rejections": READERS, "Counts": READERS, "Rejection": READERS})
OWN = "A credential with the scope statements/write and without all/read sees its own only."


class SoughtQuery(Schema):
    """Which rejections; all conditions hold."""

    credential = fields.String(load_default="", metadata={"description": "Only of this credential's key."})
    code = fields.String(load_default="", metadata={"description": "Only with this code.", "example": "invalid"})
    rule = fields.String(load_default="", metadata={"description": "Only where this rule was broken, as `rule` of a finding names it."})
    status = fields.Integer(load_default=None, allow_none=True, validate=validate.Range(100, 599), metadata={
        "description": "Only with this status; 200: kept, though nothing could be made of it (webhooks)."})
    since = Moment(load_default=None, allow_none=True, metadata={"description": "Only from this time on (ISO 8601)."})
    until = Moment(load_default=None, allow_none=True, metadata={"description": "Only before this time."})


class RejectionsQuery(NumberedQuery, SoughtQuery):
    """Which page of which rejections."""


class CountsQuery(SoughtQuery):
    """What to count by."""

    by = fields.String(load_default="rule", validate=validate.OneOf(COUNTED_BY), metadata={
        "description": "cause: of a conflict of ids its known cause, else the code."})


class RejectionSchema(Schema):
    """A refused request."""

    n = fields.Integer()
    at = fields.String(metadata={"example": "2026-11-24T12:00:00.000000Z"})
    credential = fields.String()
    status = fields.Integer(metadata={"example": 400})
    code = fields.String(metadata={"example": "invalid"})
    message = fields.String()
    request_id = fields.String(metadata={"description": "As in the answer that the sender got."})
    rules = fields.List(fields.String(), metadata={"description": "The rules that were broken."})


class RejectionsSchema(Schema):
    """A page of rejections."""

    items = fields.List(fields.Nested(RejectionSchema))
    next = fields.String(allow_none=True)


class WholeRejectionSchema(RejectionSchema):
    """A refused request with what was wrong in it."""

    detail = fields.Dict(metadata={"description": "The answer that the sender got; of a conflict also both sides."})
    excerpt = fields.String(metadata={"description": "The first 2 kB of the body; persons and secrets are masked."})


class CountsSchema(Schema):
    """Counts."""

    by = fields.String()
    counted_most = fields.Integer(metadata={"description": "That many of the newest are counted."})
    items = fields.List(fields.Dict(), metadata={"example": [{"rule": "statement.verb", "count": 12}]})


@blueprint.route("")
class Rejections(MethodView):
    """The log of refusals."""

    @blueprint.arguments(RejectionsQuery, location="query")
    @blueprint.response(200, RejectionsSchema)
    @blueprint.doc(operationId="list_rejections", summary="What was refused, the newest first", description=f"Kept for 30 days. {OWN}")
    def get(self, query: dict[str, Any]) -> Any:
        """A page of rejections."""
        rows = rejections.listed(http.services_of_request().store, _sought(query), before=before(query), limit=query["limit"] + 1)
        return paged(rows, query["limit"], lambda row: str(row["n"]))


@blueprint.route("/counts")
class Counts(MethodView):
    """How often."""

    @blueprint.arguments(CountsQuery, location="query")
    @blueprint.response(200, CountsSchema)
    @blueprint.doc(operationId="count_rejections", summary="How often each rule was broken, or each cause met", description=OWN)
    def get(self, query: dict[str, Any]) -> Any:
        """The counts."""
        return rejections.counts(http.services_of_request().store, query["by"], _sought(query))


@blueprint.route("/<int:n>")
class Rejection(MethodView):
    """One refusal."""

    @blueprint.response(200, WholeRejectionSchema)
    @blueprint.doc(operationId="get_rejection", summary="A rejection with its findings and the beginning of what was sent", description=OWN)
    def get(self, n: int) -> Any:
        """The rejection."""
        return rejections.shown(http.services_of_request().store, n, only_of="" if _sees_all() else who())


def _sees_all() -> bool:
    return allowed(g.provider.scopes, "all/read")


def _sought(query: dict[str, Any]) -> Sought:
    """What may be seen of what was asked for: another's credential finds a provider nothing."""
    wanted = query["credential"]
    if not _sees_all():
        wanted = who() if wanted in ("", who()) else "\0nobody"
    return Sought(wanted, query["code"], query["rule"], query["status"], query["since"], query["until"])
