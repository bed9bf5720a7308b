"""GET /api/v1/exports/facts: what `lrs export` writes, over HTTP."""
from __future__ import annotations

from typing import Any

from flask import Response
from flask.views import MethodView
from marshmallow import Schema, ValidationError, fields, validate

from analytics.exports import rows
from analytics.exports.rows import FORMATS, Wanted
from lrs import http
from lrs.admin.api import blueprint as made
from lrs.admin.api import who
from lrs.management import exports

blueprint = made("exports", "Facts and raw statements for analysts")


class Moment(fields.String):
    """An ISO 8601 time, or a cursor (µs since 1970), read as µs."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **more: Any) -> int:  # type: ignore[override]
        try:
            return rows.moment(super()._deserialize(value, attr, data, **more))
        except ValueError as error:
            raise ValidationError(str(error)) from error


def _verb(value: str) -> None:
    try:
        rows.verb(value)
    except ValueError as error:
        raise ValidationError(str(error)) from error


class FactsQuery(Schema):
    """What to export."""

    format = fields.String(load_default="csv", validate=validate.OneOf(list(FORMATS)), metadata={"description": "File format."})
    since = Moment(load_default=0, metadata={"description": "Only what was stored after this time (ISO 8601), or a cursor."})
    until = Moment(load_default=None, metadata={"description": "Only what was stored up to this time."})
    verb = fields.String(load_default="", validate=_verb, metadata={"description": "Only this canonical verb, or verb IRI."})
    course = fields.String(load_default="", metadata={"description": "Only this course (id or alias)."})
    raw = fields.Boolean(load_default=False, metadata={"description": "The statements themselves instead of facts."})


FILE = {
    "description": "The file",
    "headers": {"X-Export-Through": {"description": "The `since` of the next export", "schema": {"type": "integer"}}},
    "content": {media: {"schema": {"type": "string"}} for media in FORMATS.values()},
}


@blueprint.route("/facts")
class Facts(MethodView):
    """The facts of all statements."""

    @blueprint.arguments(FactsQuery, location="query")
    @blueprint.doc(summary="Export facts",
                   description="Streams the file; the columns are in docs/data-dictionary.md. To get only what is new next time, give "
                               "`since` the value of the header X-Export-Through.",
                   responses={"200": FILE})
    def get(self, query: dict[str, Any]) -> Response:
        """Stream the file."""
        kind = query.pop("format")
        name = "statements" if query["raw"] else "facts"
        services = http.services_of_request()
        # streamed outside of the request's context: the store is bound now
        through, pieces = exports.streamed(services.store, Wanted(**query), kind, who=who(), table=services.settings.facts_folder)
        return Response(pieces, mimetype=FORMATS[kind], headers={
            "Content-Disposition": f'attachment; filename="{name}.{kind}"', "X-Export-Through": str(through)})
