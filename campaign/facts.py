"""kill -9 of the builder of facts at any instant, while statements, voids, people and maps come: the table says what the store says."""
from __future__ import annotations

import contextlib
import json
import random
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import duckdb
import orjson

from analytics import table
from analytics.build import Builder
from analytics.facts import kept
from campaign.served import must
from lrs.config import Settings
from lrs.ingest.batch import accept
from lrs.ingest.prepare import Provider
from lrs.services import Services
from lrs.store.open_store import open_store
from verbs.read import from_json

ADL = "http://adlnet.gov/expapi/verbs/"
WHO = Provider("k", frozenset({"all"}), "sim", {"account": {"homePage": "https://lrs.example", "name": "k"}})
BUILDER = """
import sys
from pathlib import Path
from analytics import build
from lrs.config import Settings
from lrs.services import Services
from lrs.store.open_store import open_store
build.SECONDS, build.ROWS, build.SMALL_FILES, build.DIRECTORY_SECONDS = 0.0, 40, 6, 0.0
build.FILE_ROWS = 400
data = Path(sys.argv[1])
builder = build.Builder(Services(Settings(data=data), open_store(data)))
print("ready", flush=True)
while True:
    builder()
"""


def run(folder: Path, seed: int, cycles: int = 50) -> str:
    """One campaign of so many kills; what was seen, as a sentence. Raises `Broken`."""
    draw, data = random.Random(seed), folder / "data"
    services = Services(Settings(data=data), open_store(data))
    sent: list[str] = []
    voided, rewritten, moved = 0, 0, 0
    for _ in range(cycles):
        process = subprocess.Popen([sys.executable, "-c", BUILDER, str(data)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert process.stdout
        process.stdout.readline()
        before = _version(services)
        end = time.monotonic() + draw.uniform(0.0, 0.6)
        while time.monotonic() < end:
            sent += _send(services, [_statement(draw) for _ in range(draw.randrange(1, 60))])
            if draw.random() < 0.5:
                _send(services, [{**_statement(draw, "voided"), "object": {"objectType": "StatementRef", "id": draw.choice(sent)}}])
                voided += 1
            if draw.random() < 0.3:
                rewritten += _reread(services, draw)
        must(process.poll() is None, "the builder ended by itself")
        process.kill()
        process.wait()
        moved += _version(services) - before
    Builder(services).finish()
    _same(services)
    services.store.close()
    return (f"{cycles} kills, {len(sent)} statements, {voided} voids, {rewritten} readings rewritten, {moved} commits under way: "
            "the table says what the store says, to the row")


def _version(services: Services) -> int:
    with contextlib.suppress(FileNotFoundError):
        return len(list((services.settings.facts_folder / "facts" / "_delta_log").glob("*.json")))
    return 0


def _statement(draw: random.Random, verb: str = "completed") -> dict[str, Any]:
    return {"id": str(uuid.UUID(int=draw.getrandbits(128), version=4)), "actor": {"mbox": f"mailto:p{draw.randrange(50)}@example.com"},
            "verb": {"id": ADL + verb}, "object": {"id": f"https://c.example/{draw.randrange(20)}"}}


def _send(services: Services, statements: list[dict[str, Any]]) -> list[str]:
    accept(services, json.dumps(statements).encode(), WHO)
    return [one["id"] for one in statements]


def _reread(services: Services, draw: random.Random) -> int:
    """Rewrite the readings of a few statements, as a changed map does."""
    some = draw.sample(found := services.store.statements.follow(0, 100_000), min(5, len(found)))
    again = [(one.seq, json.dumps({**json.loads(one.reading), "verb": draw.choice(("passed", "failed"))}).encode()) for one in some]
    must(services.store.mappings.put_readings(0, again), "readings are rewritten")
    return len(again)


def _same(services: Services) -> None:
    """The table's rows are those of the store: each once, in the order of the log, with what holds now."""
    store = services.store
    found = table.opened(services.settings.facts_folder, store.statements.term_key)
    must(found, "there is a table")
    assert found
    names = [one.name for one in table.COLUMNS if one.type not in ("TIMESTAMP", "DATE")]
    paths = [one.path for one in table.files(found)]
    rows = duckdb.connect().execute(f"SELECT {', '.join(names)} FROM read_parquet({paths})").fetchall()
    wanted = [kept(one, orjson.loads(one.text), from_json(one.reading), key=store.statements.term_key)
              for one in store.statements.follow(0, 10_000_000)]
    must(len(rows) == len(wanted), f"{len(rows)} rows in the table, {len(wanted)} in the store")
    for row, one in zip(rows, wanted, strict=True):
        must(row == tuple(one[name] for name in names), f"row {one['seq']}: {row} in the table, {one} by the store")
