"""Odd paths and methods are answered in the one error shape, with what the standard wants on every answer."""
from __future__ import annotations

import pytest
from flask.testing import FlaskClient

METHODS = ("GET", "HEAD", "OPTIONS", "DELETE", "PATCH", "POST", "PUT", "TRACE", "BREW")
PATHS = ("/", "/xapi", "/xapi/", "/xapi//statements", "//xapi/statements", "/xapi/statements", "/xapi/statements/", "/xapi/statements/x",
         "/xapi/statements%00", "/%ff%fe", "/xapi/about", "/xapi/about/", "/feeds", "/feeds/completions", "/hooks/lms/", "/hooks/lms/x",
         "/hooks/lms/%00", "/health/live", "/api/v1", "/api/v1/nothing", "/api/v1/exports/facts", "/xapi/../etc/passwd")


@pytest.mark.parametrize("path", ["/xapi/statements", "/xapi/statements/", "/xapi/about", "/xapi/about/"])
def test_a_method_that_is_not_there_is_a_405_that_says_which_are_in_both_forms(client: FlaskClient, path: str) -> None:
    answer = client.delete(path)
    assert (answer.status_code, answer.json["code"]) == (405, "method_not_allowed")
    assert {"GET", "HEAD"} <= set(answer.headers["Allow"].split(", "))
    assert client.options(path).headers["Allow"]


@pytest.mark.parametrize("path", ["/xapi//statements", "//xapi/statements"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_doubled_slash_is_not_found_and_never_a_redirect(client: FlaskClient, path: str, method: str) -> None:
    answer = client.open(path, method=method, headers={"Host": "evil.example"})
    assert (answer.status_code, answer.json["code"]) == (404, "not_found")


@pytest.mark.parametrize(("method", "path"), [
    ("DELETE", "/xapi/statements"), ("GET", "/xapi/nothing"), ("GET", "/xapi/statements?limit=x"),
])
def test_every_answer_under_xapi_names_the_version_refusals_of_the_router_too(client: FlaskClient, method: str, path: str) -> None:
    assert client.open(path, method=method).headers["X-Experience-API-Version"] == "1.0.3"


@pytest.mark.parametrize("path", PATHS)
def test_no_path_and_method_is_a_fault_and_every_refusal_has_the_one_shape(client: FlaskClient, path: str) -> None:
    for method in METHODS:
        answer = client.open(path, method=method)
        assert answer.status_code < 500, (method, path)
        if answer.status_code >= 300 and method != "HEAD":
            assert {"status", "code", "message", "request_id"} <= set(answer.json), (method, path)
            assert answer.json["status"] == answer.status_code
