"""What an operator must see of a conflict of ids: both statements side by side, and the known cause."""
from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

CAUSE = "statement id without the object"
"""Some senders derive a statement's id from actor, time and verb only, so that two objects done at one instant collide:
the refused one is lost until it is sent again under an id of its own (e.g. re-import that course from the LMS)."""
COURSE_TYPES = ("http://adlnet.gov/expapi/activities/course", "https://w3id.org/xapi/cmi5/activitytype/course")


def told(stored: bytes, refused: Mapping[str, Any]) -> dict[str, Any]:
    """Verb and object of both, the cause where it is known ('' else), and whether the refused object is a course."""
    there = json.loads(stored)
    sides = {"stored": _side(there), "refused": _side(refused)}
    same_act = sides["stored"]["verb"] == sides["refused"]["verb"] and there.get("actor") == refused.get("actor")
    cause = CAUSE if same_act and sides["stored"]["object"] != sides["refused"]["object"] else ""
    target = refused.get("object")
    definition = target.get("definition") if isinstance(target, dict) else None
    is_course = isinstance(definition, dict) and definition.get("type") in COURSE_TYPES
    return {**sides, "cause": cause, "refused_is_course": is_course}


def _side(statement: Mapping[str, Any]) -> dict[str, str]:
    parts = {name: statement.get(name) for name in ("verb", "object")}
    return {name: str(part.get("id", "")) if isinstance(part, dict) else "" for name, part in parts.items()}
