"""The alternate request syntax: any request as a POST of a form."""
from __future__ import annotations

import json
import uuid

import pytest
from flask.testing import FlaskClient

STATEMENT = {"actor": {"mbox": "mailto:ann@example.com"}, "verb": {"id": "http://x.example/did"}, "object": {"id": "http://x.example/ü?a=1"}}


def test_a_statement_is_put_and_read_with_everything_in_the_form(client: FlaskClient) -> None:
    name, basic = str(uuid.uuid4()), client.environ_base.pop("HTTP_AUTHORIZATION")
    client.environ_base.pop("HTTP_X_EXPERIENCE_API_VERSION")
    told = {"Authorization": basic, "X-Experience-API-Version": "1.0.3"}
    made = client.post("/xapi/statements?method=PUT", data={**told, "statementId": name, "content": json.dumps(STATEMENT)})
    assert made.status_code == 204, made.text
    read = client.post("/xapi/statements?method=GET", data={**told, "statementId": name})
    assert (read.status_code, read.json["object"]["id"]) == (200, STATEMENT["object"]["id"])


def test_a_document_keeps_its_type_and_its_condition(client: FlaskClient) -> None:
    at = {"activityId": "http://x.example/a", "profileId": "p"}
    form = {**at, "Content-Type": "text/plain", "If-None-Match": "*", "content": "größer & kleiner"}
    assert client.post("/xapi/activities/profile?method=PUT", data=form).status_code == 204
    assert client.post("/xapi/activities/profile?method=PUT", data=form).status_code == 412
    answer = client.get("/xapi/activities/profile", query_string=at)
    assert (answer.text, answer.mimetype) == ("größer & kleiner", "text/plain")


@pytest.mark.parametrize(("url", "form", "content_type"), [
    ("?method=PATCH", {"content": "{}"}, None),
    ("?method=PUT&statementId=x", {"content": "{}"}, None),
    ("?method=PUT", {}, None),
    ("?method=PUT", {"content": "{}"}, "application/json"),
    ("?method=PUT", {"statementId": "x"}, None),
])
def test_a_form_that_stands_for_no_request_is_refused(
    client: FlaskClient, url: str, form: dict[str, str], content_type: str | None
) -> None:
    answer = client.post(f"/xapi/statements{url}", data=form if content_type is None else json.dumps(form), content_type=content_type)
    assert (answer.status_code, answer.json["code"]) == (400, "alternate_request")


def test_bytes_that_are_no_form_are_refused(client: FlaskClient) -> None:
    answer = client.post("/xapi/statements?method=PUT", data=b'{"a":\xff}', content_type="application/x-www-form-urlencoded")
    assert (answer.status_code, answer.json["code"]) == (400, "alternate_request")


def test_only_a_post_may_stand_for_another_method(client: FlaskClient) -> None:
    assert client.put("/xapi/statements?method=POST", data={"content": "{}"}).status_code == 400
