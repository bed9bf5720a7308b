"""A hostile batch of StatementRefs: it may cost index rows, never the write lock for long."""
from __future__ import annotations

import json
import time
import uuid

import pytest
from flask.testing import FlaskClient

from lrs.services import Services
from lrs.store.sqlite import references

STATEMENTS = "/xapi/statements"


def ring(n: int) -> list[dict[str, object]]:
    """n statements, each about the next, the last about the first."""
    ids = [str(uuid.uuid4()) for _ in range(n)]
    return [{"id": one, "actor": {"mbox": f"mailto:{place}@example.com"}, "verb": {"id": "http://example.com/verbs/cited"},
             "object": {"objectType": "StatementRef", "id": other}}
            for place, (one, other) in enumerate(zip(ids, ids[1:] + ids[:1], strict=True))]


def test_a_ring_of_1500_references_in_one_batch_is_answered_at_once(client: FlaskClient) -> None:
    began = time.monotonic()
    answer = client.post(STATEMENTS, json=ring(1_500))
    assert answer.status_code == 200
    assert time.monotonic() - began < 5  # 19 s when every statement of the batch had a budget of its own


def test_what_the_request_left_over_is_found_once_the_worker_has_done_it(
    client: FlaskClient, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(references, "IN_REQUEST", 0)
    assert client.post(STATEMENTS, json=ring(20)).status_code == 200
    while services.store.statements.do_shadow_todo(50):
        pass
    found = client.get(STATEMENTS, query_string={"agent": json.dumps({"mbox": "mailto:7@example.com"}), "limit": "50"})
    assert len(found.get_json()["statements"]) == 20
