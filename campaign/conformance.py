"""Runs ADL's LRS conformance test suite (an installed checkout) against a fresh server, once for each version."""
from __future__ import annotations

import argparse
import base64
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

TOTALS = {"1.0.3": 1365, "2.0.0": 1442}
"""Cases of the suite at commit 2ec25f2; its exit code says nothing, so what passed is held against these."""
START_SECONDS = 60
BESIDE_BATCH, BESIDE_PAUSE = 10, 0.2
"""What the second client sends: statements in a batch, seconds between two."""


def main() -> int:
    """Exit code 0 when every case of every version passed."""
    parser = argparse.ArgumentParser(prog="python -m campaign.conformance", description=__doc__)
    parser.add_argument("suite", type=Path, help="Checkout of adlnet/lrs-conformance-test-suite, after `npm install`.")
    parser.add_argument("--version", choices=TOTALS, action="append", help="Only this version; may be repeated.")
    parser.add_argument("--store", default="", help="A MongoDB server (mongodb://host/?replicaSet=…), where each run has a "
                                                    "database of its own. Default: SQLite files.")
    parser.add_argument("--runs", type=int, default=1, help="Runs in a row, each on a fresh server.")
    parser.add_argument("--beside", action="store_true", help="A second client posts batches all the while.")
    given = parser.parse_args()
    if not (given.suite / "node_modules").is_dir():
        print(f"{given.suite} is no installed checkout: clone the suite there and run npm install in it", file=sys.stderr)
        return 2
    good = True
    for version in given.version or TOTALS:
        for run in range(given.runs):
            passed, failures, beside = conform(given.suite.resolve(), version, of_its_own(given.store), beside=given.beside)
            good &= passed == TOTALS[version]
            told = f", beside {beside} statements of another client" if given.beside else ""
            print(f"xAPI {version}, run {run + 1}: {passed} of {TOTALS[version]} passed{told}", flush=True)
            for name in failures:
                print(f"  failed: {name}")
    return 0 if good else 1


def of_its_own(store: str) -> str:
    """The address of a new database of the server that this address names ('' for none)."""
    if not store:
        return ""
    server, mark, options = store.partition("?")
    scheme, _, rest = server.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}/conformance_{uuid.uuid4().hex[:12]}{mark}{options}"


def conform(suite: Path, version: str, store: str = "", *, beside: bool = False) -> tuple[int, list[str], int]:
    """How many cases passed, the names of those that did not, and how many statements a second client had stored meanwhile; on
    files or (`store`) a database."""
    with tempfile.TemporaryDirectory() as folder:
        data, port = Path(folder) / "data", _free_port()
        environ = {name: value for name, value in os.environ.items() if not name.startswith("LRS_")}
        server = subprocess.Popen([sys.executable, "-m", "lrs", "serve", "--data", str(data), "--port", str(port)],
                                  env=environ | {"LRS_XAPI_DEFAULT_VERSION": version, "LRS_STORE": store}, stdout=subprocess.DEVNULL)
        try:
            _wait(port)
            credential = json.loads((data / "first-credential").read_text())
            logs = suite / "logs"
            before = set(logs.glob("*.log")) if logs.is_dir() else set()
            with _second_client(port, credential, version) if beside else contextlib.nullcontext([]) as stored:
                out = subprocess.run(
                    ["node", "bin/console_runner.js", "-e", f"http://127.0.0.1:{port}/xapi", "-a", "-u", credential["key"],
                     "-p", credential["secret"], "-x", version, "-z"], cwd=suite, capture_output=True, text=True, timeout=1200)
            counts = re.findall(r'"passed":(\d+)', out.stdout)
            return int(counts[-1]) if counts else 0, [n for log in set(logs.glob("*.log")) - before for n in _failed(log)], len(stored)
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(30)


@contextlib.contextmanager
def _second_client(port: int, credential: dict[str, str], version: str) -> Iterator[list[str]]:
    """Posts batches until the end; gives the ids that were acknowledged. A refusal is raised when the suite is done."""
    stored: list[str] = []
    faults: list[Exception] = []
    done = threading.Event()
    key = base64.b64encode(f"{credential['key']}:{credential['secret']}".encode()).decode()
    headers = {"Content-Type": "application/json", "X-Experience-API-Version": version, "Authorization": f"Basic {key}"}

    def post() -> None:
        n = 0
        while not done.wait(BESIDE_PAUSE):
            # one case takes the newest page and asks for milliseconds: a printed time must not end in a zero that may be left out
            now = datetime.now(UTC)
            time_text = now.strftime("%Y-%m-%dT%H:%M:%S.") + f"{now.microsecond // 10_000:02d}{1 + n % 9}Z"
            n += 1
            batch = [{"id": str(uuid.uuid4()), "actor": {"mbox": f"mailto:beside{n % 7}@example.com"}, "timestamp": time_text,
                      "verb": {"id": "http://adlnet.gov/expapi/verbs/attempted"},
                      "object": {"id": f"https://example.com/beside/{place}"}} for place in range(BESIDE_BATCH)]
            try:
                request = urllib.request.Request(f"http://127.0.0.1:{port}/xapi/statements", json.dumps(batch).encode(), headers)
                with urllib.request.urlopen(request, timeout=30) as answer:
                    stored.extend(json.load(answer))
            except Exception as fault:  # told by the thread that waits for the suite
                faults.append(fault)
                return

    client = threading.Thread(target=post)
    client.start()
    try:
        yield stored
    finally:
        done.set()
        client.join()
    if faults:
        raise RuntimeError(f"the second client was refused after {len(stored)} statements: {faults[0]}")


def _failed(log: Path) -> list[str]:
    def walk(node: dict[str, Any], above: str) -> list[str]:
        name = node.get("title") or node.get("name") or ""
        below = node.get("tests") or node.get("suites") or []
        if not below:
            return [f"{above[:100]} > {name}"] if node.get("status") == "failed" else []
        return [found for one in below for found in walk(one, name)]

    return walk(json.loads(log.read_text()).get("log") or {}, "")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _wait(port: int) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("the server did not start")


if __name__ == "__main__":
    sys.exit(main())
