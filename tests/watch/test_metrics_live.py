"""The metrics of a running LRS: over all its processes, in the right format, and all that alerts and dashboard ask for."""
from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from watched import SECRET, Receiver, Watched, completed, until

from lrs.metrics import METRICS

ROOT = Path(__file__).parents[2]
ALERTS = ROOT / "deploy/prometheus/alerts.yml"


def promtool(*arguments: str, given: str = "") -> None:
    """Run it and have it find nothing wrong. In CI it must be there."""
    program = shutil.which("promtool")
    if program is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("promtool is not installed: apt-get install prometheus")
    done = subprocess.run([program, *arguments], input=given, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """An LRS that stored, refused, failed to deliver and delivered."""
    receiver = Receiver(200)
    one = Watched(tmp_path_factory.mktemp("watched"), {
        "hr": {"url": receiver.url, "secret": SECRET, "allow_private": True},
        "gone": {"url": "http://127.0.0.1:9/in", "secret": SECRET, "allow_private": True}})
    assert one.client.post("/xapi/statements", json=completed()).status_code == 200
    assert one.client.post("/xapi/statements", json={**completed(), "verb": {"id": "no IRI"}}).status_code == 400
    assert httpx.post(one.url + "/xapi/statements", json=completed()).status_code == 401
    until(lambda: one.value('lrs_attempts_total{outcome="delivered",target="hr"}') == 1, 20, "it is delivered")
    until(lambda: one.value('lrs_attempts_total{outcome="waiting",target="gone"}') >= 1, 20, "it waits for the other")
    yield one
    one.stop()
    receiver.server.shutdown()


def names(text: str) -> set[str]:
    """The names of the samples."""
    return {re.split(r"[{ ]", line, maxsplit=1)[0] for line in text.splitlines() if not line.startswith("#")}


def test_every_metric_of_the_table_is_there_and_no_other(watched: Watched) -> None:
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", watched.metrics(), re.M))
    assert kinds == {one.name: one.kind for one in METRICS.values()}


def test_promtool_finds_nothing_wrong_with_the_answer(watched: Watched) -> None:
    promtool("check", "metrics", given=watched.metrics())


def test_the_rules_of_the_alerts_are_right_and_fire_as_their_tests_say() -> None:
    promtool("check", "rules", str(ALERTS))
    promtool("test", "rules", str(ALERTS.with_name("alerts_test.yml")))


def test_alerts_and_dashboard_ask_for_metrics_that_are_there(watched: Watched) -> None:
    there = names(watched.metrics())
    panels = json.loads((ROOT / "deploy/grafana/dashboard.json").read_text())["panels"]
    asked = " ".join([*re.findall(r"expr: (?:>-)?([\s\S]+?)\n        (?:for|labels):", ALERTS.read_text()),
                      *(target["expr"] for panel in panels for target in panel["targets"])])
    named = set(re.findall(r"\blrs_[a-z_]+", asked))
    assert len(named) > 15
    assert named <= there


def test_each_alert_has_its_paragraph_and_its_test() -> None:
    alerts = re.findall(r"- alert: (\w+)", ALERTS.read_text())
    paragraphs = re.findall(r"^### (\w+)\n[A-Z]", (ROOT / "docs/alerts.md").read_text(), re.M)
    assert alerts == paragraphs
    assert set(alerts) == set(re.findall(r"alertname: (\w+)", ALERTS.with_name("alerts_test.yml").read_text()))


def test_requests_refusals_and_statements_are_counted(watched: Watched) -> None:
    assert watched.value('lrs_requests_total{method="POST",route="/xapi/statements",status="200"}') == 1
    assert watched.value('lrs_requests_total{method="POST",route="/xapi/statements",status="400"}') == 1
    assert watched.value('lrs_request_seconds_count{method="POST",route="/xapi/statements"}') == 3
    assert watched.value('lrs_rejections_total{rule="unauthorized"}') == 1
    assert watched.value("lrs_statements_total") == 1
    assert watched.value("lrs_events_total") == 1
    assert watched.value('lrs_deliveries{state="delivered"}') == 1
    assert watched.value('lrs_deliveries{state="waiting"}') == 1


def test_what_a_dead_process_counted_stays(watched: Watched) -> None:
    sample = 'lrs_attempts_total{outcome="delivered",target="hr"}'
    before = watched.value(sample)
    watched.kill_worker()
    watched.client.post("/xapi/statements", json=completed("c2"))
    until(lambda: watched.value(sample) == before + 1, 30, "the next worker's attempt is added")


def test_refusals_before_a_route_are_counted(watched: Watched) -> None:
    answer = httpx.post(watched.url + "/xapi/statements", content=b" " * 20_000_000, timeout=30)
    assert answer.status_code == 413
    assert watched.value('lrs_requests_total{method="POST",route="refused before a route",status="413"}') == 1


def test_who_comes_through_an_unknown_proxy_needs_a_credential(watched: Watched) -> None:
    headers = {"X-Forwarded-For": "127.0.0.1"}
    assert httpx.get(watched.url + "/metrics", headers=headers).status_code == 401
    assert httpx.get(watched.url + "/metrics", headers=headers, auth=watched.auth).status_code == 200
