"""A store with a connection to Zoom, and webhooks as they come in, for the tests of live sessions."""
from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lrs.auth import credentials
from lrs.completions.model import Course, Person
from lrs.completions.subjects import email_identifiers
from lrs.config import Settings
from lrs.ingest.batch import accept
from lrs.ingest.prepare import Provider
from lrs.services import Services
from lrs.sources.sessions import ATTENDED, SESSION, statement
from lrs.sources.zoom.translate import translate
from lrs.store.open_store import open_store
from lrs.store.protocols.connections import Connection
from workers.route import route_once

URL = "https://lrs.example"
UUID = "xY7+/abc=="
SERIES = "https://zoom.us/j/80000000001"
COURSE = "https://courses.example/briefing"
ADA = Person("7", "ada@example.com", "Ada", identifiers=tuple(email_identifiers("ada@example.com")))
MINUTE = 60_000_000


def us(time: str) -> int:
    """09:00:05 on the day of the meeting, in µs since 1970."""
    return int(datetime.fromisoformat(f"2026-01-01T{time}+00:00").astimezone(UTC).timestamp() * 1_000_000)


def opened(folder: Path, **settings: Any) -> Services:
    """The services on a store in the folder; the connection `live` is made where it is missing."""
    services = Services(Settings(data=folder, public_url=URL), open_store(folder))
    if services.store.connections.by_name("live") is None:
        key = credentials.create(services.store.credentials, name="Zoom", public_url=URL, provider="zoom", key="zoomkey").credential.key
        services.store.connections.create(Connection("live", "zoom", key, {"secret_token": "zoom-secret-token", **settings}))
        services.store.directory.put_courses([Course(COURSE, "Briefing", sessions=(SERIES,))])
    return services


def sender(services: Services, key: str = "zoomkey") -> Provider:
    found = services.store.credentials.by_key(key)
    assert found
    return Provider(found.key, found.scopes, found.provider, json.loads(found.authority))


def webhook(event: str, at: str, *, uuid: str = UUID, minutes: int = 60, start: str = "09:00:00", **participant: str) -> dict[str, Any]:
    fields: dict[str, Any] = {"uuid": uuid, "id": "80000000001", "topic": "Safety briefing", "type": 2, "duration": minutes,
                              "start_time": f"2026-01-01T{start}Z", "host_id": "HOST-1", "timezone": "UTC"}
    name = {"joined": "participant_joined", "left": "participant_left"}.get(event, event)
    time = f"2026-01-01T{at}Z"
    if event in ("joined", "left"):
        field = {"joined": "join_time", "left": "leave_time"}[event]
        fields["participant"] = {"user_name": "Somebody", "email": "", **participant, field: time}
    if event == "ended":
        fields["end_time"] = time
    return {"event": f"meeting.{name}", "event_ts": us(at) // 1000, "payload": {"account_id": "ACC-1", "object": fields}}


def hear(services: Services, *webhooks: dict[str, Any]) -> None:
    """Store what the webhooks say, as the hook does."""
    for one in webhooks:
        said = translate(one, "live", URL, services.store.directory.person_by_identifier).said
        accept(services, json.dumps([statement(each) for each in said]).encode(), sender(services))


def attended(services: Services) -> list[dict[str, Any]]:
    """The `attended` statements that stand, in the order in which they were stored."""
    records = services.store.statements.follow(0, 10_000)
    found = [json.loads(record.text) for record in records if not record.voided]
    return [one for one in found if one["verb"]["id"] == ATTENDED]


def said_of(one: dict[str, Any]) -> tuple[str, str, bool | None]:
    """Who, how long, whether that is a completion."""
    actor = one["actor"]
    who = actor.get("mbox", "").removeprefix("mailto:") or actor["account"]["name"]
    return who, one["result"]["duration"], one["result"].get("completion")


def session_of(one: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = one["context"]["extensions"][SESSION]
    return found


def feed(services: Services) -> list[tuple[str, str, int]]:
    while True:
        routed = route_once(services)
        if not routed.statements and not routed.changes:
            break
    rows = [json.loads(row.body) for row in services.store.work.feed(0, 1000)]
    return [(row["event"], row["user"]["externalId"], row["revision"]) for row in rows]
