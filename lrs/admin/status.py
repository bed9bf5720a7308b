"""/api/v1/status: what arrived, what waits, what went out."""
from __future__ import annotations

from typing import Any

from flask.views import MethodView
from marshmallow import INCLUDE, Schema, fields

from lrs import http
from lrs.admin.api import blueprint as made
from lrs.management import status

blueprint = made("status", "One screen")


class StatusSchema(Schema):
    """The figures of `lrs status --json`."""

    class Meta:
        unknown = INCLUDE

    accepted = fields.Integer(metadata={"description": "Statements stored."})
    last_stored = fields.String(allow_none=True)
    refused = fields.Integer(metadata={"description": "Requests refused in the last 30 days."})
    behind = fields.Integer(metadata={"description": "Statements that no worker has met yet."})
    events = fields.Integer(metadata={"description": "Business events published."})
    parked = fields.Integer(metadata={"description": "Achievements that wait for an unknown learner."})
    parked_deliveries = fields.Integer()
    pending = fields.Integer()
    leased = fields.Integer()
    waiting = fields.Integer()
    delivered = fields.Integer()
    dead = fields.Integer()
    cancelled = fields.Integer()
    targets = fields.Dict(metadata={"description": "Target: its state."})
    breakers_open = fields.Dict(metadata={"description": "Targets that rest after failures: until when."})
    oldest_due_seconds = fields.Integer(allow_none=True, metadata={"description": "How long the longest due delivery has been due."})
    connections = fields.Dict(metadata={"description": "Connection: its state."})
    sessions_waiting = fields.Integer(metadata={"description": "Live sessions that are not concluded yet."})
    unmapped_verbs = fields.Integer(metadata={"description": "Verbs of the last 7 days that the map does not know."})
    worker = fields.Dict(metadata={"description": "state: idle, working or not seen; oldest_unrouted_seconds; last_call."})
    facts_behind = fields.Integer(allow_none=True, metadata={"description": "Rows that the table of facts lacks; null: no table."})
    last_export = fields.Raw(allow_none=True)
    at = fields.String()


@blueprint.route("")
class Status(MethodView):
    """The figures."""

    @blueprint.response(200, StatusSchema)
    @blueprint.doc(operationId="get_status", summary="What arrived, what was refused, what waits, what went out",
                   description="The same as `lrs status --json`.")
    def get(self) -> Any:
        """The figures."""
        services = http.services_of_request()
        return status.gather(services.store, services.settings.data, services.settings.facts_folder)
