"""Rule 16a: a refused statement is no evidence, but it is seen; through the web process and the store."""
from __future__ import annotations

import base64
import json

from lrs.app import create_app
from lrs.auth import credentials
from lrs.config import load
from lrs.ingest.conflicts import CAUSE
from lrs.services import Services
from lrs.store.open_store import open_store
from workers.route import route_once

UNIT = {"id": "0e0a2e64-3f3c-4b52-8a3c-0b6a3f8a9c77", "actor": {"mbox": "mailto:ada@acme.example"},
        "verb": {"id": "http://adlnet.gov/expapi/verbs/completed"}, "object": {"id": "https://lms.acme.example/xblock/u1"}}  # fmt: skip
COURSE = {**UNIT, "object": {"id": "https://lms.acme.example/course/1", "definition": {"type": "http://adlnet.gov/expapi/activities/course"}}}


def test_rule_16a_a_refused_course_is_no_evidence_and_is_seen_with_both_objects(tmp_path):
    store = open_store(tmp_path)
    services = Services(load({"LRS_DATA": str(tmp_path)}), store)
    made = credentials.create(store.credentials, name="edX", public_url="https://x.example", scopes=["all"])
    headers = {"Authorization": "Basic " + base64.b64encode(f"{made.credential.key}:{made.secret}".encode()).decode(),
               "X-Experience-API-Version": "1.0.3"}  # fmt: skip
    client = create_app(services).test_client()
    assert client.post("/xapi/statements", json=UNIT, headers=headers).status_code == 200
    stored = store.statements.get(UNIT["id"]).text
    assert client.post("/xapi/statements", json=COURSE, headers=headers).status_code == 409
    assert store.statements.get(UNIT["id"]).text == stored
    route_once(services)
    assert store.work.feed(0, 10) == []
    store.rejections.flush()
    rows = store.rejections.list(made.credential.key)
    assert len(rows) == 1
    conflict = json.loads(rows[0].detail)["conflict"]
    assert [conflict[side]["object"] for side in ("stored", "refused")] == [UNIT["object"]["id"], COURSE["object"]["id"]]
    assert conflict["cause"] == CAUSE
    store.close()
