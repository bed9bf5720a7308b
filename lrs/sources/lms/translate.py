"""An LMS's flat `learning.completed` payload, read into a statement."""
from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from lrs.completions.subjects import EMPLOYEES
from lrs.errors import Finding, Invalid
from lrs.statements.checks.formats import is_iri, is_mbox
from lrs.statements.checks.report import found as shown

EVENTS = ("learning.completed", "learning.updated")
VERBS = {
    "completed": ("http://adlnet.gov/expapi/verbs/completed", {"completion": True}),
    "passed": ("http://adlnet.gov/expapi/verbs/passed", {"completion": True, "success": True}),
    "failed": ("http://adlnet.gov/expapi/verbs/failed", {"completion": True, "success": False}),
    "completed_failed": ("http://adlnet.gov/expapi/verbs/completed", {"completion": True, "success": False}),
}
"""result.status of the payload → verb and result of the statement."""
COURSE = "http://adlnet.gov/expapi/activities/course"
NAMESPACE = uuid.UUID("6f2c2c1e-5d0b-5a8e-9d8c-3f7f0a6b1c55")


@dataclass(frozen=True, slots=True)
class Translated:
    """The statement (JSON bytes), and the course it names: its IRI and title."""

    statement: bytes
    course_id: str
    course_title: str


def translate(payload: Any, *, raw: bytes, connection: str, public_url: str, event_id: str = "") -> Translated:
    """Read the payload; raises `Invalid` with every finding.

    The statement's id is uuid5 of the connection and the event id (of the payload's bytes where there is none), so
    that a repeated webhook is the same statement. A person is named by the employee id where the payload has one,
    else by e-mail. A course id that is no IRI becomes `<public_url>/courses/<id>`.
    """
    if not isinstance(payload, Mapping):
        raise Invalid([Finding("", "the payload is one JSON object", "hook.shape", "")])
    user, course, result = (payload.get(part) for part in ("user", "course", "result"))
    findings: list[Finding] = []

    def wants(holds: bool, where: str, why: str, found: Any = "") -> None:
        if not holds:
            findings.append(Finding(where, why, "hook.shape", "", shown(found)))

    wants(payload.get("event") in EVENTS, "/event", f"one of {', '.join(EVENTS)}", payload.get("event"))
    wants(isinstance(user, Mapping) and (_text(user, "externalId") or _text(user, "email")) != "", "/user",
          "externalId or email, as text", user)
    wants(isinstance(course, Mapping) and _text(course, "id") != "", "/course/id", "the course's id, as text", course)
    wants(_text(result, "status") in VERBS, "/result/status",
          f"one of {', '.join(VERBS)}", result)
    score = result.get("score") if isinstance(result, Mapping) else None
    wants(score is None or (_is_number(score) and 0 <= score <= 100), "/result/score", "percent, 0 to 100", score)
    wants(_text(payload, "timestamp") != "", "/timestamp", "ISO 8601 time of the completion", payload.get("timestamp"))
    email = _text(user, "email")
    wants(email == "" or is_mbox(f"mailto:{email}"), "/user/email", "an e-mail address", email)
    if findings or not isinstance(result, Mapping):
        raise Invalid(findings)

    verb, outcome = VERBS[_text(result, "status")]
    course_id = course_iri(_text(course, "id"), public_url)
    event_id = event_id or _text(payload, "id")
    statement: dict[str, Any] = {
        "id": str(uuid.uuid5(NAMESPACE, f"{connection}\n{event_id}" if event_id else f"{connection}\n" + raw.hex())),
        "actor": _actor(_text(user, "externalId"), email),
        "verb": {"id": verb},
        "object": {"id": course_id, "definition": {"type": COURSE}},
        "result": dict(outcome),
        "timestamp": payload["timestamp"],
    }
    if score is not None:
        statement["result"]["score"] = {"scaled": score / 100}
    title = _text(course, "title")
    if title:
        statement["object"]["definition"]["name"] = {"und": title}
    return Translated(json.dumps(statement, ensure_ascii=False, separators=(",", ":")).encode(), course_id, title)


def course_iri(course_id: str, public_url: str) -> str:
    """The IRI under which a course id of an LMS is known."""
    if is_iri(course_id) and not course_id.endswith(":"):
        return course_id
    return f"{public_url.rstrip('/')}/courses/{quote(course_id, safe='')}"


def _actor(employee_id: str, email: str) -> dict[str, Any]:
    if employee_id:
        return {"objectType": "Agent", "account": {"homePage": EMPLOYEES, "name": employee_id}}
    return {"objectType": "Agent", "mbox": f"mailto:{email.lower()}"}


def _text(part: Any, name: str) -> str:
    value = part.get(name) if isinstance(part, Mapping) else None
    return value.strip() if isinstance(value, str) else ""


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
