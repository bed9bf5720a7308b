"""/api/v1/courses: the catalogue and its versions."""
from __future__ import annotations

from typing import Any

from flask.views import MethodView
from marshmallow import RAISE, Schema, fields

from lrs import http
from lrs.admin.api import PageQuery, page, who
from lrs.admin.api import blueprint as made
from lrs.admin.maps import DIFF_MOST, VersionSchema, VersionsSchema, add_versions, listed, shown
from lrs.errors import Finding, Invalid
from lrs.management import courses, maps

blueprint = made("courses", "What can be completed")


class CourseSchema(Schema):
    """A course of the catalogue."""

    id = fields.String(required=True, metadata={"description": "Its IRI; another id becomes <public URL>/courses/<id>."})
    title = fields.String()
    aliases = fields.List(fields.String(), metadata={"description": "Other ids of it."})
    provider = fields.String(metadata={"description": "Who alone may speak for it; empty: anybody."})
    single_au = fields.String(metadata={"description": "The one activity that stands for it."})
    all_of = fields.List(fields.String(), metadata={"description": "Activities that must all be completed."})
    repeat_after_days = fields.Integer()
    attempts = fields.String(metadata={"description": "Empty, or per_registration."})
    hris_type = fields.Integer(allow_none=True)
    sessions = fields.List(fields.String(), metadata={"description": "Sessions, series or activity types that complete it by presence."})
    attendance_percent = fields.Integer(allow_none=True)


class CoursesQuery(PageQuery):
    """Which courses."""

    id = fields.String(load_default="", metadata={"description": "Only the course with this id or alias."})


class CourseProposalSchema(Schema):
    """Changes to the catalogue."""

    put = fields.List(fields.Nested(CourseSchema(unknown=RAISE)), load_default=list)
    removed = fields.List(fields.String(), load_default=list, metadata={"description": "Ids to take away."})
    note = fields.String(load_default="", metadata={"description": "Why, for the list of versions."})


@blueprint.route("")
class Courses(MethodView):
    """The catalogue."""

    @blueprint.arguments(CoursesQuery, location="query", unknown=RAISE)
    @blueprint.doc(summary="The courses of the catalogue, by id", responses={"200": {"description": "A page of courses"}})
    def get(self, query: dict[str, Any]) -> Any:
        """A page of courses."""
        store = http.services_of_request().store
        if query["id"]:
            found = courses.course(store, query["id"])
            return page([courses.as_json(found)] if found else [])
        rows = courses.courses(store, query["cursor"], query["limit"] + 1)
        shown_rows = rows[: query["limit"]]
        return page([courses.as_json(one) for one in shown_rows], shown_rows[-1].id if len(rows) > len(shown_rows) else "")

    @blueprint.arguments(CourseSchema, unknown=RAISE)
    @blueprint.doc(summary="Put one course", description=(
        "Propose and apply in one step: a version of the course map. The answer says what is released; the worker does it."),
        responses={"200": {"description": "The course as it stands, its version, and what is released"},
                   "400": {"description": "The course is wrong, or an id belongs to another"}})
    def put(self, given: dict[str, Any]) -> Any:
        """Put it."""
        services = http.services_of_request()
        step, wrong = courses.step_of(services.store, _read({"put": [given]}))
        if wrong:
            raise Invalid([Finding("/id", one.why, "mapping.course", "") for one in wrong])
        released: dict[str, int] = {}
        number = None
        if step.put:
            number = courses.propose_step(services.store, step, who=who(), note="put").number
            released = maps.diff(services.store, "courses", number, most=DIFF_MOST).released
            maps.apply(services.store, "courses", number, who=who())
            services.wake()
        [course_id] = [one.id for _, one in _read({"put": [given]}).courses]
        found = courses.course(services.store, course_id)
        return {"course": courses.as_json(found) if found else None, "version": number, "released": released}


@blueprint.route("/versions")
class CourseVersions(MethodView):
    """Versions of the catalogue."""

    @blueprint.response(200, VersionsSchema)
    @blueprint.doc(summary="The versions of the course map, the newest first")
    def get(self) -> Any:
        """All versions."""
        return listed("courses")

    @blueprint.arguments(CourseProposalSchema, unknown=RAISE)
    @blueprint.response(201, VersionSchema)
    @blueprint.doc(summary="Propose a version", description="Every fault is named by its place in the list; nothing is changed yet.",
                   responses={"400": {"description": "Courses are wrong, or nothing would change"}})
    def post(self, given: dict[str, Any]) -> Any:
        """Propose."""
        note = given.pop("note")
        version = courses.propose_read(http.services_of_request().store, _read(given), who=who(), note=note)
        return shown("courses", version.number), 201, {"Location": f"/api/v1/courses/versions/{version.number}"}


def _read(given: dict[str, Any]) -> courses.Read:
    read = courses.read_json(given, http.services_of_request().settings.public_url)
    if read.refused:
        raise Invalid([Finding("", one.why, "mapping.course", "", index=one.line) for one in read.refused])
    return read


add_versions(blueprint, "courses")
