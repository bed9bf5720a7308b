"""Measures of taking statements in: validation, batches and single POSTs, beside the raw loop and the plain endpoint."""
from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path
from statistics import median

from bench import client, machine, raw_loop
from bench.rows import Table
from bench.server import Running, plain_endpoint, product
from bench.statements import SEED, Life
from lrs.ingest.prepare import Provider, prepared
from lrs.statements.limits import Limits
from lrs.statements.parse import parse
from lrs.statements.terms import terms_of
from lrs.statements.validate import batch_findings


def pure(table: Table, runs: int) -> None:
    """µs a statement of each pure step on the way in."""
    body, limits, terms = Life().batch(500), Limits(), terms_of(b"k" * 16)
    who = Provider("bench", frozenset({"all"}), "bench", {"account": {"homePage": "http://127.0.0.1", "name": "bench"}})
    steps: dict[str, list[float]] = {"parse": [], "validate": [], "prepare": []}
    for _ in range(max(5, runs)):
        a = time.perf_counter()
        received = parse(body, limits, "1.0.3")
        b = time.perf_counter()
        broken, _bad = batch_findings(received, "1.0.3")
        c = time.perf_counter()
        for item in received:
            prepared(item, item.value["id"], who, terms)
        d = time.perf_counter()
        if broken:
            raise RuntimeError(f"the load is not valid: {broken[0]}")
        for name, took in zip(steps, (b - a, c - b, d - c), strict=True):
            steps[name].append(took * 1e6 / len(received))
    table.add("parse", "parse a statement, exact bytes kept", steps["parse"], "µs")
    table.add("validate", "validate a statement", steps["validate"], "µs")
    table.add("prepare", "envelope, reading and index terms of a statement", steps["prepare"], "µs")


def batches(table: Table, folder: Path, runs: int, statements: int) -> None:
    """Batches of 500, 50 and 5 by 1 and 8 clients, worker off and on, beside the raw loop in the same run."""
    bodies = [Life(SEED + 1).batch(500) for _ in range(1)] + [Life(SEED + 1, first=n).batch(500) for n in range(500, statements, 500)]
    raw = []
    for _ in range(runs):
        place = Path(tempfile.mkdtemp(dir=folder))
        raw.append(len(bodies) * 500 / raw_loop.seconds(place, bodies))
        shutil.rmtree(place)
    base = table.add("raw", "raw loop: parse and insert the same rows, batch of 500, empty file", raw, "statements/s").value
    for worker in (False, True):
        for size, clients in ((500, 1), (500, 8), (50, 8), (5, 8)):
            # what came before must not be in the way of what is compared with the raw loop: an empty store each time
            rates = [_fresh(folder, worker, size, clients, statements, seed=SEED + 10 + run) for run in range(runs)]
            on = "on" if worker else "off"
            name = f"batch{size}" if (size, clients) == (5, 8) and worker else f"batch{size}.{clients}.{on}"
            table.add(name, f"POST batches of {size}, {clients} client{'s' * (clients > 1)}", rates, "statements/s",
                      store=f"0 → {statements}", worker=on)
            if (size, clients) == (500, 1):
                table.add(f"batch500.{on}.ratio", "… as a share of the raw loop", [100 * rate / base for rate in rates], "%", worker=on)


def _fresh(folder: Path, worker: bool, size: int, clients: int, statements: int, seed: int) -> float:
    place = Path(tempfile.mkdtemp(dir=folder))
    # ready before the clock starts: the client must not be what is measured
    life = Life(seed)
    bodies = [life.batch(size) for _ in range(statements // size if size > 5 else statements // size // 4)]
    try:
        with product(place, worker=worker) as running:
            requests = iter([running.endpoint.request("POST", "/statements", body) for body in bodies])
            load = client.run(running.endpoint, requests, clients, most=len(bodies))
        return load.rate * size
    finally:
        shutil.rmtree(place)


def singles(table: Table, folder: Path, runs: int, posts: int) -> None:
    """Single POSTs by 1, 8 and 64 clients, beside an endpoint that only parses and answers, and beside the disk."""
    p50, p99 = machine.fsync_ms(folder)
    table.add("fsync.p50", "append 4 kB and fsync, p50", p50, "ms")
    table.add("fsync.p99", "append 4 kB and fsync, p99", p99, "ms")
    for clients in (1, 8, 64):
        ours, theirs, last = [], [], []
        for run in range(runs):
            bodies = [Life(SEED + 100 + run, first=n).batch(1)[1:-1] for n in range(posts)]
            place = Path(tempfile.mkdtemp(dir=folder))
            with product(place, worker=False) as running:
                load = _post(running, bodies, clients)
            shutil.rmtree(place)
            ours.append(load.rate)
            last.append(load.percentile(99))
            with plain_endpoint() as running:
                theirs.append(_post(running, bodies, clients).rate)
        table.add(f"single{clients}", f"single POST, {clients} client{'s' * (clients > 1)}, durable", ours, "/s",
                  store=f"0 → {posts}", worker="off")
        table.add(f"single{clients}.p99", "… p99", last, "ms", worker="off")
        table.add(f"single{clients}.plain.ratio", "… as a share of the plain endpoint",
                  [100 * a / b for a, b in zip(ours, theirs, strict=True)], "%", note=f"plain endpoint {median(theirs):.0f} /s")
    at_best = 8 / (p50 / 1000)
    rate = next(row.value for row in table.rows if row.key == "single8")
    table.add("single8.fsync.ratio", "single POST, 8 clients, as a share of 8/(fsync p50)", 100 * rate / at_best, "%")


def _post(running: Running, bodies: list[bytes], clients: int) -> client.Load:
    requests = iter([running.endpoint.request("POST", "/statements", body) for body in bodies])
    return client.run(running.endpoint, requests, clients, most=len(bodies))
