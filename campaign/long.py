"""A million statements in and ten thousand pages out: memory, files, write-ahead log and answers stay what they were."""
from __future__ import annotations

import time
from pathlib import Path
from statistics import median

import psutil

from bench import client
from bench.client import Endpoint
from bench.machine import highest_logs_mb, logs_mb
from bench.statements import Life
from campaign.served import Served, must, serving, until
from workers import partitions

PARTS = 10
"""Statements and pages come in so many parts; the first part fills caches and is not compared."""
BATCH, PAGE = 500, 100
SLOPE_MB = 40.0
"""The most that a process may grow from the middle to the end."""
WAL_MB = 300.0
FILES = 10
SLOWER = 2.0
"""The most by which an answer at the end may take longer than at the beginning, as a factor."""


def run(folder: Path, seed: int, cycles: int = 1_000_000, *, timed: bool = True) -> str:
    """`cycles` statements in, one page of a hundred for each hundred. What was seen, as a sentence. Raises `Broken`, for
    answers that became slower only if `timed`."""
    with serving(folder, {"LRS_LOG_LEVEL": "error"}) as served, highest_logs_mb(served.data) as logs:
        served.start()
        endpoint = Endpoint(f"http://127.0.0.1:{served.port}/xapi", served.key, served.secret)
        batches = max(1, cycles // PARTS // BATCH)
        rows = [_part(served, endpoint, seed, part, batches) for part in range(PARTS)]
        began = time.monotonic()
        with served.store() as store:
            last = store.statements.last_seq()
            until(lambda: partitions.routed(store).seq >= last, 3600, "all of it is routed")
        routed = time.monotonic() - began
        rows.append(_measured(served))
        middle, end, first = rows[PARTS // 2], rows[-1], rows[1]
        for role in ("web", "worker"):
            grown = end[f"{role} MB"] - middle[f"{role} MB"]
            must(grown < SLOPE_MB, f"{role} grew by {grown:.0f} MB over the second half: {[row[f'{role} MB'] for row in rows]}")
            more = end[f"{role} files"] - first[f"{role} files"]
            must(more <= FILES, f"{role} holds {more:.0f} files more than at the beginning")
        wal = logs[0]
        must(wal < WAL_MB, f"the write-ahead logs grew to {wal:.0f} MB")
        last_part = rows[PARTS - 1]
        for kind in ("batch ms", "page ms"):
            at_first, at_last = first[kind], last_part[kind]
            must(not timed or at_last < SLOWER * at_first + 5, f"{kind}: {at_first:.1f} at the beginning, {at_last:.1f} at the end")
        shown = ", ".join(f"{name} {first[name]:.1f} → {(last_part | end)[name]:.1f}" for name in last_part)
        return (f"{batches * PARTS * BATCH} statements in, {batches * PARTS * BATCH // PAGE} pages out: {shown} (second tenth → end); "
                f"write-ahead logs at most {wal:.0f} MB; routed {routed:.0f} s after the last page")


def _part(served: Served, endpoint: Endpoint, seed: int, part: int, batches: int) -> dict[str, float]:
    life = Life(seed, first=part * batches * BATCH)
    into = client.run(endpoint, (endpoint.request("POST", "/statements", life.batch(BATCH)) for _ in range(batches)), 2,
                      most=batches, seconds=3600)
    pages = batches * BATCH // PAGE
    out = client.run(endpoint, iter([endpoint.request("GET", f"/statements?limit={PAGE}")] * pages), 2, most=pages, seconds=3600)
    return {"batch ms": median(into.milliseconds), "page ms": median(out.milliseconds), **_measured(served)}


def _measured(served: Served) -> dict[str, float]:
    found: dict[str, float] = {}
    for role in ("web", "worker"):
        process = psutil.Process(served.pid(role))
        found |= {f"{role} MB": process.memory_info().rss / 2**20, f"{role} files": float(process.num_fds())}
    found["wal MB"] = logs_mb(served.data)
    return found

