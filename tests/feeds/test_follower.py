"""A follower of the feed misses nothing, repeats nothing and sees the log's very bytes, whatever happens meanwhile."""
from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from lrs.auth import credentials
from lrs.completions.model import Person
from lrs.directory.csv import identifiers_of
from lrs.store.open_store import Store, open_store

LRS = "from lrs.cli.main import main; main()"
COURSE = "http://adlnet.gov/expapi/activities/course"
CLIENTS, BATCHES, BATCH = 4, 10, 100
INSERTS, VOIDS, PEOPLE = CLIENTS * BATCHES * BATCH, 200, 500
SECONDS = 60
"""The whole must be over by then; every wait in it ends there."""
STOPS = (signal.SIGTERM, signal.SIGKILL, signal.SIGKILL)
"""How the server ends before each of its restarts."""


class Server:
    """`lrs serve` on one port and one data directory, stopped and started again under its clients."""

    def __init__(self, data: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.data, self.url = data, f"http://127.0.0.1:{self.port}"
        self.log = (data / "serve.log").open("ab")
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", LRS, "--data", str(self.data), "serve", "--port", str(self.port)],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        patiently(httpx.Client(), "GET", self.url + "/health/ready")

    def stop(self, how: int) -> None:
        self.process.send_signal(how)
        self.process.wait(30)
        end = time.monotonic() + 10
        while time.monotonic() < end:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)):
                    return
            time.sleep(0.02)
        pytest.fail("something is left listening")

    def restart(self, how: int) -> None:
        self.stop(how)
        self.start()


def patiently(client: httpx.Client, method: str, url: str, **more: Any) -> httpx.Response:
    """Ask until there is an answer that is not 503, as a careful client does."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            answer = client.request(method, url, timeout=10, **more)
        except httpx.TransportError:
            time.sleep(0.03)
            continue
        if answer.status_code != 503:
            assert answer.status_code == 200, answer.text[:500]
            return answer
        time.sleep(0.03)
    raise AssertionError(f"no answer from {url}")


def completed(number: int) -> dict[str, Any]:
    return {"id": str(uuid.uuid4()), "actor": {"mbox": f"mailto:p{number % PEOPLE}@acme.example"},
            "verb": {"id": "http://adlnet.gov/expapi/verbs/completed"},
            "object": {"id": f"https://courses.example/{number}", "definition": {"type": COURSE}}}


def void(statement_id: str) -> dict[str, Any]:
    return {"id": str(uuid.uuid4()), "actor": {"mbox": "mailto:p0@acme.example"},
            "verb": {"id": "http://adlnet.gov/expapi/verbs/voided"},
            "object": {"objectType": "StatementRef", "id": statement_id}}


def items(page: str) -> list[str]:
    """The texts of a page's items exactly as they came, not as a parser would write them again."""
    assert page.startswith('{"items":[')
    found, at, decoder = [], len('{"items":['), json.JSONDecoder()
    while page[at] != "]":
        _, end = decoder.raw_decode(page, at)
        found.append(page[at:end])
        at = end + (page[end] == ",")
    return found


class Follower:
    """Polls the feed by its `next` and keeps what it saw."""

    def __init__(self, url: str, auth: tuple[str, str], limit: int) -> None:
        self.url, self.client, self.next = url, httpx.Client(auth=auth), f"/feeds/completions?since=0&limit={limit}"
        self.seen: list[str] = []
        self.steps: list[tuple[int, int]] = []

    def poll(self) -> int:
        """How many items the page had."""
        answer = patiently(self.client, "GET", self.url + self.next)
        page = items(answer.text)
        self.steps.append((answer.json()["cursor"], len(page)))
        self.seen += page
        self.next = answer.json()["next"]
        return len(page)

    def poll_until(self, done: threading.Event) -> None:
        """Until `done` is set and nothing more comes."""
        while True:
            over = done.is_set()
            if not self.poll():
                if over:
                    return
                time.sleep(0.02)


def log_of(store: Store) -> list[tuple[int, str]]:
    rows: list[tuple[int, str]] = []
    while page := store.work.feed(rows[-1][0] if rows else 0, 1000):
        rows += [(row.n, row.body.decode()) for row in page]
    return rows


