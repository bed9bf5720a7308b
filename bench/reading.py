"""Measures of reading at several sizes: by id, pages, every filter, pair and triple; and of writing at those sizes."""
from __future__ import annotations

import itertools
import json
import shutil
import time
from collections import Counter
from pathlib import Path
from statistics import median
from urllib.parse import quote

from bench import client, machine
from bench.grown import grow
from bench.rows import Table
from bench.server import Running, product
from bench.statements import SEED, Life
from lrs.ingest.prepare import Provider, prepared
from lrs.statements.equality import same
from lrs.statements.limits import Limits
from lrs.statements.parse import parse
from lrs.statements.terms import terms_of
from lrs.store.open_store import open_store

CHUNK = 1_000
GROWN = 10_000
"""Statements that one run adds."""
FILLED = 1_000_000
"""Statements up to which a store is filled by the store's own door."""


def sizes(table: Table, folder: Path, steps: list[int], runs: int) -> None:
    """A store of each size, measured; made in `folder` where it does not lie there from an earlier run."""
    first: dict[str, float] = {}
    rates: list[float] = []
    asked: dict[str, str] = {}
    # all of them first: what is measured adds statements
    for size, data in [(size, filled(folder, size)) for size in steps]:
        with product(data, worker=False) as running:
            asked = asked or _asked(running)
            _at(table, running, size, asked, first, runs)
            _grow(table, running, size, rates, runs)


def filled(folder: Path, size: int) -> Path:
    """A store of so many statements, by its name in the folder; made where it is missing, beyond a million out of copies. One that is
    made in seconds is made anew: what an earlier run added to it would be many times what it is."""
    data = folder / f"store-{size}"
    if size < FILLED // 10:
        shutil.rmtree(data, ignore_errors=True)
    if not data.is_dir():
        half = folder / f"half-store-{size}"
        shutil.rmtree(half, ignore_errors=True)
        times = size // FILLED
        if times > 1 and size % FILLED == 0:
            grow(filled(folder, FILLED), half, times)
        else:
            _fill(half, size)
        half.rename(data)
    return data


def _fill(data: Path, wanted: int) -> None:
    """Fill without HTTP, by the store's own door, and merge the index as the worker would."""
    store = open_store(data)
    who = Provider("bench", frozenset({"all"}), "bench", {"account": {"homePage": "http://127.0.0.1", "name": "bench"}})
    terms, limits = terms_of(store.statements.term_key), Limits()
    started = time.perf_counter()
    for n in range(0, wanted, CHUNK):
        received = parse(Life(SEED + 7, first=n).batch(min(CHUNK, wanted - n)), limits, "1.0.3")
        store.statements.add([prepared(i, i.value["id"], who, terms) for i in received], same)
        while n % (20 * CHUNK) == 0 and store.statements.merge_postings(20_000):
            pass
        if n % (200 * CHUNK) == 0:
            for file in store.files:
                file.checkpoint()
    while store.statements.merge_postings(20_000):
        pass
    store.close()
    print(f"filled to {wanted:,} in {time.perf_counter() - started:.0f} s", flush=True)


def _at(table: Table, running: Running, size: int, asked: dict[str, str], first: dict[str, float], runs: int) -> None:
    times = {name: _page_ms(running, path, runs) for name, path in asked.items()}
    table.add(f"bytes.{size}", f"bytes on disk a statement, at {size:,}", machine.folder_bytes(running.data) / size, "B")
    newest = _page_ms(running, "/statements?limit=100", runs)
    _, body = client.once(running.endpoint, "GET", "/statements?limit=100")
    ids = [one["id"] for one in json.loads(body)["statements"]]
    by_id = [running.endpoint.request("GET", f"/statements?statementId={ids[n % len(ids)]}") for n in range(500)]
    rate = client.run(running.endpoint, iter(by_id), 8, most=500).rate
    table.add(f"id.{size}", f"by id, 8 clients, at {size:,}", rate, "/s", store=str(size))
    table.add(f"page.{size}", f"page of 100, newest first, at {size:,}", newest, "ms", store=str(size))
    narrow = {name: ms for name, ms in times.items() if name.count("+") < 2}
    if not first:
        first.update(narrow)
    worst = max(narrow, key=lambda name: narrow[name] / first[name])
    table.add(f"filters.{size}", f"slowest filter or pair, page of 100, at {size:,}", max(narrow.values()), "ms", store=str(size),
              note=max(narrow, key=lambda name: narrow[name]))
    if narrow != first:
        ratio = narrow[worst] / first[worst]
        table.add("page.ratio", f"worst filter or pair at {size:,} against the smallest size", ratio, "×", note=worst)
    triples = {name: ms for name, ms in times.items() if name.count("+") == 2}
    slowest = max(triples, key=lambda name: triples[name])
    table.add("sets.worst", f"slowest set of three filters, at {size:,}", triples[slowest], "ms", store=str(size), note=slowest)


def _asked(running: Running) -> dict[str, str]:
    """Every filter, pair and triple with the values of one statement, and a limit that the smallest store fills already (100 where
    it can): so that pages of equally many statements are compared, for the same question, at every size."""
    _, body = client.once(running.endpoint, "GET", "/statements?limit=100")
    found = json.loads(body)["statements"]
    busy = Counter(json.dumps(s["actor"], sort_keys=True) for s in found).most_common(1)[0][0]
    statement = next(s for s in found if json.dumps(s["actor"], sort_keys=True) == busy)
    agent = {k: v for k, v in statement["actor"].items() if k in ("objectType", "mbox", "account")}
    filters = {"agent": json.dumps(agent), "verb": statement["verb"]["id"], "activity": statement["object"]["id"],
               "registration": statement["context"]["registration"], "since": "2026-01-01T00:00:00Z"}
    asked = {}
    for names in itertools.chain.from_iterable(itertools.combinations(filters, n) for n in (1, 2, 3)):
        path = "/statements?" + "&".join(f"{name}={quote(filters[name], safe='')}" for name in names)
        _, body = client.once(running.endpoint, "GET", f"{path}&limit=100")
        asked["+".join(names)] = f"{path}&limit={len(json.loads(body)['statements'])}"
    return asked


def _page_ms(running: Running, path: str, runs: int) -> float:
    request = running.endpoint.request("GET", path)
    n = 10 * max(1, runs)
    load = client.run(running.endpoint, iter([request] * (n + 1)), 1, most=n + 1)
    return median(load.milliseconds[1:])


def _grow(table: Table, running: Running, size: int, rates: list[float], runs: int) -> None:
    salt = time.time_ns() % 10**9  # a kept store has the statements of the last time
    came: list[float] = []
    for run in range(runs):
        # what a store that nobody wrote to for long has no page of in memory, the first run reads from the disk
        bodies = [Life(SEED + salt + run, first=size + n).batch(500) for n in range(0, GROWN, 500)]
        requests = iter([running.endpoint.request("POST", "/statements", body) for body in bodies])
        came.append(client.run(running.endpoint, requests, 1, most=len(bodies)).rate * 500)
    rates.append(median(came))
    table.add(f"grow.{size}", f"POST batches of 500, 1 client, at {size:,}", came, "statements/s",
              store=f"{size} → {size + runs * GROWN}", worker="off")
    if len(rates) > 1:
        table.add("grow.ratio", f"… at {size:,} as a share of the smallest size", 100 * rates[-1] / rates[0], "%")
