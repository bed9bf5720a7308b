"""A large store out of a smaller one, in minutes instead of hours: its statements once more, under other ids and at earlier times."""
from __future__ import annotations

import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from lrs.statements.instants import printed

GAP = 60_000_000
"""µs between the last statement of a copy and the first of the next."""
ID_AT, STORED_AT = len(b'{"id":"'), len(b'{"id":"00000000-0000-0000-0000-000000000000","stored":"')


def grow(small: Path, large: Path, times: int) -> None:
    """Make the folder `large` out of the store in the folder `small`, which nobody has open: `times` as many statements.

    The copies of a statement differ from it in id and `stored` alone, so people, courses and terms are as skewed as before. They
    lie before it: the log is written in its order, the index of terms in the order in which it would be walked. Raises `ValueError`
    for a store with references between statements, of which copies would be wrong.
    """
    started = time.perf_counter()
    shutil.copytree(small, large)
    with closing(sqlite3.connect(large / "statements.db", isolation_level=None)) as db:
        db.execute("ATTACH ? AS small", (str(small / "statements.db"),))
        first, last, references = db.execute("SELECT min(seq), max(seq), count(target) FROM small.statements").fetchone()
        if references or db.execute("SELECT (SELECT count(*) FROM terms_waiting) + (SELECT count(*) FROM terms_recent)").fetchone()[0]:
            raise ValueError(f"{small} has references, or an index that is not merged yet")
        # who fails here makes the folder anew
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -1000000"):
            db.execute(f"PRAGMA {pragma}")
        db.create_function("another_id", 2, another_id, deterministic=True)
        db.create_function("another_text", 4, another_text, deterministic=True)
        _log(db, last - first + GAP, times)
        for n in range(1, times):
            db.execute("INSERT INTO terms_main SELECT term, seq - ?, via FROM small.terms_main", (n * (last - first + GAP),))
        db.execute("PRAGMA journal_mode = WAL")
    print(f"grown from {small.name} to {large.name} in {time.perf_counter() - started:.0f} s", flush=True)


def _log(db: sqlite3.Connection, span: int, times: int) -> None:
    schema = db.execute("SELECT sql FROM main.sqlite_master WHERE tbl_name = 'statements' AND sql IS NOT NULL ORDER BY rowid")
    table, *indexes = [sql for (sql,) in schema]
    columns = [row[1] for row in db.execute("PRAGMA main.table_info(statements)")]
    changed = {"seq": "seq - :back", "id": "another_id(id, :n)", "text": "another_text(text, id, :n, seq - :back)"}
    copied = (f"INSERT INTO main.statements ({', '.join(columns)}) SELECT {', '.join(changed.get(c, c) for c in columns)} "
              "FROM small.statements ORDER BY seq")
    db.execute("DROP TABLE main.statements")
    # made afterwards the indexes would have everything read once more
    for made in (table, *indexes):
        db.execute(made)
    for n in reversed(range(times)):
        db.execute(copied, {"n": n, "back": n * span})


def another_id(key: bytes, n: int) -> bytes:
    """The id (16 bytes) of a statement's `n`-th copy; of the 0th, the statement's own. Two copies never have one id."""
    return (int.from_bytes(key[:4], "big") ^ n).to_bytes(4, "big") + key[4:]


def another_text(text: bytes, key: bytes, n: int, seq: int) -> bytes:
    """The text of that copy, stored at `seq` (µs)."""
    name = another_id(key, n)[:4].hex().encode()
    stored = printed(seq).encode()
    return b"".join((text[:ID_AT], name, text[ID_AT + 8:STORED_AT], stored, text[STORED_AT + len(stored):]))
