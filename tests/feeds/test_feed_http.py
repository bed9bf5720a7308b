"""GET /feeds/completions: who may read, what is refused, and what a page promises."""
from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from every_store import every_store, settings_at
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from lrs.app import create_app
from lrs.auth import credentials, scopes
from lrs.completions.model import Person
from lrs.directory.csv import identifiers_of
from lrs.ingest.batch import accept
from lrs.ingest.prepare import Provider
from lrs.services import Services, store_of
from workers.route import route_once

FEED = "/feeds/completions"


@pytest.fixture
def services(tmp_path: Path, place: str) -> Iterator[Services]:
    settings = settings_at(place, tmp_path, public_url="http://lrs.example")
    store = store_of(settings)
    store.directory.put_people([Person("7", "ada@example.com", identifiers=tuple(identifiers_of("7", ["ada@example.com"])))])
    yield Services(settings, store)
    store.close()


@pytest.fixture
def client(services: Services) -> FlaskClient:
    return create_app(services).test_client()


def reader(services: Services, *scope: str, provider: str = "lms") -> tuple[str, str]:
    made = credentials.create(services.store.credentials, name="Reader", public_url="http://lrs.example", provider=provider,
                              scopes=scope or ("feeds/read",))
    return made.credential.key, made.secret


def publish(services: Services, provider: str, n: int = 1) -> list[str]:
    """n completions by this provider; the courses' ids."""
    courses = [f"https://courses.example/{uuid.uuid4()}" for _ in range(n)]
    body = json.dumps([{"actor": {"mbox": "mailto:ada@example.com"}, "verb": {"id": "http://adlnet.gov/expapi/verbs/completed"},
                        "object": {"id": course, "definition": {"type": "http://adlnet.gov/expapi/activities/course"}}}
                       for course in courses])
    accept(services, body.encode(), Provider(provider, frozenset({"all"}), provider,
                                             {"account": {"homePage": "http://lrs.example", "name": provider}}))
    while route_once(services).statements:
        pass
    return courses


def courses_of(answer: TestResponse) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [item["course"]["id"] for item in answer.json["items"]]


@pytest.mark.parametrize("scope", sorted(scopes.MEANING))
def test_only_the_scopes_of_the_table_open_the_feed(services: Services, client: FlaskClient, scope: str) -> None:
    answer = client.get(FEED, auth=reader(services, scope))
    opened = scope in ("feeds/read", "all/read", "all")
    assert answer.status_code == (200 if opened else 403)
    if not opened:
        assert answer.json["code"] == "forbidden"
        assert "feeds/read" in answer.json["message"]


def test_without_a_credential_or_with_a_wrong_or_revoked_one_it_is_401(services: Services, client: FlaskClient) -> None:
    key, secret = reader(services)
    services_after = client.get(FEED, auth=(key, secret))
    assert services_after.status_code == 200
    services.store.credentials.revoke(key)
    for answer in (client.get(FEED), client.get(FEED, auth=(key, "x" * 40)), client.get(FEED, auth=("nobody", secret)),
                   client.get(FEED, headers={"Authorization": "Bearer abc"}),
                   client.get(FEED, headers={"Authorization": "Basic é"}), client.get(FEED, auth=(key, secret))):
        assert (answer.status_code, answer.json["code"]) == (401, "unauthorized")
        assert answer.headers["WWW-Authenticate"].startswith("Basic ")


@pytest.mark.parametrize("text", ["-1", "x", "", " 1", "1.0", "1e3", "+1", "٣", "0x1", "9" * 19, "9" * 400, "\0", "%"])
@pytest.mark.parametrize("name", ["since", "limit"])
def test_a_number_that_is_none_is_named(services: Services, client: FlaskClient, name: str, text: str) -> None:
    answer = client.get(FEED, query_string={name: text}, auth=reader(services))
    assert answer.status_code == 400
    [finding] = answer.json["findings"]
    assert (finding["pointer"], finding["rule"], finding["found"]) == (f"?{name}", f"feed.{name}", text[:100])
    assert "a whole number from" in finding["why"]


@pytest.mark.parametrize(("limit", "status"), [(0, 400), (1, 200), (1000, 200), (1001, 400)])
def test_the_bounds_of_limit(services: Services, client: FlaskClient, limit: int, status: int) -> None:
    assert client.get(FEED, query_string={"limit": limit}, auth=reader(services)).status_code == status


def test_every_wrong_parameter_is_named_at_once(services: Services, client: FlaskClient) -> None:
    answer = client.get(FEED + "?since=soon&limit=all&after=3&Since=1", auth=reader(services))
    assert answer.status_code == 400
    assert sorted(finding["pointer"] for finding in answer.json["findings"]) == ["?Since", "?after", "?limit", "?since"]


