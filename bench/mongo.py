"""The MongoDB store beside the raw driver loop: the same documents by `insert_many`, the same pages by `find`, in one run."""
from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from statistics import median

from pymongo import MongoClient, WriteConcern
from pymongo.collection import Collection

from bench.rows import Table
from bench.statements import SEED, Life
from lrs.ingest.prepare import Provider, prepared
from lrs.statements.envelope import text
from lrs.statements.equality import same
from lrs.statements.instants import printed
from lrs.statements.limits import Limits
from lrs.statements.parse import parse
from lrs.statements.record import Prepared, Query
from lrs.statements.terms import terms_of
from lrs.store.mongo import rows
from lrs.store.mongo.database import Database, Document
from lrs.store.mongo.statements import MongoStatements

BATCH = 500
PAGE = 100
ASKED = 20
"""Terms of which a page is asked: some that fill one and are rare, where an index decides and not the server's walk."""
FULL, RARE = PAGE, 4 * PAGE


def described(url: str) -> dict[str, str]:
    """What the server says of itself; one that only speaks MongoDB's protocol names a version of MongoDB's too."""
    with MongoClient[Document](url) as client:
        return {"server": f"says it is MongoDB {client.server_info()['version']}, wire {client.admin.command('hello')['maxWireVersion']}"}


def mongo(table: Table, url: str, runs: int, statements: int) -> None:
    """Batches of 500, and pages of 100 by one term, of the store and of the driver alone. `url` names a server; a database of
    its own is made on it and dropped."""
    client: MongoClient[Document] = MongoClient(url)
    shares: list[float] = []
    ours: list[float] = []
    raws: list[float] = []
    pages: list[tuple[float, float]] = []
    beside: list[tuple[float, float]] = []
    for run in range(runs):
        name = f"bench_{uuid.uuid4().hex}"
        place, _, options = url.partition("?")
        server = place if place.count("/") == 2 else place.rsplit("/", 1)[0]
        database = Database(f"{server}/{name}?{options}")
        try:
            raw = _raw_collection(client, name)
            store = MongoStatements(database)
            store.migrate()
            batches = _prepared(store, SEED + 200 + run, statements)
            documents = _documents(batches)
            took_ours = took_raw = 0.0
            # one batch of each in turn: what the machine does meanwhile, it does to both
            for batch, plain in zip(batches, documents, strict=True):
                start = time.perf_counter()
                raw.insert_many(plain)
                between = time.perf_counter()
                store.add(batch, same)
                took_raw, took_ours = took_raw + between - start, took_ours + time.perf_counter() - between
            ours.append(statements / took_ours)
            raws.append(statements / took_raw)
            shares.append(100 * took_raw / took_ours)
            pages.append(_pages(store, raw, batches))
            # where what a page covers has a statement that refers to another, those of the page are looked for
            store.add([replace(batches[-1][-1], id=str(uuid.uuid4()), terms=(), target=batches[0][0].id)], same)
            beside.append(_pages(store, raw, batches))
            store.close()
        finally:
            client.drop_database(name)
            database.close()
    kept = f"0 → {statements}"
    table.add("mongo.raw", "raw driver loop: insert_many of the same documents, batches of 500", raws, "statements/s", store=kept)
    table.add("mongo.batch", "the MongoDB store: batches of 500, one transaction each", ours, "statements/s", store=kept)
    table.add("mongo.batch.ratio", "… as a share of the raw driver loop", shares, "%")
    table.add("mongo.page.raw", "the same page by find alone", [a for a, _ in pages], "ms", store=str(statements))
    table.add("mongo.page", "a page by one term of the MongoDB store", [b for _, b in pages], "ms", store=str(statements))
    table.add("mongo.page.ratio", "… pages as a share of find alone", [100 * a / b for a, b in pages], "%")
    table.add("mongo.page.referring", "the same page where a newer statement refers to another", [b for _, b in beside], "ms",
              store=str(statements + 1))
    table.add("mongo.page.referring.ratio", "… as a share of find alone", [100 * a / b for a, b in beside], "%")
    client.close()


def _raw_collection(client: MongoClient[Document], name: str) -> Collection[Document]:
    raw = client[name].get_collection("raw", write_concern=WriteConcern("majority", j=True))
    for index, keys in rows.INDEXES[rows.STATEMENTS].items():
        raw.create_index(keys, name=index, sparse=index in rows.SPARSE)
    return raw


def _prepared(store: MongoStatements, seed: int, statements: int) -> list[list[Prepared]]:
    who = Provider("bench", frozenset({"all"}), "bench", {"account": {"homePage": "http://127.0.0.1", "name": "bench"}})
    terms, limits = terms_of(store.term_key), Limits()
    return [[prepared(item, item.value["id"], who, terms) for item in parse(Life(seed, first=n).batch(BATCH), limits, "1.0.3")]
            for n in range(0, statements, BATCH)]


def _documents(batches: Sequence[Sequence[Prepared]]) -> list[list[Document]]:
    seq = 1_700_000_000_000_000
    made: list[list[Document]] = []
    for batch in batches:
        made.append([])
        for new in batch:
            seq += 16
            made[-1].append(rows.document(new, seq, text(new.parts, printed(seq)), voided=False, void_effective=False))
    return made


def _pages(store: MongoStatements, raw: Collection[Document], batches: Sequence[Sequence[Prepared]]) -> tuple[float, float]:
    """ms of find alone and of the store: medians over the terms asked, of each of which the median of five counts."""
    counted = Counter(term for batch in batches for new in batch for term in new.terms)
    asked = [term for term, n in sorted(counted.items()) if FULL <= n <= RARE][:ASKED]
    found: list[tuple[float, float]] = []
    for term in asked:
        alone, whole = [], []
        for _ in range(5):
            start = time.perf_counter()
            expected = list(raw.find({"terms": rows.packed([term])[0], "seq": {"$gt": 0}}, rows.FIELDS).sort("seq", -1).limit(PAGE + 1))
            between = time.perf_counter()
            page = store.page(Query(terms=(term,), limit=PAGE))
            alone.append((between - start) * 1000)
            whole.append((time.perf_counter() - between) * 1000)
            if len(page.records) != min(PAGE, len(expected)):
                raise RuntimeError(f"the store's page has {len(page.records)} statements, the driver's {len(expected)}")
        found.append((median(alone), median(whole)))
    return median(a for a, _ in found), median(b for _, b in found)
