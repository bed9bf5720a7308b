"""Every fault on every twin: as a plain client sees it, and what the connector makes of it."""
from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from lrs.sandbox.faults import KINDS, BadFault, Fault, Faults, checked, fault
from workers.connectors.base import Delivered, Delivery, Misconfigured, Rejected, Retry, Target, Throttled
from workers.connectors.registry import connectors, new_secret, settings_for

SECRET = new_secret()
TWINS = {
    "webhook": ("webhook", SECRET, {"secret": SECRET}),
    "bamboohr": ("bamboohr", "key", {"api_key": "key"}),
    "hubspot": ("hubspot", "token", {"token": "token"}),
}
Start = Callable[..., str]


@pytest.fixture
def start() -> Iterator[Start]:
    running = []

    def run(name: str, *faults: str, seed: int = 0) -> str:
        asked = [part for one in faults for part in ("--fault", one)]
        process = subprocess.Popen([sys.executable, "-m", f"lrs.sandbox.{name}", "--key", TWINS[name][1], "--seed", str(seed), *asked],
                                   stdout=subprocess.PIPE, text=True)
        running.append(process)
        assert process.stdout
        return process.stdout.readline().strip().removeprefix("listening on ")

    yield run
    for process in running:
        process.kill()
        process.wait()


def delivery(n: int = 1) -> Delivery:
    payload = {"event": "learning.completed", "id": f"a{n}", "revision": 1, "timestamp": "2026-11-24T10:00:00Z",
               "user": {"externalId": "00417", "email": f"p{n}@example.com", "hrisId": "417"},
               "course": {"id": "http://x.example/c", "title": "Safety", "hrisType": 18}, "result": {"status": "completed", "score": 90}}
    return Delivery(f"msg_{n}", "t", "learning.completed", f"a{n}", 1, payload)


