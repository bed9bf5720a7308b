"""/api/v1/verbs: the verb map, what it does not know, why a statement is read as it is, and its versions."""
from __future__ import annotations

from dataclasses import asdict
from typing import Any

from flask.views import MethodView
from marshmallow import RAISE, Schema, fields, validate

from lrs import http
from lrs.admin.api import PageQuery, page, who
from lrs.admin.api import blueprint as made
from lrs.admin.maps import VersionSchema, VersionsSchema, add_versions, listed, shown
from lrs.management import verbs

blueprint = made("verbs", "How statements are read in canonical verbs")
LOOKED_AT = 50_000
"""Statements that one request for unmapped verbs looks at: about half a second."""


class RowsQuery(PageQuery):
    """Which rows."""

    verb = fields.String(load_default="", metadata={"description": "Only rows of this canonical verb."})
    cursor = fields.String(load_default="", validate=validate.Regexp(r"\d{0,9}\Z"), metadata={"description": "`next` of the page before."})


class UnmappedQuery(Schema):
    """From where."""

    cursor = fields.String(load_default="", validate=validate.Regexp(r"\d{0,18}\Z"), metadata={"description": "`next` of the page before."})


class ExplainSchema(Schema):
    """A statement to explain."""

    statement = fields.Dict(required=True, metadata={"description": "The statement."})
    provider = fields.String(load_default="", metadata={"description": "Provider that sends it."})


class ProposalSchema(Schema):
    """Changes to what the installation adds to the product's map."""

    rows = fields.List(fields.Raw(), load_default=list, metadata={
        "description": "{verb_iri, provider, activity_type, canonical, completion_event, note}; canonical - takes a row away."})
    providers = fields.List(fields.Raw(), load_default=list, metadata={"description": "Rules of providers: {provider, score_min, …}."})
    without_providers = fields.List(fields.String(), load_default=list, metadata={"description": "Providers whose own rules go."})
    note = fields.String(load_default="", metadata={"description": "Why, for the list of versions."})
    history = fields.Boolean(load_default=False, metadata={
        "description": "Alone: read all of history again with the map in force, as after an update of the product."})
    whole = fields.Boolean(load_default=False, metadata={"description": "This is all that the installation adds."})


@blueprint.route("")
class Rows(MethodView):
    """The rows in force."""

    @blueprint.arguments(RowsQuery, location="query", unknown=RAISE)
    @blueprint.doc(summary="The rows of the verb map in force", responses={"200": {"description": "A page of rows, and the map's version"}})
    def get(self, query: dict[str, Any]) -> Any:
        """A page of rows."""
        store = http.services_of_request().store
        start, rows = int(query["cursor"] or 0), verbs.rows(store, query["verb"])
        end = start + query["limit"]
        return {**page([asdict(row) for row in rows[start:end]], str(end) if end < len(rows) else ""), **verbs.map_version(store)}


@blueprint.route("/unmapped")
class Unmapped(MethodView):
    """Verbs without a row."""

    @blueprint.arguments(UnmappedQuery, location="query", unknown=RAISE)
    @blueprint.doc(summary="Verbs that arrived and have no row", description=(
        f"By provider, with a suggestion. A page is what {LOOKED_AT} statements hold: sum the counts of all pages; `next` is null on "
        "the last."), responses={"200": {"description": "Counts by provider and verb"}})
    def get(self, query: dict[str, Any]) -> Any:
        """A page of counts."""
        store = http.services_of_request().store
        rows, reached = verbs.unmapped(store, int(query["cursor"] or 0), LOOKED_AT)
        return page(rows, str(reached) if store.statements.follow(reached, 1) else "")


@blueprint.route("/explain")
class Explain(MethodView):
    """Why a statement is read so."""

    @blueprint.arguments(ExplainSchema, unknown=RAISE)
    @blueprint.doc(summary="How a statement is read: by which row and rule, and what it would trigger",
                   responses={"200": {"description": "Reading and judgement"}})
    def post(self, given: dict[str, Any]) -> Any:
        """Explain it; nothing is stored."""
        return verbs.explain(http.services_of_request().store, given["statement"], given["provider"])


@blueprint.route("/versions")
class Versions(MethodView):
    """Versions of what the installation adds."""

    @blueprint.response(200, VersionsSchema)
    @blueprint.doc(summary="The versions of the verb map, the newest first")
    def get(self) -> Any:
        """All versions."""
        return listed("verbs")

    @blueprint.arguments(ProposalSchema, unknown=RAISE)
    @blueprint.response(201, VersionSchema)
    @blueprint.doc(summary="Propose a version",
                   description="Every fault is named by its place in the list and its field; nothing is changed yet.",
                   responses={"400": {"description": "Rows are wrong, or nothing would change"}})
    def post(self, given: dict[str, Any]) -> Any:
        """Propose."""
        store = http.services_of_request().store
        note, whole, history = given.pop("note"), given.pop("whole"), given.pop("history")
        version = (verbs.propose_history(store, who=who(), note=note) if history and not any(given.values()) else
                   verbs.propose_json(store, given, who=who(), note=note, whole=whole))
        return shown("verbs", version.number), 201, {"Location": f"/api/v1/verbs/versions/{version.number}"}


add_versions(blueprint, "verbs")