@pytest.mark.slow
def test_a_follower_sees_the_log_through_inserts_voids_and_restarts(tmp_path: Path) -> None:
    began = time.monotonic()
    store = open_store(tmp_path)
    store.directory.put_people([Person(f"{n}", f"p{n}@acme.example", identifiers=tuple(identifiers_of(f"{n}", [f"p{n}@acme.example"])))
                                for n in range(PEOPLE)])
    sender = credentials.create(store.credentials, name="sim", public_url="http://lrs.example", scopes=["statements/write"])
    reader = credentials.create(store.credentials, name="lms", public_url="http://lrs.example", scopes=["feeds/read"])
    server = Server(tmp_path)
    follower = Follower(server.url, (reader.credential.key, reader.secret), 137)
    auth, version = (sender.credential.key, sender.secret), {"X-Experience-API-Version": "1.0.3"}
    done, lock, sent = threading.Event(), threading.Lock(), 0

    def post(client: httpx.Client, statements: list[dict[str, Any]]) -> None:
        answer = patiently(client, "POST", server.url + "/xapi/statements", json=statements)
        assert answer.json() == [one["id"] for one in statements]

    def send(share: int) -> None:
        nonlocal sent
        with httpx.Client(auth=auth, headers=version) as client:
            for batch in range(BATCHES):
                post(client, [completed((batch * CLIENTS + share) * BATCH + n) for n in range(BATCH)])
                with lock:
                    sent += BATCH

    def take_back() -> None:
        """Void what the feed has told, ten at a time, all along the inserts."""
        at, voided = 0, 0
        with httpx.Client(auth=auth, headers=version) as client:
            while voided < VOIDS:
                ids: list[str] = []
                while len(ids) < 10:
                    assert time.monotonic() < began + SECONDS, "the feed does not grow"
                    if at >= len(follower.seen):
                        time.sleep(0.01)
                        continue
                    event = json.loads(follower.seen[at])
                    if event["event"] == "learning.completed":
                        ids += event["evidence"]
                        at += INSERTS // VOIDS - 5
                    else:
                        at += 1
                post(client, [void(name) for name in ids])
                voided += len(ids)

    try:
        with ThreadPoolExecutor(CLIENTS + 2) as pool:
            following = pool.submit(follower.poll_until, done)
            sending = [pool.submit(send, share) for share in range(CLIENTS)]
            voiding = pool.submit(take_back)
            try:
                for number, how in enumerate(STOPS, start=1):
                    while sent < INSERTS * number / (len(STOPS) + 1) and not all(one.done() for one in sending):
                        time.sleep(0.01)
                    server.restart(how)
                for one in (*sending, voiding):
                    one.result()
                head = store.statements.follow(0, 1)[0].seq
                while records := store.statements.follow(head, 500):
                    head = records[-1].seq
                while store.work.cursor("route").seq < head and time.monotonic() < began + SECONDS:
                    time.sleep(0.02)
                assert store.work.cursor("route").seq == head, "routing has not caught up"
            finally:
                done.set()
            following.result()
        again = Follower(server.url, (reader.credential.key, reader.secret), 1000)
        while again.poll():
            pass
    finally:
        server.stop(signal.SIGTERM)
        server.log.close()

    log = log_of(store)
    store.close()
    assert len(log) == INSERTS + VOIDS
    assert [n for n, _ in log] == list(range(1, len(log) + 1)), "the log's numbers have a gap or a repeat"
    assert follower.seen == [body for _, body in log]
    assert again.seen == follower.seen
    came = 0
    for cursor, count in follower.steps:
        came += count
        assert cursor == came, "a page's cursor is not the number of its last row"

    told: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for body in follower.seen:
        event = json.loads(body)
        told[event["course"]["id"]].append((event["revision"], event["event"]))
    once, revoked = [(1, "learning.completed")], [(1, "learning.completed"), (2, "learning.revoked")]
    assert len(told) == INSERTS
    assert (sum(rows == once for rows in told.values()), sum(rows == revoked for rows in told.values())) == (INSERTS - VOIDS, VOIDS)
    seconds = time.monotonic() - began
    print(f"{len(log)} rows in {len(follower.steps)} pages, {len(STOPS)} restarts, {seconds:.1f} s")
    assert seconds < SECONDS
