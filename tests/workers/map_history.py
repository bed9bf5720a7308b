"""Statements, maps and runs of the worker, for the tests of maps that change under a history."""
from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

from lrs.completions.model import Course, Person
from lrs.completions.subjects import email_identifiers
from lrs.config import Settings
from lrs.ingest.batch import accept
from lrs.ingest.prepare import Provider
from lrs.management import courses, maps, verbs
from lrs.services import Services
from lrs.store.open_store import open_store
from lrs.store.protocols.work import TargetRow
from workers.route import route_once

COURSE = "https://courses.example/forklift"
VENDOR = "https://vendor.example/verbs/finished"
ADA = Person("7", "ada@example.com", "Ada", identifiers=tuple(email_identifiers("ada@example.com")))
BOB = Person("8", "bob@example.com", "Bob", identifiers=tuple(email_identifiers("bob@example.com")))


def made(folder: Path) -> Services:
    """A store with one course, two people and a target."""
    services = Services(Settings(data=folder), open_store(folder))
    services.store.directory.put_courses([Course(COURSE, "Forklift")])
    services.store.directory.put_people([ADA, BOB])
    services.store.work.add_target(TargetRow("hris", "webhook"))
    return services


def statement(verb: str = VENDOR, mail: str = "ada@example.com", course: str = COURSE, **more: Any) -> dict[str, Any]:
    """A statement of this verb, in full or the last part of one of ADL's."""
    return {"id": str(uuid.uuid4()), "actor": {"mbox": f"mailto:{mail}"}, "object": {"id": course},
            "verb": {"id": verb if ":" in verb else f"http://adlnet.gov/expapi/verbs/{verb}"}, **more}


def send(services: Services, *statements: dict[str, Any], provider: str = "sim") -> None:
    """Accept them from this provider."""
    authority = {"account": {"homePage": "https://lrs.example", "name": provider}}
    accept(services, json.dumps(statements).encode(), Provider(provider, frozenset({"statements/write"}), provider, authority))


def route(services: Services) -> None:
    """Until nothing is left, history that is to be read again included."""
    for _ in range(500):
        done = route_once(services)
        if not done.statements and not done.changes and not done.lost:
            return
    raise AssertionError("routing never ends")


def propose(services: Services, *rows: str, whole: bool = False) -> int:
    """A version of the verb map with these rows (verb, provider, type, canonical, completion_event; commas between)."""
    text = "\n".join(["verb_iri,provider,activity_type,canonical,completion_event", *rows])
    return verbs.propose_text(services.store, text, who="test", whole=whole).number


def rules(services: Services, **fields: Any) -> int:
    """A version of the verb map with these rules of a provider."""
    return verbs.propose_json(services.store, {"providers": [fields]}, who="test").number


def catalogue(services: Services, *put: dict[str, Any], removed: tuple[str, ...] = ()) -> int:
    """A version of the course map."""
    given = courses.read_json({"put": list(put), "removed": list(removed)}, "https://lrs.example")
    return courses.propose_read(services.store, given, who="test").number


def apply(services: Services, kind: str, number: int) -> None:
    """Apply, and let the worker read history again."""
    maps.apply(services.store, kind, number, who="test")
    route(services)


def roll_back(services: Services, kind: str) -> None:
    """Roll back, and let the worker read history again."""
    maps.rollback(services.store, kind, who="test")
    route(services)


def feed(services: Services) -> list[dict[str, Any]]:
    """Every event published so far."""
    return [json.loads(row.body) for row in services.store.work.feed(0, 100_000)]


def said(services: Services) -> list[tuple[str, str, str]]:
    """(employee, event, status) of each."""
    return [(one["user"]["externalId"], one["event"].removeprefix("learning."), one["result"]["status"]) for one in feed(services)]
