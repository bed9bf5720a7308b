"""Celery as operators run it: a Redis, workers and beats as processes, the web application, and a receiver."""
from __future__ import annotations

import base64
import json
import os
import sys
import uuid
from collections import Counter
from pathlib import Path

import httpx
import psutil
from real_parts import Part, Redis, free_port, get
from werkzeug.test import Client

from lrs.auth import credentials
from lrs.completions.model import Course, Person
from lrs.directory.csv import identifiers_of
from lrs.store.open_store import open_store
from lrs.store.protocols.work import TargetRow

SECRET = "whsec_" + "A" * 43 + "="
COURSE = "https://courses.acme.example/forklift"
PEOPLE = 200


class Site:
    """A data folder with people, one course and one target, and the processes that work on it. `timeout`: the target's, in
    seconds: long, as a busy machine answers late; a lease lasts three times as long as the longest."""

    def __init__(self, folder: Path, broker: str = "", timeout: float = 10, **settings: str) -> None:
        """`settings`: more variables of all processes."""
        self.folder, self.data, self.parts, self.settings = folder, folder / "data", [], settings
        (folder / "lrs.toml").touch()
        self.redis = Redis(folder)
        self.broker = broker or self.redis.url
        port = free_port()
        self.receiver_url = f"http://127.0.0.1:{port}"
        self.receiver = self.start("receiver", [sys.executable, "-m", "lrs.sandbox.webhook", "--port", str(port), "--key", SECRET,
                                                "--data", str(folder / "received.db")])
        self.receiver.ready(self._receives)
        self.store = open_store(settings.get("LRS_STORE") or self.data, self.data / "incoming")
        self.store.directory.put_courses([Course(COURSE)])
        self.store.directory.put_people([
            Person(f"{n}", f"person{n}@acme.example", identifiers=tuple(identifiers_of(f"{n}", [f"person{n}@acme.example"])))
            for n in range(PEOPLE)])
        self.store.work.add_target(TargetRow("hook", "webhook", {"url": self.receiver_url + "/", "secret": SECRET,
                                                                 "allow_private": True, "timeout": timeout}))
        made = credentials.create(self.store.credentials, name="Tests", public_url="http://lrs.example", scopes=["all"])
        self.auth = base64.b64encode(f"{made.credential.key}:{made.secret}".encode()).decode()
        self.people = iter(range(PEOPLE))

    def environ(self, broker: str = "") -> dict[str, str]:
        """What the processes of this LRS get as environment."""
        return {**os.environ, "LRS_DATA": str(self.data), "LRS_BROKER_URL": broker or self.broker,
                "LRS_CONFIG": str(self.folder / "lrs.toml"), "PYTHONWARNINGS": "ignore", **self.settings}

    def start(self, name: str, command: list[str]) -> Part:
        """Start a process that ends with this site."""
        self.parts.append(Part(command, self.folder, name, {**os.environ}))
        return self.parts[-1]

    def celery(self, name: str, *words: str) -> Part:
        """`celery -A workers.app …`, ready when its log says so."""
        part = Part([str(Path(sys.executable).with_name("celery")), "-A", "workers.app", *words], self.folder, name, self.environ())
        self.parts.append(part)
        return part

    def worker(self, name: str = "w1") -> Part:
        """A worker that has not yet said that it is ready."""
        return self.celery(name, "worker", "-n", name)

    def client(self, broker: str = "") -> Client:
        """The WSGI application as `wsgi.py` composes it, with the broker's bell."""
        import wsgi

        before = dict(os.environ)
        os.environ.update(self.environ(broker))
        try:
            return Client(wsgi.build())
        finally:
            os.environ.clear()
            os.environ.update(before)

    def post(self, client: Client, person: int | None = None) -> int:
        """One completion of one more person; the answer's status."""
        number = next(self.people) if person is None else person
        body, headers = self.completion(number)
        return client.post("/xapi/statements", data=body, headers=headers).status_code

    def completion(self, number: int) -> tuple[str, dict[str, str]]:
        """Body and headers of a POST by which this person completed the course."""
        statement = {"id": str(uuid.uuid4()), "actor": {"mbox": f"mailto:person{number}@acme.example"}, "object": {"id": COURSE},
                     "verb": {"id": "http://adlnet.gov/expapi/verbs/completed"}}
        return json.dumps(statement), {"Authorization": f"Basic {self.auth}", "X-Experience-API-Version": "1.0.3",
                                       "Content-Type": "application/json"}

    def received(self) -> Counter[str]:
        """How often each event came, by the person's employee id; a target that is only tested gets one without."""
        rows = get(self.receiver_url + "/sandbox/received", timeout=10).json()
        rows = [row for row in rows if "user" in row["event"]]
        assert len(rows) == len({row["event"]["id"] for row in rows}), "an event came under two webhook-ids"
        return Counter({row["event"]["user"]["externalId"]: row["times"] for row in rows})

    def at_work(self, worker: Part, since: int) -> bool:
        """Whether a process of this worker did something after `since` (µs)."""
        mine = {str(process.pid) for process in psutil.Process(worker.process.pid).children()}
        return any(one.worker.split("-")[-2] in mine and one.at > since for one in self.store.heartbeats.list())

    def came(self, *people: int) -> bool:
        """Whether these are at the receiver."""
        return {str(person) for person in people} <= set(self.received())

    def _receives(self) -> bool:
        try:
            return get(self.receiver_url + "/", timeout=2).status_code == 200
        except httpx.TransportError:
            return False

    def stop(self) -> None:
        """End every process."""
        for part in self.parts:
            if part.process.poll() is None:
                part.process.terminate()
        for part in self.parts:
            part.stop()
        self.redis.stop()
        self.store.close()
