"""/api/v1/audit: who changed what."""
from __future__ import annotations

from typing import Any

from flask.views import MethodView
from marshmallow import Schema, fields

from lrs import http
from lrs.admin.api import NumberedQuery, before, paged
from lrs.admin.api import blueprint as made
from lrs.management import audit

blueprint = made("audit", "Who changed what")


class AuditQuery(NumberedQuery):
    """Which entries."""

    who = fields.String(load_default="", metadata={"description": "Only of this credential's key, or cli:<system user>."})
    action = fields.String(load_default="", metadata={"description": "Only this action, or a noun alone.", "example": "credentials"})
    thing = fields.String(load_default="", metadata={"description": "Only what was done to this."})


class EntrySchema(Schema):
    """An entry of the audit log."""

    n = fields.Integer()
    at = fields.String(metadata={"example": "2026-11-24T12:00:00.000000Z"})
    who = fields.String(metadata={"example": "cli:root"})
    action = fields.String(metadata={"example": "credentials.create"})
    thing = fields.String()
    detail = fields.Dict(metadata={"description": "What matters of it, never a secret."})
    refused = fields.String(metadata={"description": "Empty, or why it was not done: then the entry before says that it was tried."})


class EntriesSchema(Schema):
    """A page of the audit log."""

    items = fields.List(fields.Nested(EntrySchema))
    next = fields.String(allow_none=True)


@blueprint.route("")
class Audit(MethodView):
    """The audit log."""

    @blueprint.arguments(AuditQuery, location="query")
    @blueprint.response(200, EntriesSchema)
    @blueprint.doc(operationId="list_audit", summary="Who changed what, the newest first",
                   description="Every change is written here before it is made; nothing is ever removed.")
    def get(self, query: dict[str, Any]) -> Any:
        """A page of entries."""
        rows = audit.listed(http.services_of_request().store, thing=query["thing"], who=query["who"], action=query["action"],
                            before=before(query), limit=query["limit"] + 1)
        return paged(rows, query["limit"], lambda row: str(row["n"]))
