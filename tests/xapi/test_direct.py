"""The short way of a plain POST answers what the framework answers, and leaves to it what it would refuse."""
from __future__ import annotations

import dataclasses
import json
import uuid
from collections.abc import Sequence
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client import CollectorRegistry
from werkzeug.test import EnvironBuilder, TestResponse, run_wsgi_app

from lrs.app import create_app
from lrs.errors import StoreUnavailable
from lrs.services import Services
from lrs.xapi.direct import Direct
from tests.xapi.conftest import ClientOf

WHERE = "/xapi/statements"


def _statement(**more: Any) -> dict[str, Any]:
    return {"id": str(uuid.uuid4()), "actor": {"mbox": "mailto:ann@example.com"}, "verb": {"id": "http://example.com/did"},
            "object": {"id": "http://example.com/a"}, **more}


ONE = _statement(id="0e5a3f66-9c1c-4a44-8d3a-111111111111")
ASKED: dict[str, dict[str, Any]] = {
    "one": {"json": ONE},
    "a batch": {"json": [ONE, _statement(id="0e5a3f66-9c1c-4a44-8d3a-222222222222")]},
    "no statement at all": {"json": []},
    "a charset": {"data": json.dumps(ONE), "content_type": "application/json; charset=UTF-8"},
    "a request id": {"json": ONE, "headers": {"X-Request-ID": "a.1"}},
    "an id that is none": {"json": ONE, "headers": {"X-Request-ID": "a b"}},
    "version 2.0": {"json": ONE, "headers": {"X-Experience-API-Version": "2.0.0"}},
    "version 1.0": {"json": ONE, "headers": {"X-Experience-API-Version": " 1.0 "}},
    "no version": {"json": ONE, "headers": {"X-Experience-API-Version": ""}},
    "version 0.9": {"json": ONE, "headers": {"X-Experience-API-Version": "0.9"}},
    "no JSON": {"data": b"{", "content_type": "application/json"},
    "a broken rule": {"json": [ONE, {"actor": 1}]},
    "a parameter": {"json": ONE, "query_string": {"statementId": ONE["id"]}},
    "another type": {"data": json.dumps(ONE), "content_type": "text/plain"},
    "no credential": {"json": ONE, "headers": {"Authorization": "Basic x"}},
    "a page's origin": {"json": ONE, "headers": {"Origin": "https://elsewhere.example"}},
    "a slash at the end": {"json": ONE, "path": WHERE + "/"},
}


@pytest.mark.parametrize("asked", ASKED.values(), ids=ASKED)
def test_the_short_way_says_what_the_framework_says(client: FlaskClient, asked: dict[str, Any]) -> None:
    app = client.application
    assert isinstance(app.wsgi_app, Direct)
    short = _post(client, asked)
    app.wsgi_app = app.wsgi_app._app  # type: ignore[method-assign]
    assert _said(short) == _said(_post(client, asked))


def test_what_succeeds_does_not_pass_through_the_framework(client: FlaskClient) -> None:
    seen = _watched(client.application)
    assert client.post(WHERE, json=ONE).get_json() == [ONE["id"]]
    assert seen == []
    assert client.get(WHERE, query_string={"statementId": ONE["id"]}).status_code == 200
    assert seen == ["GET"]


def test_it_is_counted_and_the_request_is_kept_with_its_statement(client: FlaskClient, services: Services) -> None:
    client.post(WHERE, json=ONE, headers={"X-Request-ID": "a.1"})
    client.post(WHERE, json=[{"actor": 1}])
    text = services.metrics.exposed(CollectorRegistry()).decode()
    for status in (200, 400):
        assert f'lrs_requests_total{{method="POST",route="{WHERE}",status="{status}"}} 1.0' in text
    assert services.store.statements.requests([ONE["id"]]) == {ONE["id"]: "a.1"}


def test_a_revoked_credential_is_refused_at_the_next_post(client: FlaskClient, services: Services) -> None:
    assert client.post(WHERE, json=ONE).status_code == 200
    for one in services.store.credentials.list():
        services.store.credentials.revoke(one.key)
    assert client.post(WHERE, json=_statement()).status_code == 401


@pytest.mark.parametrize(("scopes", "status"), [(("statements/write",), 200), (("statements/read",), 403), (("state",), 403)])
def test_the_scope_decides(client_of: ClientOf, scopes: Sequence[str], status: int) -> None:
    assert client_of(*scopes).post(WHERE, json=_statement()).status_code == status


def test_a_conflict_is_told_with_its_place(client: FlaskClient) -> None:
    client.post(WHERE, json=ONE)
    told = client.post(WHERE, json=[_statement(), {**ONE, "object": {"id": "http://example.com/b"}}])
    assert (told.status_code, told.get_json()["findings"][0]["index"]) == (409, 1)


def test_an_error_of_the_store_is_told_and_not_tried_again(client: FlaskClient, services: Services) -> None:
    class Broken:
        asked = 0
        term_key = services.store.statements.term_key

        def add(self, *_: Any) -> None:
            self.asked += 1
            raise StoreUnavailable("the disk is full")

    broken = Broken()
    app = create_app(dataclasses.replace(services, store=dataclasses.replace(services.store, statements=broken)))
    with_it = app.test_client()
    with_it.environ_base.update(client.environ_base)
    told = with_it.post(WHERE, json={key: value for key, value in ONE.items() if key != "id"})
    assert (told.status_code, told.headers["Retry-After"] != "", broken.asked) == (503, True, 1)


def test_a_body_shorter_than_it_says_is_not_stored(client: FlaskClient, services: Services) -> None:
    text = json.dumps(ONE)
    environ = EnvironBuilder(WHERE, method="POST", data=text, content_type="application/json").get_environ()
    environ |= {**client.environ_base, "CONTENT_LENGTH": str(len(text) + 5)}
    _, status, _ = run_wsgi_app(client.application, environ)
    assert (status[:3], services.store.statements.count()) == ("400", 0)


def _post(client: FlaskClient, asked: dict[str, Any]) -> TestResponse:
    return client.post(asked.get("path", WHERE), **{name: value for name, value in asked.items() if name != "path"})


def _said(told: TestResponse) -> tuple[int, dict[str, str], Any]:
    """Status, headers and content, without the id that is drawn anew for each request."""
    headers = dict(told.headers)
    content = told.get_json()
    if headers["X-Request-ID"] != "a.1":
        drawn = headers.pop("X-Request-ID")
        assert len(drawn) == 32
        if isinstance(content, dict):
            assert content.pop("request_id") == drawn
    return told.status_code, headers, content


def _watched(app: Flask) -> list[str]:
    seen: list[str] = []
    assert isinstance(app.wsgi_app, Direct)
    inner = app.wsgi_app._app

    def watching(environ: dict[str, Any], start_response: Any) -> Any:
        seen.append(environ["REQUEST_METHOD"])
        return inner(environ, start_response)

    app.wsgi_app._app = watching
    return seen
