"""Packed bodies and answers, and pages of other origins."""
from __future__ import annotations

import base64
import dataclasses
import gzip
import json
import tracemalloc
import zlib
from typing import Any

import brotli
import pytest
from flask.testing import FlaskClient

from lrs.app import create_app
from lrs.auth import credentials
from lrs.encodings import asks_for_gzip, inflated, packed
from lrs.errors import Invalid, TooLarge
from lrs.services import Services

PATH = "/xapi/statements"
STATEMENT = {"actor": {"mbox": "mailto:ann@example.com"}, "verb": {"id": "http://x.example/did"}, "object": {"id": "http://x.example/a"}}
TEXT = json.dumps(STATEMENT).encode()


GZIPPED = gzip.compress(TEXT, mtime=0)


def raw_deflate(data: bytes) -> bytes:
    machine = zlib.compressobj(wbits=-15)
    return machine.compress(data) + machine.flush()


@pytest.mark.parametrize(("coding", "body"), [
    ("gzip", GZIPPED), ("x-gzip", GZIPPED), ("deflate", zlib.compress(TEXT)), ("deflate", raw_deflate(TEXT)),
    ("br", brotli.compress(TEXT)), ("br, gzip", gzip.compress(brotli.compress(TEXT))),
    ("identity", TEXT), ("deflate, gzip", gzip.compress(zlib.compress(TEXT), mtime=0)), ("GZIP", GZIPPED),
])
def test_a_packed_body_is_read(client: FlaskClient, coding: str, body: bytes) -> None:
    answer = client.post(PATH, data=body, content_type="application/json", headers={"Content-Encoding": coding})
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(("coding", "body"), [
    ("br", TEXT), ("br", brotli.compress(TEXT)[:-2]), ("br", brotli.compress(TEXT) + b"x"), ("br", b""), ("zstd", TEXT),
    ("gzip", TEXT), ("gzip", GZIPPED[:-6]), ("gzip", GZIPPED + b"x"), ("deflate", b""),
])
def test_a_body_that_does_not_fit_its_coding_is_refused(client: FlaskClient, coding: str, body: bytes) -> None:
    answer = client.post(PATH, data=body, content_type="application/json", headers={"Content-Encoding": coding})
    assert (answer.status_code, answer.json["findings"][0]["rule"]) == (400, "http.coding")


def test_a_bomb_is_stopped_at_the_limit(client: FlaskClient) -> None:
    bomb = gzip.compress(b"\0" * (64 << 20))
    answer = client.post(PATH, data=bomb, content_type="application/json", headers={"Content-Encoding": "gzip"})
    assert (answer.status_code, answer.json["code"]) == (413, "too_large")
    twice = gzip.compress(bomb)
    answer = client.post(PATH, data=twice, content_type="application/json", headers={"Content-Encoding": "gzip, gzip"})
    assert answer.status_code == 413


def test_statements_are_packed_for_who_takes_it(client: FlaskClient) -> None:
    client.post(PATH, json=[STATEMENT] * 20)
    plain, small = client.get(PATH), client.get(PATH, headers={"Accept-Encoding": "br, gzip;q=0.5"})
    assert small.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(small.data) == plain.data
    assert len(small.data) < len(plain.data) / 3
    assert "Content-Encoding" not in client.get(PATH, headers={"Accept-Encoding": "gzip;q=0"}).headers


def test_a_document_is_never_packed(client: FlaskClient) -> None:
    at = {"activityId": "http://x.example/a", "profileId": "p"}
    client.put("/xapi/activities/profile", query_string=at, data=b"{}" + b" " * 5000, headers={"If-None-Match": "*"})
    answer = client.get("/xapi/activities/profile", query_string=at, headers={"Accept-Encoding": "gzip"})
    assert ("Content-Encoding" in answer.headers, len(answer.data)) == (False, 5002)


@pytest.mark.parametrize(("header", "takes"), [
    ("gzip", True), ("deflate, gzip;q=1.0", True), ("*", True), ("", False), ("identity", False), ("gzip; q=0", False),
    ("x-gzipped", False),
])
def test_what_accept_encoding_means(header: str, takes: bool) -> None:
    assert asks_for_gzip(header) is takes


def test_what_was_packed_is_unpacked() -> None:
    assert inflated(packed(TEXT * 100), "gzip", 1 << 20) == TEXT * 100


def test_a_preflight_needs_no_credential_and_names_what_content_sends(client: FlaskClient) -> None:
    del client.environ_base["HTTP_AUTHORIZATION"]
    answer = client.options(PATH, headers={"Origin": "https://content.example", "Access-Control-Request-Method": "PUT",
                                           "Access-Control-Request-Headers": "authorization,x-experience-api-version"})
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "PUT" in answer.headers["Access-Control-Allow-Methods"]
    for name in ("authorization", "x-experience-api-version", "if-match", "content-type"):
        assert name in answer.headers["Access-Control-Allow-Headers"].lower()