def send(name: str, url: str, **more: Any) -> Any:
    connector, _, given = TWINS[name]
    settings = settings_for(connector, {"url": url, "allow_private": "true", "timeout": "2", **given, **more})
    return connectors(lambda: time.time_ns() // 1000)[connector].send(delivery(), Target("t", connector, settings)).outcome


def kept(name: str, url: str) -> int:
    place = {"webhook": "received", "bamboohr": "records", "hubspot": "writes"}[name]
    return len(httpx.get(f"{url}/sandbox/{place}").json())


# fault → (outcome of the connector, whether the twin acted on it)
SEEN: dict[str, tuple[type, bool]] = {
    "latency:50": (Delivered, True),
    "latency:4000": (Retry, True),
    "reset": (Retry, False),
    "reset-after": (Retry, True),
    "half": (Retry, True),
    "drip:40": (Retry, True),
    "status:500": (Retry, False),
    "status:503": (Retry, False),
    "status:422": (Rejected, False),
    "status:403": (Misconfigured, False),
    "throttle": (Throttled, False),
    "throttle:7": (Throttled, False),
    "expired": (Misconfigured, False),
    "redirect": (Retry, False),
}


@pytest.mark.parametrize("name", TWINS)
@pytest.mark.parametrize("text", SEEN)
def test_a_connector_understands_a_fault(start: Start, name: str, text: str) -> None:
    url = start(name, f"{text}x1")
    wanted, acted = SEEN[text]
    outcome = send(name, url)
    if name == "webhook" and text in ("half", "drip:40"):
        # a receipt is its status: a receiver that answered 200 has it, whatever becomes of the rest
        assert isinstance(outcome, wanted | Delivered), outcome
    else:
        assert isinstance(outcome, wanted), outcome
    if text == "throttle:7":
        assert outcome.after == 7
    time.sleep(0.1 if "latency:4000" not in text else 2.5)
    assert kept(name, url) == int(acted)
    assert isinstance(send(name, url), Delivered)


def test_a_page_in_html_is_no_receipt_where_an_answer_is_read(start: Start) -> None:
    url = start("hubspot", "htmlx1")
    assert isinstance(send("hubspot", url), Retry)


def test_a_row_of_a_batch_is_refused(start: Start) -> None:
    url = start("hubspot", "row:p1x1")
    assert isinstance(send("hubspot", url), Rejected)


@pytest.mark.parametrize(("name", "look"), [
    ("bamboohr", lambda answer: answer.headers["X-BambooHR-Error-Message"]),
    ("hubspot", lambda answer: answer.json()["correlationId"] and answer.json()["policyName"]),
])
def test_a_refusal_has_the_vendors_shape(start: Start, name: str, look: Callable[[httpx.Response], Any]) -> None:
    url = start(name, "throttle")
    answer = httpx.get(url + "/api/v1/training/type")
    assert answer.status_code == 429
    assert look(answer)
    assert "retry-after" not in answer.headers


def test_half_an_answer_ends_early(start: Start) -> None:
    port = int(start("webhook", "half").rpartition(":")[2])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("POST", "/hook", b"{}")
    with pytest.raises(http.client.IncompleteRead):
        connection.getresponse().read()


def test_a_share_hits_that_part_and_the_same_ones_again(start: Start) -> None:
    def hits(seed: int) -> list[int]:
        url = start("hubspot", "status:503@0.3", seed=seed)
        with httpx.Client() as client:
            return [client.get(url + "/crm/v3/objects/contacts", headers={"authorization": "Bearer token"}).status_code for _ in range(100)]

    first = hits(7)
    assert 15 <= first.count(503) <= 45
    assert hits(7) == first
    assert hits(8) != first


@pytest.mark.parametrize("name", TWINS)
def test_a_fault_meets_the_record_that_it_names_and_no_other(start: Start, name: str) -> None:
    key = "417" if name == "bamboohr" else "p1@example.com"
    url = start(name, f"status:422 ~{key}")
    assert isinstance(send(name, url), Rejected)
    httpx.request("DELETE", url + "/sandbox/faults")
    httpx.post(url + "/sandbox/faults", json={"kind": "status", "arg": "422", "holds": "p2@example.com"})
    assert isinstance(send(name, url), Delivered)


def test_faults_are_switched_while_it_runs(start: Start) -> None:
    url = start("webhook")
    assert httpx.get(url + "/sandbox/faults").json() == []
    added = httpx.post(url + "/sandbox/faults", json=["status:503x2", {"kind": "reset", "times": 1, "path": "/other"}])
    assert [one["kind"] for one in added.json()] == ["status", "reset"]
    assert isinstance(send("webhook", url), Retry)
    assert httpx.request("DELETE", url + "/sandbox/faults").json() == []
    assert isinstance(send("webhook", url), Delivered)


@pytest.mark.parametrize("text", ["nonsense", "status:abc", "status:200", "reset@2", "reset@0", "resetx0", "", "latency:-1", "status:5 00",
                                  "reset@0.1.2", "latency:9999999", "status:503x99999999999"])
def test_what_is_no_fault_is_refused_with_what_would_be(start: Start, text: str) -> None:
    with pytest.raises(BadFault):
        fault(text)
    answer = httpx.post(start("webhook") + "/sandbox/faults", json=text)
    assert answer.status_code == 400
    assert answer.json()["error"]


@pytest.mark.parametrize("value", [
    None, 3, [], {}, {"kind": "reset", "nonsense": 1}, {"kind": "reset", "share": True}, {"kind": "reset", "times": "x"},
])
def test_json_that_is_no_fault_is_refused(value: Any) -> None:
    with pytest.raises(BadFault):
        checked(value)


def test_every_kind_is_shown_above_or_below() -> None:
    shown = {text.partition(":")[0] for text in SEEN} | {"html", "row"}
    assert shown == set(KINDS)


def test_faults_come_in_the_order_given_and_are_used_up() -> None:
    faults = Faults([Fault("status", "500", times=2), Fault("reset", times=1, path="/a"), Fault("throttle")])
    assert [one.kind for one in (faults.hit("/a"), faults.hit("/b"), faults.hit("/b"), faults.hit("/a"), faults.hit("/a")) if one] == [
        "status", "status", "throttle", "reset", "throttle"]
    assert json.dumps(faults.all())
