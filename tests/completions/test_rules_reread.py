"""Over the store: a tie, a threshold, an alias that comes after the statements releases what was never sent, once."""
from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lrs.completions.model import Course, Person
from lrs.completions.subjects import email_identifiers
from lrs.config import Settings
from lrs.ingest.batch import accept
from lrs.ingest.prepare import Provider
from lrs.services import Services
from lrs.sources.sessions import ATTENDED, CLASSROOM, SESSION
from lrs.store.open_store import open_store
from workers.reread import reread_once
from workers.route import route_once

COURSE = Course("https://courses.example/first-aid")
ROOM, SERIES = "https://zoom.example/m/1/instance/9", "https://zoom.example/m/1"
HOUR = {"scheduled_seconds": 3600, "length_seconds": 3600, "threshold_percent": 80}
COMPLETED = "http://adlnet.gov/expapi/verbs/completed"


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    store = open_store(tmp_path)
    store.directory.put_courses([COURSE])
    store.directory.put_people([Person("7", "ada@example.com", "Ada", identifiers=tuple(email_identifiers("ada@example.com")))])
    yield Services(Settings(data=tmp_path), store)
    store.close()


def send(services: Services, verb: str, activity: str, **more: Any) -> None:
    value = {"id": str(uuid.uuid4()), "actor": {"mbox": "mailto:ada@example.com"}, "verb": {"id": verb}, "object": {"id": activity}, **more}
    authority = {"account": {"homePage": "https://lrs.example", "name": "zoom"}}
    accept(services, json.dumps([value]).encode(), Provider("zoom", frozenset({"statements/write"}), "zoom", authority))


def attend(services: Services, minutes: int) -> None:
    context = {"contextActivities": {"parent": [{"id": SERIES}]}, "extensions": {SESSION: HOUR}}
    result = {"duration": f"PT{minutes}M", "completion": minutes >= 48}
    activity = {"object": {"id": ROOM, "definition": {"type": CLASSROOM}}}
    send(services, ATTENDED, ROOM, **activity, context=context, result=result)


def work(services: Services) -> list[tuple[str, str | None]]:
    """Until nothing is left to do; all events, with their course."""
    for _ in range(50):
        routed = route_once(services)
        if not routed.statements and not routed.changes and not reread_once(services).slices:
            return [(body["event"], body["course"]["id"]) for body in (json.loads(row.body) for row in services.store.work.feed(0, 100))]
    raise AssertionError("it never ends")


@pytest.mark.parametrize("tie", [ROOM, SERIES, CLASSROOM])
def test_rule_19_a_tie_that_is_made_later_releases_one_event(services, tie):
    attend(services, 50)
    assert work(services) == []
    for title in ("once", "and again"):
        services.store.directory.put_courses([replace(COURSE, title=title, sessions=(tie,))])
        assert work(services) == [("learning.completed", COURSE.id)]


def test_rule_19_a_lower_threshold_releases_what_was_too_short_and_a_higher_one_takes_nothing_back(services):
    services.store.directory.put_courses([replace(COURSE, sessions=(SERIES,))])
    attend(services, 40)
    assert work(services) == []
    for percent in (50, 90):
        services.store.directory.put_courses([replace(COURSE, sessions=(SERIES,), attendance_percent=percent)])
        assert work(services) == [("learning.completed", COURSE.id)]


def test_rule_1a_an_alias_that_is_catalogued_after_both_completions_leaves_one_achievement(services):
    alias = "https://publisher.example/first-aid"
    send(services, COMPLETED, COURSE.id)
    send(services, COMPLETED, alias, object={"id": alias, "definition": {"type": "http://adlnet.gov/expapi/activities/course"}})
    assert work(services) == [("learning.completed", COURSE.id), ("learning.completed", alias)]
    services.store.directory.put_courses([replace(COURSE, aliases=(alias,))])
    assert work(services)[2:] == [("learning.revoked", alias)]
    send(services, COMPLETED, alias)
    assert len(work(services)) == 3
