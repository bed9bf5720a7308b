"""A running LRS, and `lrs verbs` in another process: the next statement is read anew, history is released, nothing twice."""
from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from every_store import every_store
from ports import LRS, free_port, until

from lrs.auth import credentials
from lrs.completions.model import Course, Person
from lrs.directory.csv import identifiers_of
from lrs.store.open_store import open_store

VENDOR = "https://vendor.example/verbs/finished"
COURSE = "https://courses.example/forklift"
ROWS = f"verb_iri,provider,activity_type,canonical,completion_event\n{VENDOR},,,completed,yes\n"


class Served:
    """`lrs serve` in a process of its own, and the commands beside it."""

    def __init__(self, data: Path, place: str, url: str, auth: tuple[str, str]) -> None:
        self.data, self.place, self.environ = data, place, {**os.environ, "LRS_STORE": place}
        self.client = httpx.Client(base_url=url, auth=auth, headers={"X-Experience-API-Version": "1.0.3"}, timeout=20)

    def lrs(self, *words: str, given: str = "") -> str:
        done = subprocess.run([sys.executable, "-c", LRS, "--data", str(self.data), *words], input=given, text=True, timeout=60,
                              capture_output=True, check=True, env=self.environ)
        return done.stdout

    def send(self, *people: int) -> None:
        for n in people:
            one = {"id": str(uuid.uuid4()), "actor": {"mbox": f"mailto:p{n}@example.com"}, "verb": {"id": VENDOR}, "object": {"id": COURSE}}
            self.client.post("/xapi/statements", json=one).raise_for_status()


@pytest.fixture
def served(tmp_path: Path, place: str) -> Iterator[Served]:
    store = open_store(place or tmp_path)
    made = credentials.create(store.credentials, name="all", public_url="https://lrs.example", scopes=("all",))
    store.directory.put_courses([Course(COURSE)])
    store.directory.put_people([Person(str(n), identifiers=tuple(identifiers_of(str(n), [f"p{n}@example.com"]))) for n in range(40)])
    store.close()
    port = free_port()
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-c", LRS, "--data", str(tmp_path), "serve", "--port", str(port)],
                                   stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ, "LRS_STORE": place})
        try:
            one = Served(tmp_path, place, f"http://127.0.0.1:{port}", (made.credential.key, made.secret))
            until(lambda: ready(one), 60, "the LRS answers")
            yield one
        finally:
            process.terminate()
            process.wait(20)


def ready(served: Served) -> bool:
    try:
        return served.client.get("/health/ready").status_code == 200
    except httpx.TransportError:
        return False


def feed(served: Served) -> list[str]:
    store = open_store(served.place or served.data)
    try:
        return [json.loads(row.body)["user"]["externalId"] for row in store.work.feed(0, 1000)]
    finally:
        store.close()


@every_store
def test_a_map_applied_beside_a_running_lrs_releases_history_and_reads_what_comes_next(served: Served) -> None:
    served.send(*range(20))
    assert json.loads(served.lrs("verbs", "propose", "-", "--json", given=ROWS))["number"] == 1
    until(lambda: json.loads(served.lrs("verbs", "diff", "1", "--json"))["settled"], 60, "the worker has met all statements")
    assert json.loads(served.lrs("verbs", "diff", "1", "--json"))["released"] == {"learning.completed completed": 20}
    served.lrs("verbs", "apply", "1")
    served.send(*range(20, 40))
    until(lambda: len(feed(served)) == 40, 60, "all are released")
    rows = served.client.get("/api/v1/exports/facts", params={"format": "ndjson"}).raise_for_status().text.splitlines()
    assert {json.loads(row)["verb"] for row in rows} == {"completed"}
    assert served.client.get("/api/v1/verbs/unmapped").json()["items"] == []
    for _ in range(2):
        served.client.post("/api/v1/verbs/rollback", json={}).raise_for_status()
        until(lambda: served.client.get("/api/v1/verbs/versions").json()["items"][0]["history"] == "read again", 60, "history is read")
    assert sorted(feed(served), key=int) == [str(n) for n in range(40)]
