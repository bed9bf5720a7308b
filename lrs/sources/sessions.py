"""Live sessions as statements, the same for every vendor: who joined, who left, when it started and ended."""
from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

CLASSROOM = "https://w3id.org/xapi/virtual-classroom/activity-types/virtual-classroom"
JOINED = "http://activitystrea.ms/join"
LEFT = "http://activitystrea.ms/leave"
STARTED = "http://adlnet.gov/expapi/verbs/initialized"
ENDED = "http://adlnet.gov/expapi/verbs/terminated"
ATTENDED = "http://adlnet.gov/expapi/verbs/attended"
SHARED = "http://adlnet.gov/expapi/verbs/shared"
"""Of a recording: the session's statement with this verb has the link in `session.recording`. It judges nobody."""
SESSION = "https://concord-lrs.org/xapi/extensions/session"
"""Context extension of every statement about a live session: see `Said.session`."""

NAMESPACE = uuid.UUID("3f1f5f0e-5a63-5d0e-9a53-0c7f7c8a1b52")


@dataclass(frozen=True, slots=True)
class Said:
    """One thing that is known of a session, from a webhook or from a report.

    `key` makes the statement's id, so that the same said twice is the same statement. `verb` is one of this module.
    `actor` is the participant as strongly as he is named (the connection's own Agent for started, ended and shared). `instance`
    and `series` are activity ids: this run of the meeting, and what people call the meeting. `at` is ISO 8601 UTC.
    `session` holds `connection`, `instance` (the vendor's id), `participant` (every identifier the vendor gave:
    `user_id`, `participant_uuid`, `registrant_id`, `customer_key`, `email`, `id`; only those given), `device` (what
    tells two connections of one person apart), `scheduled_start` (ISO 8601), `scheduled_seconds`, `report` (true where
    it comes from the vendor's report), `recording` (a link).
    """

    key: tuple[str, ...]
    verb: str
    actor: Mapping[str, Any]
    instance: str
    series: str
    title: str
    at: str
    session: Mapping[str, Any] = field(default_factory=dict)
    result: Mapping[str, Any] | None = None


def statement(said: Said) -> dict[str, Any]:
    """The statement: a virtual classroom as object, its series as parent, the rest in one context extension."""
    parent = {"id": said.series, "objectType": "Activity", "definition": {"type": CLASSROOM}}
    definition: dict[str, Any] = {"type": CLASSROOM}
    if said.title:
        definition["name"] = {"und": said.title}
        parent["definition"] = {**definition}
    body: dict[str, Any] = {
        "id": str(uuid.uuid5(NAMESPACE, "\n".join(said.key))),
        "actor": dict(said.actor),
        "verb": {"id": said.verb},
        "object": {"id": said.instance, "objectType": "Activity", "definition": definition},
        "context": {"contextActivities": {"parent": [parent]}, "extensions": {SESSION: dict(said.session)}},
        "timestamp": said.at,
    }
    if said.result is not None:
        body["result"] = dict(said.result)
    return body