@pytest.mark.parametrize("name", ["since", "limit", "exclude_source"])
def test_a_parameter_given_twice_is_refused(services: Services, client: FlaskClient, name: str) -> None:
    answer = client.get(f"{FEED}?{name}=1&{name}=2", auth=reader(services))
    assert answer.status_code == 400
    assert [finding["pointer"] for finding in answer.json["findings"]] == [f"?{name}"]


@every_store
def test_an_empty_feed_has_a_next_that_leads_to_what_comes_later(services: Services, client: FlaskClient) -> None:
    auth = reader(services)
    first = client.get(FEED, auth=auth)
    assert first.json == {"items": [], "next": FEED + "?since=0&limit=100", "cursor": 0, "more": False}
    [course] = publish(services, "sim")
    assert courses_of(client.get(first.json["next"], auth=auth)) == [course]


def test_a_cursor_beyond_the_end_waits_there(services: Services, client: FlaskClient) -> None:
    publish(services, "sim")
    answer = client.get(FEED, query_string={"since": 2**63 - 1}, auth=reader(services))
    assert (answer.json["items"], answer.json["cursor"]) == ([], 2**63 - 1)


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8])
def test_following_next_gives_every_item_once_in_order(services: Services, client: FlaskClient, limit: int) -> None:
    auth, courses = reader(services), publish(services, "sim", 7)
    seen, url = [], f"{FEED}?limit={limit}"
    for _ in range(20):
        answer = client.get(url, auth=auth)
        seen += courses_of(answer)
        assert answer.json["cursor"] == len(seen)
        assert f"limit={limit}" in answer.json["next"]
        if not answer.json["items"]:
            break
        url = answer.json["next"]
    assert seen == courses
    assert answer.json["more"] is False


def test_both_spellings_of_the_path_are_the_feed(services: Services, client: FlaskClient) -> None:
    auth = reader(services)
    assert client.get(FEED + "/", auth=auth).status_code == client.get(FEED, auth=auth).status_code == 200


@every_store
def test_the_own_provider_is_left_out_unless_told_otherwise(services: Services, client: FlaskClient) -> None:
    auth = reader(services, provider="lms")
    [own], [other] = publish(services, "lms"), publish(services, "sim")
    default = client.get(FEED, auth=auth)
    assert courses_of(default) == [other]
    assert courses_of(client.get(FEED + "?exclude_source=lms", auth=auth)) == [other]
    assert courses_of(client.get(FEED + "?exclude_source=sim", auth=auth)) == [own]
    assert courses_of(client.get(FEED + "?exclude_source=", auth=auth)) == [own, other]
    assert courses_of(client.get(FEED + "?exclude_source=nobody", auth=auth)) == [own, other]
    assert default.json["cursor"] == 2


@pytest.mark.parametrize("excluded", ["", "sim", "a b&c=ü"])
def test_next_carries_what_was_excluded(services: Services, client: FlaskClient, excluded: str) -> None:
    auth = reader(services, provider="lms")
    publish(services, "lms", 3)
    answer = client.get(FEED, query_string={"exclude_source": excluded, "limit": 2}, auth=auth)
    assert len(answer.json["items"]) == 2
    assert len(client.get(answer.json["next"], auth=auth).json["items"]) == 1


def test_a_page_that_is_excluded_whole_still_leads_on(services: Services, client: FlaskClient) -> None:
    auth = reader(services, provider="lms")
    publish(services, "lms", 5)
    [course] = publish(services, "sim")
    first = client.get(FEED + "?limit=5", auth=auth)
    assert (first.json["items"], first.json["cursor"], first.json["more"]) == ([], 5, True)
    assert courses_of(client.get(first.json["next"], auth=auth)) == [course]


@every_store
def test_a_full_page_read_again_is_the_same_bytes(services: Services, client: FlaskClient) -> None:
    auth = reader(services)
    publish(services, "sim", 4)
    before = client.get(FEED + "?since=1&limit=2", auth=auth).data
    publish(services, "sim", 3)
    assert client.get(FEED + "?since=1&limit=2", auth=auth).data == before


def test_the_items_are_the_bytes_that_were_published(services: Services, client: FlaskClient) -> None:
    publish(services, "sim", 3)
    bodies = [row.body for row in services.store.work.feed(0, 10)]
    assert client.get(FEED, auth=reader(services)).data.startswith(b'{"items":[' + b",".join(bodies) + b'],"next"')


@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_the_feed_is_only_read(services: Services, client: FlaskClient, method: str) -> None:
    answer = getattr(client, method)(FEED, auth=reader(services))
    assert answer.status_code == 405
    assert "GET" in answer.headers["Allow"]
