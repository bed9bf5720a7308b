"""/api/v1/people: the directory, imports, and who is waited for."""
from __future__ import annotations

from typing import Any

from flask import request
from flask.views import MethodView
from marshmallow import Schema, fields, validate

from lrs import http
from lrs.admin.api import PageQuery, paged, who
from lrs.admin.api import blueprint as made
from lrs.errors import Finding, Invalid
from lrs.management import people

blueprint = made("people", "Who statements are about")
CSV = ("text/csv", "application/csv")
TEXT = validate.Length(max=1000)


class PersonSchema(Schema):
    """A person of the directory."""

    employee_id = fields.String(metadata={"example": "007"})
    email = fields.String(metadata={"example": "ada@example.com"})
    name = fields.String(metadata={"example": "Ada Lovelace"})
    department = fields.String()
    job_code = fields.String()
    crm_id = fields.String()
    hris_id = fields.String()
    identifiers = fields.List(fields.String(), metadata={
        "description": "Normal forms by which statements name the person.", "example": ["mbox:ada@example.com"]})


class PeopleSchema(Schema):
    """A page of people."""

    items = fields.List(fields.Nested(PersonSchema))
    next = fields.String(allow_none=True)


class PeopleQuery(PageQuery):
    """Which people."""

    q = fields.String(load_default="", metadata={"description": "A part of employee id, name, e-mail or department."})
    email = fields.String(load_default="", metadata={"description": "An e-mail address of the person, also an alias."})
    identifier = fields.String(load_default="", metadata={
        "description": "As in an actor (mailto:…, a SHA-1, homePage|name, an OpenID URI), or a normal form (mbox:…, account:…)."})


class PutPersonSchema(Schema):
    """What to store of a person; what is left out is empty afterwards."""

    email = fields.String(validate=TEXT)
    name = fields.String(validate=TEXT)
    department = fields.String(validate=TEXT)
    job_code = fields.String(validate=TEXT)
    hris_id = fields.String(validate=TEXT)
    crm_id = fields.String(validate=TEXT)
    aliases = fields.List(fields.String(validate=TEXT), validate=validate.Length(max=100), metadata={"description": "Further e-mails."})
    identifiers = fields.List(fields.String(validate=TEXT), validate=validate.Length(max=100), metadata={
        "description": "mailto:…, a SHA-1 of it, homePage|name, or an OpenID URI."})


class ImportQuery(Schema):
    """How to import."""

    dry = fields.Boolean(load_default=False, metadata={"description": "Only say what would be taken and refused."})


class RefusedRowSchema(Schema):
    """A row that was not taken."""

    line = fields.Integer(metadata={"description": "Line of the file; the header is line 1."})
    why = fields.String()


class ImportedSchema(Schema):
    """What an import did."""

    people = fields.Integer(metadata={"description": "Rows taken."})
    new = fields.Integer(metadata={"description": "How many of them were not in the directory."})
    refused = fields.List(fields.Nested(RefusedRowSchema))
    dry = fields.Boolean()


class WaitingSchema(Schema):
    """Somebody whom the directory does not know."""

    identifier = fields.String(metadata={"example": "mbox:bo@example.com"})
    courses = fields.List(fields.String(), metadata={"description": "Courses of theirs that wait."})


class WaitingsSchema(Schema):
    """A page of unknown learners."""

    items = fields.List(fields.Nested(WaitingSchema))
    next = fields.String(allow_none=True)


@blueprint.route("")
class People(MethodView):
    """The directory."""

    @blueprint.arguments(PeopleQuery, location="query")
    @blueprint.response(200, PeopleSchema)
    @blueprint.doc(operationId="list_people", summary="The people of the directory, by employee id",
                   description="All conditions that are given hold.")
    def get(self, query: dict[str, Any]) -> Any:
        """A page of people."""
        limit = query.pop("limit")
        rows = people.listed(http.services_of_request().store, after=query.pop("cursor"), limit=limit + 1, **query)
        return paged(rows, limit, lambda row: str(row["employee_id"]))


@blueprint.route("/<employee_id>")
class Person(MethodView):
    """One person."""

    @blueprint.response(200, PersonSchema)
    @blueprint.doc(operationId="get_person", summary="A person", description="With every identifier by which statements name the person.")
    def get(self, employee_id: str) -> Any:
        """The person."""
        return people.shown(people.person(http.services_of_request().store, employee_id))

    @blueprint.arguments(PutPersonSchema, example={"email": "ada@example.com", "name": "Ada Lovelace", "aliases": ["ada@old.example"]})
    @blueprint.response(200, PersonSchema)
    @blueprint.doc(operationId="put_person", summary="Store or replace a person", description=(
        "What waited for one of the identifiers is released. The identifiers that follow from employee id and e-mails are added."),
        responses={"201": {"description": "The person is new"}})
    def put(self, given: dict[str, Any], employee_id: str) -> Any:
        """Put it."""
        services = http.services_of_request()
        one, new = people.put(services.store, {"employee_id": employee_id, **given}, who=who())
        services.wake()
        return people.shown(one), 201 if new else 200, {"Location": request.path} if new else {}


@blueprint.route("/import")
class Import(MethodView):
    """People from a file."""

    @blueprint.arguments(ImportQuery, location="query")
    @blueprint.response(200, ImportedSchema)
    @blueprint.doc(operationId="import_people", summary="Import people from CSV", description=(
        "The body is the file, in UTF-8, as for `lrs people import`: columns employee_id (required), email, name, department, job_code, "
        "hris_id, crm_id, aliases, identifiers. Rows that cannot be taken are named by line; the others are taken."),
        requestBody={"required": True, "content": {"text/csv": {"schema": {"type": "string"}, "example":
                                                               "employee_id,email,name\n007,ada@example.com,Ada Lovelace\n"}}})
    def post(self, query: dict[str, Any]) -> Any:
        """Import them."""
        if request.mimetype not in CSV:
            raise http.Refused(415, f"this resource reads text/csv, not {request.mimetype or 'a body without a type'}")
        services = http.services_of_request()
        try:
            lines = http.body().decode("utf-8-sig").splitlines(keepends=True)
            done = people.import_csv(services.store, lines, who=who(), dry=query["dry"])
        except UnicodeDecodeError as error:
            raise Invalid([Finding("", f"the file is not in UTF-8: {error.reason} at byte {error.start}", "people.csv", "")]) from None
        except Invalid:
            raise
        except ValueError as error:
            raise Invalid([Finding("", str(error), "people.csv", "")]) from None
        if not query["dry"]:
            services.wake()
        return {**done.as_json(), "dry": query["dry"]}


@blueprint.route("/waiting")
class Waiting(MethodView):
    """Who is waited for."""

    @blueprint.arguments(PageQuery, location="query")
    @blueprint.response(200, WaitingsSchema)
    @blueprint.doc(operationId="list_waiting_people", summary="Learners whom the directory does not know, and whose completions wait",
                   description="By identifier. Importing a person with that identifier releases what waits.")
    def get(self, query: dict[str, Any]) -> Any:
        """A page of them."""
        rows = people.waiting(http.services_of_request().store, after=query["cursor"], limit=query["limit"] + 1)
        return paged(rows, query["limit"], lambda row: str(row["identifier"]))
