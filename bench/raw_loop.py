"""The yardstick of batches: parse a body and insert the very rows that the product would, with no HTTP and no rules."""
from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path

import orjson

from lrs.ingest.prepare import Provider, prepared
from lrs.statements.envelope import text
from lrs.statements.instants import printed
from lrs.statements.limits import Limits
from lrs.statements.parse import parse
from lrs.statements.terms import terms_of
from lrs.store.sqlite import rows
from lrs.store.sqlite.database import Database
from lrs.store.sqlite.statements import SqliteStatements

Rows = tuple[list[tuple[object, ...]], list[tuple[int, int, int]]]


def rows_of(body: bytes, key: bytes, first_seq: int) -> Rows:
    """The rows of the statements and of the terms, as the product writes them."""
    who = Provider("bench", frozenset({"all"}), "bench", {"account": {"homePage": "http://127.0.0.1", "name": "bench"}})
    terms = terms_of(key)
    statements: list[tuple[object, ...]] = []
    postings: list[tuple[int, int, int]] = []
    for seq, item in enumerate(parse(body, Limits(), "1.0.3"), first_seq):
        new = prepared(item, item.value["id"], who, terms)
        statements.append((seq, rows.key(new.id), text(new.parts, printed(seq)), new.reading, rows.packed(new.terms),
                           new.credential_id, new.provider, None, None, False, False, False, None))
        postings += [(term, seq, 0) for term in new.terms]
    return statements, postings


def seconds(folder: Path, bodies: Sequence[bytes]) -> float:
    """Seconds to parse and insert these bodies, one durable commit a body, into a new file of the product's schema."""
    database = Database(folder / "raw.db")
    SqliteStatements(database).migrate()
    first = 1_700_000_000_000_000
    made: list[Rows] = []
    for body in bodies:
        made.append(rows_of(body, b"k" * 16, first))
        first += len(made[-1][0])
    db: sqlite3.Connection = database.connect()
    start = time.perf_counter()
    for body, (statements, postings) in zip(bodies, made, strict=True):
        orjson.loads(body)
        db.execute("BEGIN IMMEDIATE")
        db.executemany("INSERT INTO statements VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", statements)
        db.executemany("INSERT OR IGNORE INTO terms_recent VALUES (?, ?, ?)", postings)
        db.execute("COMMIT")
    took = time.perf_counter() - start
    database.close()
    return took


def bare_commits(folder: Path, n: int = 300) -> float:
    """Durable commits a second of a one-row table, one at a time."""
    db = sqlite3.connect(folder / "bare.db", isolation_level=None)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.execute("CREATE TABLE t (n INTEGER PRIMARY KEY, v TEXT)")
    body = json.dumps({"x": "y" * 1000})
    start = time.perf_counter()
    for n_ in range(n):
        db.execute("INSERT INTO t VALUES (?, ?)", (n_, body))
    took = time.perf_counter() - start
    db.close()
    return n / took
