"""Measures of what follows a statement: time to the first attempt, deliveries a second, feed, exports, memory."""
from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from bench import client, machine
from bench.client import Endpoint
from bench.rows import Table
from bench.server import Running, product
from bench.statements import SEED, Life
from lrs.completions.model import Person
from lrs.store.open_store import open_store
from lrs.store.protocols.work import TargetRow
from workers.connectors.registry import new_secret, settings_for

COURSE = "https://lms.example.com/courses/bench-{}"


class Receiver(ThreadingHTTPServer):
    """A target that answers after 5 ms and remembers when each event came."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self) -> None:
        self.came: dict[str, float] = {}
        super().__init__(("127.0.0.1", 0), _Receive)


class _Receive(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Receiver

    def do_POST(self) -> None:
        """Note the event, answer."""
        event = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.came.setdefault(f"{event['user']['externalId']} {event['course']['id']}", time.perf_counter())
        time.sleep(0.005)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@contextmanager
def receiver() -> Iterator[Receiver]:
    """A receiver on a free port."""
    server = Receiver()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def target(port: int) -> TargetRow:
    """The receiver as a target."""
    given = {"url": f"http://127.0.0.1:{port}/", "secret": new_secret(), "allow_private": "true"}
    return TargetRow("receiver", "webhook", settings_for("webhook", given))


def deliveries(table: Table, folder: Path, n: int = 2_000) -> None:
    """Accepted → first attempt, one completion at a time; then a backlog, drained by one worker process."""
    data = folder / "deliveries"
    store = open_store(data)
    store.directory.put_people([Person(f"E{k:05d}", identifiers=(f"mbox:p{k}@example.com",)) for k in range(n)])
    store.close()
    with receiver() as there:
        with product(data, worker=True, targets=(target(there.server_port),)) as running:
            waits = [_wait(running, there, k) for k in range(100)]
        waits.sort()
        table.add("first_attempt.p50", "accepted → first attempt at the target, p50", waits[49] * 1000, "ms", worker="on")
        table.add("first_attempt.p95", "accepted → first attempt at the target, p95", waits[94] * 1000, "ms", worker="on")
        with product(data, worker=False) as running:
            for k in range(0, n, 500):
                client.once(running.endpoint, "POST", "/statements", json.dumps([_completed(j, 1) for j in range(k, k + 500)]).encode())
        there.came.clear()
        with product(data, worker=True) as running:
            began = time.perf_counter()
            while len(there.came) < n:
                if time.perf_counter() - began > 300:
                    raise RuntimeError(f"only {len(there.came)} of {n} deliveries came")
                time.sleep(0.01)
            _feed(table, running)
        first, last = min(there.came.values()), max(there.came.values())
        table.add("deliveries", "deliveries by one worker process to a target that answers in 5 ms", (n - 1) / (last - first), "/s",
                  note=f"{n} in a backlog", worker="on")


def _feed(table: Table, running: Running, limit: int = 1_000, pages: int = 100) -> None:
    """Pages of the feed by one reader, from its beginning."""
    there = Endpoint(running.endpoint.url.replace("/xapi", "/feeds"), running.endpoint.key, running.endpoint.secret)
    request = there.request("GET", f"/completions?since=0&limit={limit}&exclude_source=")
    rows = len(json.loads(client.once(there, "GET", f"/completions?since=0&limit={limit}&exclude_source=")[1])["items"])
    load = client.run(there, iter([request] * pages), 1, most=pages)
    table.add("feed", f"completions feed, pages of {rows}, 1 reader", rows * load.rate, "rows/s", worker="on")


def _completed(k: int, course: int) -> dict[str, Any]:
    return {"actor": {"mbox": f"mailto:p{k}@example.com"}, "verb": {"id": "http://adlnet.gov/expapi/verbs/completed"},
            "object": {"id": COURSE.format(course), "definition": {"type": "http://adlnet.gov/expapi/activities/course"}}}


def _wait(running: Running, there: Receiver, k: int) -> float:
    client.once(running.endpoint, "POST", "/statements", json.dumps(_completed(k, 0)).encode())
    accepted, key = time.perf_counter(), f"E{k:05d} {COURSE.format(0)}"
    while key not in there.came:
        if time.perf_counter() - accepted > 30:
            raise RuntimeError("a completion was not delivered within 30 s")
        time.sleep(0.001)
    return max(0.0, there.came[key] - accepted)


BUILD = """import sys, time
from pathlib import Path
from bench.machine import peak_mb
from analytics.build import Builder
from lrs.config import Settings
from lrs.services import Services
from lrs.store.open_store import open_store
data = Path(sys.argv[1])
builder = Builder(Services(Settings(data=data), open_store(data)))
began, longest = time.process_time(), 0.0
while True:
    builder._since, start = 0.0, time.perf_counter()
    if not builder():
        break
    longest = max(longest, time.perf_counter() - start)
