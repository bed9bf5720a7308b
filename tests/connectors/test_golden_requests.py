"""Golden pairs: an event, and exactly the requests that each vendor gets for it."""
from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from workers.connectors.base import Delivery, Target
from workers.connectors.http import Exchange, GuardedClient
from workers.connectors.registry import connectors, new_secret, settings_for

PAIRS = sorted(Path(__file__).parent.glob("*/*.json"))
SETTINGS = {"bamboohr": {"url": "https://acme.bamboohr.com", "api_key": "k", "training_type": 18},
            "hubspot": {"token": "t"}, "webhook": {"url": "https://r.example/in", "secret": new_secret()}}


class Recorder(GuardedClient):
    """Answers like the vendor and keeps the requests."""

    def __init__(self, held):
        super().__init__(now_us=lambda: 0)
        self.held, self.requests = held, []

    def exchange(self, target, method, url, headers, content=b"", answer_max=0):
        self.requests.append({"method": method, "path": urlsplit(url).path, "body": json.loads(content) if content else None})
        body = self.held if method == "GET" else {"id": "1", "results": [{"id": "1", "new": True}]}
        return Exchange(200, {}, json.dumps(body).encode(), 1.0)


@pytest.mark.parametrize("pair", PAIRS, ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_an_event_becomes_exactly_these_requests(pair):
    vendor, case = pair.parent.name, json.loads(pair.read_text())
    client = Recorder(case.get("held", []))
    event = case["event"]
    target = Target("t", vendor, settings_for(vendor, {**SETTINGS[vendor], **case.get("settings", {})}))
    delivery = Delivery("msg_1", "t", event["event"], event["id"], event["revision"], event)
    answer = connectors(lambda: 0, client)[vendor].send(delivery, target)
    assert client.requests == case["requests"]
    assert type(answer.outcome).__name__ == case["outcome"]


def test_every_connector_has_golden_pairs():
    assert {p.parent.name for p in PAIRS} == set(connectors(lambda: 0)) == set(SETTINGS)
