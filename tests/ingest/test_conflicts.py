"""Rule 16a: a conflict of ids is seen with both statements, its cause, and an alert where a course is lost."""
import base64
import json
import logging

import pytest

from lrs.app import create_app
from lrs.auth import credentials
from lrs.config import load
from lrs.ingest.conflicts import CAUSE
from lrs.services import Services
from lrs.store.open_store import open_store
from workers.route import route_once

ID = "0e0a2e64-3f3c-4b52-8a3c-0b6a3f8a9c11"
UNIT = {"id": ID, "actor": {"mbox": "mailto:ada@acme.example"}, "verb": {"id": "http://adlnet.gov/expapi/verbs/completed"},
        "object": {"id": "https://lms.acme.example/xblock/u1", "definition": {"type": "http://adlnet.gov/expapi/activities/module"}},
        "timestamp": "2026-03-01T10:00:00Z"}
COURSE = {**UNIT, "object": {"id": "https://lms.acme.example/course/1", "definition": {"type": "http://adlnet.gov/expapi/activities/course"}}}


@pytest.fixture
def store(tmp_path):
    opened = open_store(tmp_path)
    yield opened
    opened.close()


def test_a_course_refused_under_a_units_id_is_kept_in_the_log_with_both_objects_and_the_cause(store, tmp_path, caplog):
    services = Services(load({"LRS_DATA": str(tmp_path)}), store)
    client = create_app(services).test_client()
    made = credentials.create(store.credentials, name="edX", public_url="https://x.example", scopes=["all"])
    headers = {"Authorization": "Basic " + base64.b64encode(f"{made.credential.key}:{made.secret}".encode()).decode(),
               "X-Experience-API-Version": "1.0.3"}
    assert client.post("/xapi/statements", json=UNIT, headers=headers).status_code == 200
    first = store.statements.get(ID).text
    with caplog.at_level(logging.WARNING):
        refused = client.post("/xapi/statements", json=[{**UNIT, "id": ID[:-1] + "2"}, COURSE], headers=headers)
    assert refused.status_code == 409
    assert "u1" not in refused.text, "the other statement is not shown to the sender"
    assert store.statements.get(ID).text == first
    route_once(services)
    assert store.work.feed(0, 10) == []
    store.rejections.flush()
    (row,) = store.rejections.list(made.credential.key)
    conflict = json.loads(row.detail)["conflict"]
    assert conflict["stored"] == {"verb": UNIT["verb"]["id"], "object": "https://lms.acme.example/xblock/u1"}
    assert conflict["refused"] == {"verb": UNIT["verb"]["id"], "object": "https://lms.acme.example/course/1"}
    assert conflict["cause"] == CAUSE
    assert "ada@acme" not in row.detail
    assert "https://lms.acme.example/course/1" in caplog.text
