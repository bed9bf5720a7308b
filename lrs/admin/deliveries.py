"""/api/v1/deliveries: what was sent, what was not, and sending it again."""
from __future__ import annotations

from typing import Any

from flask.views import MethodView
from marshmallow import Schema, fields, validate

from lrs import http
from lrs.admin.api import Moment, PageQuery, page, who
from lrs.admin.api import blueprint as made
from lrs.management import deliveries
from lrs.services import now_us
from lrs.store.protocols.work import Wanted

blueprint = made("deliveries", "One for each event and target")


class DeliverySchema(Schema):
    """A delivery."""

    id = fields.String(metadata={"description": "Its webhook-id, the same however often it is sent."})
    target = fields.String()
    event = fields.String(metadata={"example": "learning.completed"})
    event_id = fields.String()
    revision = fields.Integer()
    state = fields.String(validate=validate.OneOf(deliveries.STATES))
    attempts = fields.Integer(metadata={"description": "Attempts used up, of ten."})
    due = fields.String(allow_none=True)
    why = fields.String()
    created = fields.String()


class Attempt(Schema):
    """One attempt."""

    at = fields.String()
    state = fields.String()
    attempts = fields.Integer()
    why = fields.String()
    status = fields.Integer(allow_none=True)
    milliseconds = fields.Float()
    body = fields.String()


class WholeDelivery(DeliverySchema):
    """A delivery with its event and its attempts."""

    payload = fields.Dict(allow_none=True)
    tries = fields.List(fields.Nested(Attempt))


class DeliveriesPage(Schema):
    """A page of deliveries."""

    items = fields.List(fields.Nested(DeliverySchema))
    next = fields.String(allow_none=True)


class Which(Schema):
    """Which deliveries: all conditions hold."""

    target = fields.String(load_default="")
    state = fields.String(load_default="", validate=validate.OneOf(("", *deliveries.STATES)))
    event = fields.String(load_default="")
    person = fields.String(load_default="", metadata={"description": "An employee id."})
    course = fields.String(load_default="", metadata={"description": "A course's id."})
    since = Moment(load_default=None, allow_none=True, metadata={"description": "Created at or after this time."})
    until = Moment(load_default=None, allow_none=True, metadata={"description": "Created before this time."})


class DeliveriesQuery(PageQuery, Which):
    """Which deliveries, and which page of them."""


class Again(Which):
    """What shall be sent again."""

    ids = fields.List(fields.String(), load_default=list, validate=validate.Length(max=500))
    dry = fields.Boolean(load_default=False, metadata={"description": "Only count."})


class Released(Which):
    """What shall be tried again."""

    ids = fields.List(fields.String(), load_default=list, validate=validate.Length(max=500))


class Cancelled(Again):
    """What shall not be sent."""

    why = fields.String(load_default="", validate=validate.Length(max=500), metadata={"example": "imported twice"})


class Count(Schema):
    """How many."""

    count = fields.Integer()
    dry = fields.Boolean()


def _wanted(given: dict[str, Any]) -> Wanted:
    return Wanted(**{**given, "ids": tuple(given.get("ids", ()))})


@blueprint.route("")
class Deliveries(MethodView):
    """All deliveries."""

    @blueprint.arguments(DeliveriesQuery, location="query")
    @blueprint.response(200, DeliveriesPage)
    @blueprint.doc(summary="Deliveries, the newest first")
    def get(self, query: dict[str, Any]) -> Any:
        """A page."""
        limit, cursor = query.pop("limit"), query.pop("cursor")
        rows = deliveries.rows(http.services_of_request().store, _wanted(query), limit + 1, cursor)
        shown = rows[:limit]
        return page([deliveries.shown(row) for row in shown], deliveries.cursor_of(shown[-1]) if len(rows) > limit else "")


@blueprint.route("/<delivery_id>")
class Delivery(MethodView):
    """One delivery."""

    @blueprint.response(200, WholeDelivery)
    @blueprint.doc(summary="One delivery: its event and every attempt")
    def get(self, delivery_id: str) -> Any:
        """Show it."""
        return deliveries.show(http.services_of_request().store, delivery_id)


@blueprint.route("/replay", methods=["POST"])
@blueprint.arguments(Again)
@blueprint.response(200, Count)
@blueprint.doc(summary="Send finished deliveries again, under the same webhook-id", description=(
    "By id, or by what they have in common; with dry only the count, which is the number that would be sent."))
def replay(given: dict[str, Any]) -> Any:
    """Replay."""
    dry = given.pop("dry")
    services = http.services_of_request()
    count = deliveries.replay(services.store, _wanted(given), who=who(), now_us=now_us(), dry=dry)
    if not dry:
        services.wake()
    return {"count": count, "dry": dry}


@blueprint.route("/release", methods=["POST"])
@blueprint.arguments(Released)
@blueprint.response(200, Count)
@blueprint.doc(summary="Try parked deliveries again now")
def release(given: dict[str, Any]) -> Any:
    """Release."""
    services = http.services_of_request()
    count = deliveries.release(services.store, _wanted(given), who=who(), now_us=now_us())
    services.wake()
    return {"count": count, "dry": False}


@blueprint.route("/cancel", methods=["POST"])
@blueprint.arguments(Cancelled)
@blueprint.response(200, Count)
@blueprint.doc(summary="Never send what was not sent yet", description=(
    "By id, or by what they have in common; with dry only the count. One that is being sent at this moment is not touched. A replay "
    "by the state `cancelled` takes it back."))
def cancel(given: dict[str, Any]) -> Any:
    """Cancel."""
    dry, why = given.pop("dry"), given.pop("why")
    return {"count": deliveries.cancel(http.services_of_request().store, _wanted(given), who=who(), why=why, dry=dry), "dry": dry}
