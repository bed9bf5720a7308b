"""/api/v1/connections: outside sources of live sessions."""
from __future__ import annotations

from typing import Any

from flask.views import MethodView
from marshmallow import Schema, fields, validate

from lrs import http
from lrs.admin.api import NumberedQuery, PageQuery, before, paged, who
from lrs.admin.api import blueprint as made
from lrs.management import connections
from lrs.sources.registry import SOURCES
from lrs.store.protocols.connections import Connection as Row

blueprint = made("connections", "Live sessions coming in")


class ConnectionSchema(Schema):
    """A connection; secrets in its settings are masked."""

    name = fields.String(metadata={"example": "academy"})
    source = fields.String(metadata={"example": "zoom"})
    credential = fields.String(metadata={"description": "Key of the credential as which its statements are stored."})
    state = fields.String(metadata={"description": "active or paused"})
    created = fields.String()
    hook = fields.String(metadata={"description": "The address to give to the source.", "example": "https://lrs.example/hooks/zoom/academy"})
    settings = fields.Dict(metadata={"example": {"secret_token": "********", "retention_days": 30}})
    next_steps = fields.List(fields.String(), metadata={"description": "What is left to do on the source's side."})
    secrets_taken = fields.Integer(metadata={"description": "2 while the secret is being rotated, else 1."})


class ConnectionsSchema(Schema):
    """A page of connections."""

    items = fields.List(fields.Nested(ConnectionSchema))
    next = fields.String(allow_none=True)


class NewConnectionSchema(Schema):
    """A connection to create."""

    name = fields.String(required=True, metadata={"description": "Part of the hook's address: small letters, digits, dots, dashes."})
    source = fields.String(required=True, validate=validate.OneOf(list(SOURCES)))
    settings = fields.Dict(keys=fields.String(), values=fields.Raw(allow_none=True), load_default=dict, metadata={
        "description": "What the source asks for: GET /api/v1/connections/sources"})
    provider = fields.String(load_default="", validate=validate.Length(max=100), metadata={
        "description": "Provider of its statements; default: the name."})
    credential = fields.String(load_default="", metadata={
        "description": "Key of an existing credential with the scope statements/write; default: one is made."})


class ChangeSchema(Schema):
    """Settings to change."""

    settings = fields.Dict(required=True, keys=fields.String(), values=fields.Raw(allow_none=True), metadata={
        "description": "Those to change; null takes one away; a secret given as its mask stays."})


class RotateSchema(Schema):
    """A new secret."""

    secret = fields.String(required=True, validate=validate.Length(1, 500), metadata={"description": "The source's new secret."})


class SettingSchema(Schema):
    """A setting that a source has."""

    name = fields.String()
    help = fields.String()
    kind = fields.String(metadata={"description": "text, secret, int, bool or url"})
    required = fields.Boolean()
    default = fields.Raw(allow_none=True)


class SourceSchema(Schema):
    """A source."""

    source = fields.String()
    settings = fields.List(fields.Nested(SettingSchema))


class SourcesSchema(Schema):
    """All sources."""

    items = fields.List(fields.Nested(SourceSchema))
    next = fields.String(allow_none=True)


class PayloadSchema(Schema):
    """What came over a connection, as it came."""

    n = fields.Integer()
    at = fields.String()
    kind = fields.String(metadata={"description": "The source's name of the event.", "example": "meeting.participant_joined"})
    note = fields.String(metadata={"description": "Why nothing was made of it, where something should have been."})
    body = fields.String()


class PayloadsSchema(Schema):
    """A page of payloads."""

    items = fields.List(fields.Nested(PayloadSchema))
    next = fields.String(allow_none=True)


@blueprint.route("")
class Connections(MethodView):
    """All connections."""

    @blueprint.arguments(PageQuery, location="query")
    @blueprint.response(200, ConnectionsSchema)
    @blueprint.doc(operationId="list_connections", summary="The connections, by name", description="Paused ones included.")
    def get(self, query: dict[str, Any]) -> Any:
        """A page of connections."""
        services = http.services_of_request()
        rows = connections.listed(services.store, services.settings.public_url, query["cursor"], query["limit"] + 1)
        return paged(rows, query["limit"], lambda row: str(row["name"]))

    @blueprint.arguments(NewConnectionSchema, example={"name": "academy", "source": "zoom", "settings": {"secret_token": "kQ2…"}})
    @blueprint.response(201, ConnectionSchema)
    @blueprint.doc(operationId="create_connection", summary="Create a connection", description=(
        "With a credential of its own, unless one is named. The answer has the hook's address and what is left to do."),
        responses={"409": {"description": "The name is taken"}})
    def post(self, given: dict[str, Any]) -> Any:
        """Create it."""
        made = connections.add(http.services_of_request(), who=who(), **given)
        return _shown(made), 201, {"Location": f"/api/v1/connections/{made.name}"}


