"""/api/v1/credentials: who may send and read."""
from __future__ import annotations

from typing import Any

from flask import Response, g
from flask.views import MethodView
from marshmallow import Schema, fields, validate

from lrs import http
from lrs.admin.api import PageQuery, paged, who
from lrs.admin.api import blueprint as made
from lrs.auth import launch
from lrs.auth.scopes import MEANING, allowed
from lrs.errors import NotFound
from lrs.management import credentials

blueprint = made("credentials", "Who may send statements, and who may read", {
    "Test": ("all", "statements/write"), "Launch": ("launch",), "WebhookSecret": ("all",)})
KEY = "3f9a1c5d7e2b4a6c8d0e"


class CredentialSchema(Schema):
    """A credential. Its secret is not kept and cannot be shown."""

    key = fields.String(metadata={"description": "The user name of Basic authentication; also its id.", "example": KEY})
    name = fields.String(metadata={"description": "Who uses it; the name of the authority in its statements.", "example": "Acme LMS"})
    provider = fields.String(metadata={"description": "Provider whose statements these are.", "example": "acme-lms"})
    scopes = fields.List(fields.String(), metadata={"example": ["statements/read/mine", "statements/write"]})
    created = fields.String(metadata={"example": "2026-11-24T12:00:00.000000Z"})
    revoked = fields.Boolean(metadata={"description": "Whether it opens nothing any more."})
    origins = fields.List(fields.String(), metadata={
        "description": "Pages that may use it from a browser; none: those of the setting cors_origins.", "example": ["https://x.example"]})


class CreatedSchema(CredentialSchema):
    """A new credential."""

    secret = fields.String(metadata={"description": "The password. Shown this once."})
    webhook_secret = fields.String(metadata={"description": "Signs webhooks to /hooks/lms/<key> (Standard Webhooks)."})


class CredentialsSchema(Schema):
    """A page of credentials."""

    items = fields.List(fields.Nested(CredentialSchema))
    next = fields.String(allow_none=True)


class NewCredentialSchema(Schema):
    """A credential to create."""

    name = fields.String(required=True, validate=validate.Length(1, 200), metadata={"description": "Who uses it."})
    scopes = fields.List(fields.String(validate=validate.OneOf(list(MEANING))), load_default=list, metadata={
        "description": "What it opens; default: statements/write, statements/read/mine."})
    provider = fields.String(load_default="", validate=validate.Length(max=100), metadata={"description": "Default: the name."})
    key = fields.String(load_default="", metadata={"description": "Generated unless given; choose one where an answer may get lost."})
    secret = fields.String(load_default="", validate=validate.Length(max=1000), metadata={
        "description": "Generated unless given; at least 32 characters."})
    origins = fields.List(fields.String(validate=validate.Length(max=300)), load_default=list, validate=validate.Length(max=100), metadata={
        "description": "Pages that may use it from a browser; none: those of the setting cors_origins."})


class NewLaunchSchema(Schema):
    """A launch of content."""

    actor = fields.Dict(required=True, metadata={"description": "The learner: an Agent.", "example": {"mbox": "mailto:ada@example.com"}})
    activity = fields.String(required=True, validate=validate.Length(1, 2000), metadata={"description": "Id of the launched activity."})
    minutes = fields.Integer(load_default=launch.MINUTES, strict=True, validate=validate.Range(1, launch.MINUTES_MAX), metadata={
        "description": "How long it lasts."})
    registration = fields.String(load_default="", validate=validate.Length(max=36), metadata={"description": "A UUID."})
    name = fields.String(load_default="", validate=validate.Length(max=200), metadata={"description": "Default: that of who asks."})
    origins = fields.List(fields.String(validate=validate.Length(max=300)), load_default=list, validate=validate.Length(max=100), metadata={
        "description": "Pages that may use it from a browser; none: those of the credential that asks."})


class LaunchSchema(Schema):
    """A credential for one launch."""

    key = fields.String()
    secret = fields.String(metadata={"description": "The password. Shown this once."})
    expires = fields.String(metadata={"example": "2026-11-24T14:00:00.000000Z"})
    actor = fields.Dict()
    activity = fields.String()
    registration = fields.String()
    provider = fields.String()
    origins = fields.List(fields.String())
    endpoint = fields.String(metadata={"description": "Where the content finds xAPI."})
    fetch = fields.String(metadata={"description": "Hands the credential out once, to a POST (cmi5 8.2)."})
    query = fields.String(metadata={"description": "What to add to the URL of cmi5 content after ? (cmi5 8.1)."})


