"""/api/v1/targets: where completions go."""
from __future__ import annotations

from typing import Any

from flask import Response, url_for
from flask.views import MethodView
from marshmallow import Schema, fields, validate

from lrs import http
from lrs.admin.api import PageQuery, page, who
from lrs.admin.api import blueprint as made
from lrs.management import targets
from lrs.services import now_us

blueprint = made("targets", "Where completions go")


class TargetSchema(Schema):
    """A target; secrets are masked."""

    name = fields.String(metadata={"example": "hris"})
    connector = fields.String(metadata={"example": "webhook"})
    state = fields.String(validate=validate.OneOf(targets.STATES))
    why = fields.String(metadata={"description": "Why it is paused or disabled."})
    breaker = fields.String(metadata={"description": "closed, open or half-open."})
    settings = fields.Dict(metadata={"example": {"url": "https://hris.example.com/hook", "secret": "********", "timeout": 15}})
    failures = fields.Integer(metadata={"description": "Calls in a row that failed."})
    rests_until = fields.String(allow_none=True, metadata={"description": "It asked to be left alone, or its breaker is open, until then."})
    failing_since = fields.String(allow_none=True, metadata={"description": "Only failures since then; after five days it is disabled."})
    secret = fields.String(metadata={"description": "A generated signing secret, in the one answer that makes it."})


class TargetsPage(Schema):
    """A page of targets."""

    items = fields.List(fields.Nested(TargetSchema))
    next = fields.String(allow_none=True)


class NewTarget(Schema):
    """A target to be made."""

    name = fields.String(required=True, metadata={"example": "hris"})
    connector = fields.String(required=True, metadata={"example": "webhook", "description": "One of GET /targets/connectors."})
    settings = fields.Dict(keys=fields.String(), load_default=dict, metadata={
        "example": {"url": "https://hris.example.com/hook"},
        "description": "What the connector asks for; a webhook's secret is generated."})


class ChangedTarget(Schema):
    """Settings to be changed."""

    settings = fields.Dict(keys=fields.String(), required=True, metadata={
        "example": {"timeout": 5}, "description": "Those named are changed, null takes one away, the others stay."})


class Removed(Schema):
    """How a target is removed."""

    drop_waiting = fields.Boolean(load_default=False, metadata={"description": "Cancel what waits for it; it is never sent."})


class Why(Schema):
    """Why a target is stopped."""

    why = fields.String(load_default="", validate=validate.Length(max=500), metadata={"example": "maintenance until noon"})


class Tested(Schema):
    """How a target answered."""

    target = fields.String()
    ok = fields.Boolean()
    outcome = fields.String()
    why = fields.String()
    status = fields.Integer(allow_none=True)
    milliseconds = fields.Float()
    body = fields.String(metadata={"description": "The beginning of its answer, without our secrets."})


def _store() -> Any:
    return http.services_of_request().store


@blueprint.route("")
class Targets(MethodView):
    """All targets."""

    @blueprint.arguments(PageQuery, location="query")
    @blueprint.response(200, TargetsPage)
    @blueprint.doc(summary="The targets, by name")
    def get(self, query: dict[str, Any]) -> Any:
        """A page."""
        rows = targets.listed(_store(), now_us(), query["cursor"], query["limit"] + 1)
        shown = rows[:query["limit"]]
        return page(shown, shown[-1]["name"] if len(rows) > len(shown) else "")

    @blueprint.arguments(NewTarget)
    @blueprint.response(201, TargetSchema)
    @blueprint.doc(summary="Add a target", responses={"409": {}})
    def post(self, given: dict[str, Any]) -> Any:
        """Add one."""
        view = targets.create(_store(), who=who(), **given, now_us=now_us())
        return view, 201, {"Location": url_for("targets.Target", name=view["name"])}


@blueprint.route("/connectors")
class Connectors(MethodView):
    """What a target can be."""

    @blueprint.doc(summary="The connectors, and the settings each asks for", responses={"200": {"description": "All of them"}})
    def get(self) -> Any:
        """All connectors."""
        return page(targets.connectors())


@blueprint.route("/<name>")
class Target(MethodView):
    """One target."""

    @blueprint.response(200, TargetSchema)
    @blueprint.doc(summary="One target")
    def get(self, name: str) -> Any:
        """Show it."""
        return targets.shown(targets.by_name(_store(), name), now_us())

    @blueprint.arguments(ChangedTarget)
    @blueprint.response(200, TargetSchema)
    @blueprint.doc(summary="Change some of a target's settings")
    def patch(self, given: dict[str, Any], name: str) -> Any:
        """Change it."""
        return targets.change(_store(), name, who=who(), settings=given["settings"], now_us=now_us())

    @blueprint.arguments(Removed, location="query")
    @blueprint.response(204)
    @blueprint.doc(summary="Remove a target", responses={"409": {}}, description=(
        "409 while deliveries wait for it, unless drop_waiting cancels them, or are being sent at this moment. What was delivered to it "
        "stays on record; a later target of its name gets nothing that was owed to this one."))
    def delete(self, query: dict[str, Any], name: str) -> Any:
        """Remove it."""
        targets.remove(_store(), name, who=who(), drop_waiting=query["drop_waiting"])
        return Response(status=204)


def _state(path: str, state: str, summary: str) -> None:
    @blueprint.route(f"/<name>/{path}", methods=["POST"], endpoint=f"Target_{path}")
    @blueprint.arguments(Why)
    @blueprint.response(200, TargetSchema)
    @blueprint.doc(summary=summary)
    def view(given: dict[str, Any], name: str) -> Any:
        return targets.set_state(_store(), name, state, who=who(), why=given["why"], now_us=now_us())


_state("pause", "paused", "Stop sending to a target; what it is owed is kept")
_state("disable", "disabled", "Stop for good, until it is resumed; what it is owed is kept")
_state("resume", "active", "Send again; what waits goes at once")


@blueprint.route("/<name>/secret", methods=["POST"])
@blueprint.response(200, TargetSchema)
@blueprint.doc(summary="Give a webhook a new signing secret", description=(
    "Until DELETE of this address both the new and the old one sign, so that the receiver changes over without a gap. The new "
    "secret is answered this once."), responses={"409": {}})
def rotate(name: str) -> Any:
    """Rotate."""
    return targets.rotate(_store(), name, who=who(), now_us=now_us())


@blueprint.route("/<name>/secret", methods=["DELETE"])
@blueprint.response(204)
@blueprint.doc(summary="Retire the old signing secret: sign with the newest alone", responses={"409": {}})
def retire(name: str) -> Any:
    """Retire."""
    targets.retire(_store(), name, who=who(), now_us=now_us())
    return Response(status=204)


@blueprint.route("/<name>/test", methods=["POST"])
@blueprint.response(200, Tested)
@blueprint.doc(summary="Talk to a target once, writing nothing that a person would see")
def test(name: str) -> Any:
    """Test it."""
    return targets.test(_store(), name, now_us)