@blueprint.route("/sources")
class Sources(MethodView):
    """What a connection can be to."""

    @blueprint.response(200, SourcesSchema)
    @blueprint.doc(operationId="list_sources", summary="The sources that a connection can have", description="With what each asks for.")
    def get(self) -> Any:
        """All sources."""
        return {"items": [{"source": name, "settings": [
            {"name": one.name, "help": one.help, "kind": one.kind, "required": one.required, "default": one.default} for one in schema]}
            for name, schema in SOURCES.items()], "next": None}


@blueprint.route("/<name>")
class Connection(MethodView):
    """One connection."""

    @blueprint.response(200, ConnectionSchema)
    @blueprint.doc(operationId="get_connection", summary="A connection", description="Its secrets are masked.")
    def get(self, name: str) -> Any:
        """The connection."""
        return _shown(connections.by_name(http.services_of_request().store, name))

    @blueprint.arguments(ChangeSchema, example={"settings": {"retention_days": 14}})
    @blueprint.response(200, ConnectionSchema)
    @blueprint.doc(operationId="change_connection", summary="Change settings of a connection", description="The others stay.")
    def patch(self, given: dict[str, Any], name: str) -> Any:
        """Change it."""
        return _shown(connections.change(http.services_of_request().store, name, given["settings"], who=who()))


@blueprint.route("/<name>/pause")
class Pause(MethodView):
    """Stop taking what comes."""

    @blueprint.response(200, ConnectionSchema)
    @blueprint.doc(operationId="pause_connection", summary="Take nothing more over this connection", description="Again is as good.")
    def post(self, name: str) -> Any:
        """Pause it."""
        return _shown(connections.set_state(http.services_of_request().store, name, "paused", who=who()))


@blueprint.route("/<name>/resume")
class Resume(MethodView):
    """Take what comes again."""

    @blueprint.response(200, ConnectionSchema)
    @blueprint.doc(operationId="resume_connection", summary="Take what comes over this connection again", description="Again is as good.")
    def post(self, name: str) -> Any:
        """Resume it."""
        return _shown(connections.set_state(http.services_of_request().store, name, "active", who=who()))


@blueprint.route("/<name>/secret")
class Secret(MethodView):
    """The source's secret."""

    @blueprint.arguments(RotateSchema, example={"secret": "kQ2…"})
    @blueprint.response(200, ConnectionSchema)
    @blueprint.doc(operationId="rotate_connection_secret", summary="Give the connection a new secret",
                   description="The one that was newest is taken beside it, until DELETE …/secret.",
                   responses={"409": {"description": "The source proves itself by no secret"}})
    def put(self, given: dict[str, Any], name: str) -> Any:
        """Rotate it."""
        return _shown(connections.rotate(http.services_of_request().store, name, given["secret"], who=who()))

    @blueprint.response(200, ConnectionSchema)
    @blueprint.doc(operationId="finish_connection_rotation", summary="Take only the newest secret from now on",
                   description="Ends a rotation, once the source signs with the new secret.",
                   responses={"409": {"description": "There is one secret only"}})
    def delete(self, name: str) -> Any:
        """Finish the rotation."""
        return _shown(connections.finish_rotation(http.services_of_request().store, name, who=who()))


@blueprint.route("/<name>/payloads")
class Payloads(MethodView):
    """What came."""

    @blueprint.arguments(NumberedQuery, location="query")
    @blueprint.response(200, PayloadsSchema)
    @blueprint.doc(operationId="list_connection_payloads", summary="What came over the connection as it came, the newest first",
                   description="For as long as its setting retention_days says.")
    def get(self, query: dict[str, Any], name: str) -> Any:
        """A page of payloads."""
        rows = connections.payloads(http.services_of_request().store, name, before=before(query), limit=query["limit"] + 1)
        return paged(rows, query["limit"], lambda row: str(row["n"]))


def _shown(one: Row) -> dict[str, Any]:
    public_url = http.services_of_request().settings.public_url
    return {**connections.shown(public_url, one), "next_steps": connections.next_steps(public_url, one),
            "secrets_taken": connections.secrets_taken(one)}
