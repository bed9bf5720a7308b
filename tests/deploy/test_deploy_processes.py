"""Web, worker and beat, started with the commands and environments of compose.yaml, take a statement and deliver it."""
from __future__ import annotations

import json
import os
import re
import sys
import uuid
from pathlib import Path

import httpx
import pytest
from real_parts import Part, Redis, free_port, get, until
from ruamel.yaml import YAML

from campaign.receiver import Receiver
from lrs.completions.model import Person
from lrs.store.open_store import open_store
from lrs.store.protocols.work import TargetRow
from workers.connectors.registry import new_secret, settings_for

ROOT = Path(__file__).parents[2]
SERVICES = YAML(typ="safe").load((ROOT / "compose.yaml").read_text())["services"]
COURSE = "http://adlnet.gov/expapi/activities/course"


@pytest.mark.slow
def test_what_compose_starts_takes_a_statement_and_delivers_it(tmp_path: Path, mongo_place: str) -> None:
    redis, receiver, port = Redis(tmp_path), Receiver(), free_port()
    (tmp_path / "lrs.toml").touch()
    data = tmp_path / "data"
    # what a container has and this machine has not: its place for data, its network
    here = {"/data": str(data), "redis://redis:6379/0": redis.url, "mongodb://mongo:27017/lrs?replicaSet=rs0": mongo_place,
            "8080": str(port), "0.0.0.0": "127.0.0.1"}

    def start(name: str) -> Part:
        service = SERVICES[name]
        given = {key: here.get(value, re.sub(r"\$\{\w+:-(.*)\}", r"\1", value)) for key, value in service["environment"].items()}
        program, *words = service["command"]
        environ = {key: value for key, value in os.environ.items() if not key.startswith("LRS_")} | given
        return Part([str(Path(sys.executable).with_name(program)), *words], tmp_path, name, environ)

    parts = [start("web")]
    url = f"http://127.0.0.1:{port}"

    def answers(path: str) -> bool:
        try:
            return get(url + path, timeout=2).status_code == 200
        except httpx.TransportError:
            return False
    try:
        parts[0].ready(lambda: answers("/health/live"), 60)
        parts += [start("worker"), start("beat")]
        # as the health check of compose asks: ready is who has a worker, too
        assert "/health/ready" in str(SERVICES["web"]["healthcheck"]["test"])
        parts[0].ready(lambda: answers("/health/ready"), 60)
        store = open_store(mongo_place)
        store.directory.put_people([Person("1", identifiers=("mbox:ada@acme.example",))])
        given = {"url": f"http://127.0.0.1:{receiver.port}/", "secret": new_secret(), "allow_private": "true"}
        store.work.add_target(TargetRow("hr", "webhook", settings_for("webhook", given)))
        first = json.loads((data / "first-credential").read_text())
        statement = {"id": str(uuid.uuid4()), "actor": {"mbox": "mailto:ada@acme.example"},
                     "verb": {"id": "http://adlnet.gov/expapi/verbs/completed"},
                     "object": {"id": "https://courses.acme.example/1", "definition": {"type": COURSE}}}
        answer = httpx.post(url + "/xapi/statements", json=statement, auth=(first["key"], first["secret"]),
                            headers={"X-Experience-API-Version": "1.0.3"})
        assert answer.status_code == 200
        until(lambda: receiver.came, 60, "it is delivered")
        assert receiver.came[0].body["user"]["externalId"] == "1"
        until(lambda: store.work.count_by_state() == {"delivered": 1}, 20, "that is recorded")
        store.close()
    finally:
        for part in reversed(parts):
            part.stop(seconds=60)
        redis.stop()
        receiver.close()
    assert not [part.name for part in parts if "Traceback" in part.log.read_text(errors="replace")]