class StoredTestSchema(Schema):
    """What became of a test statement."""

    id = fields.String(metadata={"description": "The statement's id."})
    stored = fields.String()
    provider = fields.String()
    read = fields.Dict(metadata={"description": "How it was read: verb, rule, why."})
    triggers = fields.String()
    see = fields.String(metadata={"description": "Where the statement can be read."})
    see_with = fields.String(metadata={"description": "With which credential."})


class SecretSchema(Schema):
    """A secret."""

    webhook_secret = fields.String()


@blueprint.route("")
class Credentials(MethodView):
    """All credentials."""

    @blueprint.arguments(PageQuery, location="query")
    @blueprint.response(200, CredentialsSchema)
    @blueprint.doc(operationId="list_credentials", summary="The credentials, oldest first", description="Revoked ones included.")
    def get(self, query: dict[str, Any]) -> Any:
        """A page of credentials."""
        rows = credentials.listed(http.services_of_request().store, query["cursor"], query["limit"] + 1)
        return paged(rows, query["limit"], lambda row: str(row["key"]))

    @blueprint.arguments(NewCredentialSchema, example={"name": "Acme LMS", "scopes": ["statements/write", "statements/read/mine"]})
    @blueprint.response(201, CreatedSchema)
    @blueprint.doc(operationId="create_credential", summary="Create a credential", description="The secret is in this answer only.",
                   responses={"409": {"description": "The key is taken"}})
    def post(self, given: dict[str, Any]) -> Any:
        """Create it."""
        made = credentials.create(http.services_of_request(), who=who(), **given)
        return made, 201, {"Location": f"/api/v1/credentials/{made['key']}", "Cache-Control": "no-store"}


@blueprint.route("/launch")
class Launch(MethodView):
    """Credentials of launches."""

    @blueprint.arguments(NewLaunchSchema, example={"actor": {"mbox": "mailto:ada@example.com"}, "activity": "https://example.com/courses/1"})
    @blueprint.response(201, LaunchSchema)
    @blueprint.doc(operationId="launch_content", summary="Make a credential for one launch of content", description=(
        "Short-lived, and good for statements by this actor about this activity, its state and profiles, and nothing else. The statements "
        "have provider and authority of the credential that asks, which needs the scope launch or all; they end together."))
    def post(self, given: dict[str, Any]) -> Any:
        """Make it."""
        made = credentials.launch(http.services_of_request(), who=who(), for_key=who(), **given)
        return made, 201, {"Location": f"/api/v1/credentials/{made['key']}", "Cache-Control": "no-store"}


@blueprint.route("/<key>")
class Credential(MethodView):
    """One credential."""

    @blueprint.response(200, CredentialSchema)
    @blueprint.doc(operationId="get_credential", summary="A credential", description="Without its secret, which nobody keeps.")
    def get(self, key: str) -> Any:
        """The credential."""
        return credentials.shown(credentials.by_key(http.services_of_request().store, key))

    @blueprint.response(204)
    @blueprint.doc(operationId="revoke_credential", summary="Revoke a credential", description=(
        "From the next request on it opens nothing; what it stored stays. Again is as good. The last open credential with the scope all "
        "is kept: with it the last way to change anything here would go."),
        responses={"409": {"description": "It is the last one with the scope all"}})
    def delete(self, key: str) -> Any:
        """Revoke it."""
        credentials.revoke(http.services_of_request().store, key, who=who())
        return Response(status=204)


@blueprint.route("/<key>/webhook-secret")
class WebhookSecret(MethodView):
    """The secret of a credential's hook."""

    @blueprint.response(200, SecretSchema)
    @blueprint.doc(operationId="get_webhook_secret", summary="The secret that signs webhooks to /hooks/lms/<key>",
                   description="Needs the scope all; looking at it is in the audit log.")
    def get(self, key: str) -> Any:
        """The secret."""
        secret = credentials.webhook_secret(http.services_of_request().store, key, who=who())
        return {"webhook_secret": secret}, 200, {"Cache-Control": "no-store"}


@blueprint.route("/<key>/test")
class Test(MethodView):
    """A test statement."""

    @blueprint.response(201, StoredTestSchema)
    @blueprint.doc(operationId="send_test_statement", summary="Store a test statement as this credential would", description=(
        "One statement that is clearly a test, `experienced` on <public URL>/test, and completes nothing. The answer says how it was read "
        "and where to see it. A credential with the scope statements/write may ask this for itself."),
        responses={"409": {"description": "The credential is revoked"}})
    def post(self, key: str) -> Any:
        """Store it."""
        if not allowed(g.provider.scopes, "all") and key != who():
            # the same words, whether there is such a key or not
            raise NotFound(f'there is no credential "{key}"; see: lrs credentials list')
        told = credentials.test(http.services_of_request(), key, who=who())
        return told, 201, {"Location": f"/xapi/statements?statementId={told['id']}"}
