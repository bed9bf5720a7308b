"""An LRS in processes of its own that is watched: its metrics, its log, and a receiver of its deliveries."""
from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import psutil

sys.path.insert(0, str(Path(__file__).parents[1] / "e2e"))

from ports import LRS, free_port, until
from real_parts import get

from lrs.auth import credentials
from lrs.completions.model import Person
from lrs.store.open_store import open_store
from lrs.store.protocols.work import TargetRow

SECRET = "whsec_" + "QkJC" * 10 + "QkI="
VERSION = {"X-Experience-API-Version": "1.0.3"}


def completed(course: str = "c1") -> dict[str, Any]:
    return {"actor": {"mbox": "mailto:ada@acme.example"}, "verb": {"id": "http://adlnet.gov/expapi/verbs/completed"},
            "object": {"id": f"https://courses.acme.example/{course}",
                       "definition": {"type": "http://adlnet.gov/expapi/activities/course"}}}


class Receiver:
    """Answers with the next of `answers`, the last one for ever."""

    def __init__(self, *answers: int) -> None:
        left = list(answers)
        self.got: list[bytes] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer.got.append(self.rfile.read(int(self.headers["content-length"])))
                self.send_response(left.pop(0) if len(left) > 1 else left[0])
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/in"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


class Watched:
    """`lrs serve` on a folder, one person known, its log kept."""

    def __init__(self, folder: Path, targets: dict[str, dict[str, Any]], **environment: str) -> None:
        self.port, self.data, self.path = free_port(), folder / "data", folder / "serve.log"
        self.url = f"http://127.0.0.1:{self.port}"
        store = open_store(self.data)
        made = credentials.create(store.credentials, name="Tests", public_url=self.url, scopes=["all"])
        self.auth = (made.credential.key, made.secret)
        store.directory.put_people([Person("7", "ada@acme.example", "Ada", identifiers=("mbox:ada@acme.example",))])
        for name, settings in targets.items():
            store.work.add_target(TargetRow(name, settings.pop("connector", "webhook"), settings))
        store.close()
        with self.path.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", LRS, "--data", str(self.data), "serve", "--port", str(self.port)], stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, env={**os.environ, "LRS_LOG_JSON": "true", **environment})
        self.client = httpx.Client(base_url=self.url, auth=self.auth, headers=VERSION, timeout=15)
        until(lambda: self.ready() == 200, 30, "it is ready")

    def ready(self) -> int:
        with contextlib.suppress(httpx.TransportError):
            return get(self.url + "/health/ready", timeout=5).status_code
        return 0

    def metrics(self) -> str:
        answer = get(self.url + "/metrics", timeout=15)
        assert answer.status_code == 200, answer.text
        return answer.text

    def value(self, sample: str) -> float:
        """The value of the sample that is spelled so; 0 where there is none."""
        return next((float(line.rpartition(" ")[2]) for line in self.metrics().splitlines() if line.rpartition(" ")[0] == sample), 0.0)

    def kill_worker(self) -> None:
        children = psutil.Process(self.process.pid).children(recursive=True)
        os.kill(next(child.pid for child in children if "lrs.serve.worker" in child.cmdline()), signal.SIGKILL)

    def lines(self) -> list[dict[str, Any]]:
        """The lines of the log that are JSON."""
        found = []
        for line in self.path.read_text().splitlines():
            with contextlib.suppress(ValueError):
                found.append(json.loads(line))
        return [line for line in found if isinstance(line, dict)]

    def stop(self) -> None:
        self.client.close()
        self.process.terminate()
        self.process.wait(40)