@pytest.mark.parametrize("path", [PATH, "/xapi/about", "/xapi/activities/state", "/xapi/nowhere"])
def test_a_page_reads_answers_and_refusals(client: FlaskClient, path: str) -> None:
    answer = client.get(path, headers={"Origin": "https://content.example"})
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "ETag" in answer.headers["Access-Control-Expose-Headers"]
    assert "Access-Control-Allow-Origin" not in client.get(path).headers


def test_only_the_origins_of_the_setting_may(client_of: Any, services: Services) -> None:
    client = client_of("all", settings=dataclasses.replace(services.settings, cors_origins=("https://good.example",)))
    good = client.get(PATH, headers={"Origin": "https://good.example"})
    assert (good.headers["Access-Control-Allow-Origin"], "Origin" in good.headers["Vary"]) == ("https://good.example", True)
    assert "Access-Control-Allow-Origin" not in client.get(PATH, headers={"Origin": "https://evil.example"}).headers


def test_other_interfaces_are_not_open_to_pages(client: FlaskClient) -> None:
    for path in ("/api/v1/exports/facts", "/feeds/completions", "/health/live"):
        assert "Access-Control-Allow-Origin" not in client.get(path, headers={"Origin": "https://content.example"}).headers


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br"])
def test_a_bomb_costs_no_memory_beyond_the_limit(coding: str) -> None:
    bomb = {"gzip": gzip, "deflate": zlib, "br": brotli}[coding].compress(b"\0" * (64 << 20))
    tracemalloc.start()
    with pytest.raises(TooLarge):
        inflated(bomb, coding, 1 << 20)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20


@pytest.fixture
def own_origins(services: Services) -> Any:
    """Makes a client whose credential has a list of origins of its own, on an LRS with this setting."""
    def make(origins: list[str], setting: tuple[str, ...]) -> FlaskClient:
        made = credentials.create(services.store.credentials, name="Page", public_url="http://lrs.example", scopes=("all",),
                                  origins=origins)
        there = dataclasses.replace(services, settings=dataclasses.replace(services.settings, cors_origins=setting))
        client = create_app(there).test_client()
        token = base64.b64encode(f"{made.credential.key}:{made.secret}".encode()).decode()
        client.environ_base.update(HTTP_AUTHORIZATION=f"Basic {token}", HTTP_X_EXPERIENCE_API_VERSION="1.0.3")
        return client
    return make


def preflight(client: FlaskClient, origin: str) -> str | None:
    answer = client.options(PATH, headers={"Origin": origin, "Access-Control-Request-Method": "POST", "Authorization": ""})
    return answer.headers.get("Access-Control-Allow-Origin")


def test_a_preflight_answers_for_all_lists_and_the_request_for_its_own(own_origins: Any) -> None:
    one, other = (own_origins([f"https://{name}.example"], ("https://setting.example",)) for name in ("one", "other"))
    plain = own_origins([], ("https://setting.example",))
    for origin in ("https://one.example", "https://other.example", "https://setting.example"):
        assert preflight(one, origin) == origin
    assert preflight(one, "https://evil.example") is None
    may = {(name, origin): client.post(PATH, json=STATEMENT, headers={"Origin": f"https://{origin}.example"})
           for name, client in (("one", one), ("other", other), ("plain", plain)) for origin in ("one", "other", "setting", "evil")}
    assert {pair for pair, answer in may.items() if answer.status_code == 200} == {
        ("one", "one"), ("other", "other"), ("plain", "setting")}
    refused = may["one", "other"]
    assert (refused.status_code, refused.json["code"]) == (403, "forbidden")
    assert "https://other.example" in refused.json["message"]
    assert refused.headers["Access-Control-Allow-Origin"] == "https://other.example"
    assert "cors_origins" in may["plain", "one"].json["message"]
    assert one.post(PATH, json=STATEMENT).status_code == 200  # no browser


def test_a_list_of_its_own_narrows_a_setting_that_lets_anyone_in(own_origins: Any) -> None:
    client = own_origins(["https://one.example"], ("*",))
    assert preflight(client, "https://evil.example") == "*"
    assert client.get(PATH, headers={"Origin": "https://evil.example"}).status_code == 403
    assert client.get(PATH, headers={"Origin": "https://one.example"}).status_code == 200
    assert client.get(PATH, headers={"Origin": "http://lrs.example"}).status_code == 200  # a page of the LRS itself


def test_a_revoked_credential_opens_no_preflight(own_origins: Any, services: Services) -> None:
    client = own_origins(["https://one.example"], ("https://setting.example",))
    key = base64.b64decode(client.environ_base["HTTP_AUTHORIZATION"][6:]).decode().partition(":")[0]
    services.store.credentials.revoke(key)
    assert preflight(client, "https://one.example") is None


@pytest.mark.parametrize("origin", ["one.example", "https://one.example/a", "*", "ftp://one.example", "https://", "https://u@one.example"])
def test_what_is_no_origin_is_refused_when_the_credential_is_made(own_origins: Any, origin: str) -> None:
    with pytest.raises(Invalid) as refused:
        own_origins([origin], ("*",))
    assert refused.value.findings[0].where == "/origins/0"