print(time.process_time() - began, longest, peak_mb())
"""
EXPORT = """import sys, time
from pathlib import Path
from bench.machine import peak_mb
from analytics.exports.rows import Wanted
from analytics.exports.run import export
from lrs.store.open_store import open_store
store = open_store(sys.argv[1])
start, cpu = time.perf_counter(), time.process_time()
export(store, Wanted(), sys.argv[2], Path(sys.argv[3]), table=Path(sys.argv[4]))
took = time.perf_counter() - start
print(took, time.process_time() - cpu, peak_mb())
"""


def exports(table: Table, data: Path, folder: Path) -> None:
    """Facts of a filled store: the table built, then Parquet and CSV from it and Parquet from the log, each in its own process."""
    store = open_store(data)
    rows = store.statements.count()
    store.close()
    shutil.rmtree(data / "facts", ignore_errors=True)  # that of an earlier run
    cpu, longest, peak = _figures(BUILD, str(data))
    table.add("facts.build", "table of facts built, by CPU time", rows / cpu, "rows/s", store=str(rows))
    table.add("facts.slice", "… longest slice", longest * 1000, "ms", store=str(rows))
    table.add("facts.memory", "… peak memory", peak, "MB", store=str(rows))
    for kind, key, of in (("parquet", "export.parquet", data / "facts"), ("csv", "export.csv", data / "facts"),
                          ("parquet", "export.log", folder / "none")):
        took, cpu, peak = _figures(EXPORT, str(data), kind, str(folder / key), str(of))
        where = "from the log" if key == "export.log" else "from the table"
        table.add(key, f"export of facts to {kind} {where}", rows / took, "rows/s", store=str(rows), note=f"{cpu:.2f} s of CPU")
        table.add("export.memory", f"… peak memory ({kind} {where})", peak, "MB", store=str(rows))


def _figures(program: str, *arguments: str) -> list[float]:
    """What the program prints at its end, run in a process of its own."""
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True)
    return [float(one) for one in done.stdout.split()[-3:]]


def memory(table: Table, folder: Path, statements: int, pages: int) -> None:
    """Memory of the web process after so many statements in and pages out; its growth over the second half."""
    data, sizes = folder / "memory", []
    with product(data, worker=True) as running, machine.highest_logs_mb(data) as logs:
        page = running.endpoint.request("GET", "/statements?limit=100")
        for half in range(2):
            life = Life(SEED + 20, first=half * statements)
            bodies = (running.endpoint.request("POST", "/statements", life.batch(500)) for _ in range(statements // 1000))
            client.run(running.endpoint, bodies, 2, most=statements // 1000, seconds=3600)
            client.run(running.endpoint, iter([page] * (pages // 2)), 4, most=pages // 2, seconds=3600)
            sizes.append(machine.rss_mb(running.web))
    table.add("web.memory", f"web process after {statements:,} statements in and {pages:,} pages out", sizes[1], "MB", worker="on")
    table.add("web.slope", "… growth over the second half", sizes[1] - sizes[0], "MB")
    table.add("wal", "… write-ahead logs together, at most", logs[0], "MB")
