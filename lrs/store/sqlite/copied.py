"""All that a folder of SQLite files keeps, as rows of `lrs.store.protocols.copied`."""
from __future__ import annotations

import hashlib
import os
import re
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice

from lrs.errors import StoreUnavailable, WrongState
from lrs.statements.documents import PIECE
from lrs.store.protocols.copied import PARTS, SEQUENCES, SILENT_SECONDS, Row
from lrs.store.sqlite import copies, postings, rows, served
from lrs.store.sqlite.claims import REFUSED
from lrs.store.sqlite.clock import STEP_US
from lrs.store.sqlite.database import Database
from lrs.store.sqlite.deliveries import MAY_HAVE_ARRIVED
from lrs.store.sqlite.documents import AT
from lrs.store.sqlite.requests import LOOKED_AT

STATEMENTS, WORK, REJECTIONS, PAYLOADS = range(4)
"""The files of a store, in the order in which it has them."""
MARK = "move.json"
MERGED_AFTER = 100_000
"""Index rows that wait in the small tree at most."""
_PIECES = "SELECT piece FROM document_pieces WHERE document = ? ORDER BY n"
_UNTOLD = "('parked', 'cancelled')"
_REACHED = f"""EXISTS (SELECT 1 FROM attempts WHERE delivery = deliveries.id AND attempts.state NOT IN {_UNTOLD}
  AND (status IS NULL OR status NOT IN {REFUSED}))"""
_EVENT = "coalesce((SELECT n FROM feed f WHERE f.event_id = deliveries.event_id AND f.revision = deliveries.revision), 0)"
COUNTED = {"changes": STATEMENTS, "audit": STATEMENTS, "rewritten": STATEMENTS, "rejections": REJECTIONS, "payloads": PAYLOADS}
"""Tables that number their rows by themselves, and their file."""


@dataclass(frozen=True, slots=True)
class Table:
    """Where a part stands: its file and table, and its fields where they are not the columns of the same names."""

    file: int
    name: str
    columns: tuple[str, ...]


def _table(file: int, part: str, name: str = "", **columns: str) -> Table:
    return Table(file, name or part, tuple(columns.get(field, field) for field in PARTS[part].fields))


TABLES = {
    "term_key": _table(STATEMENTS, "term_key"), "secret_key": _table(STATEMENTS, "secret_key"),
    "statements": _table(STATEMENTS, "statements", may_void_any="(target IS NOT NULL AND may_void_any)"),
    "credentials": _table(STATEMENTS, "credentials"), "connections": _table(STATEMENTS, "connections"),
    "people": _table(STATEMENTS, "people"), "identifiers": _table(STATEMENTS, "identifiers", owner="employee_id"),
    "courses": _table(STATEMENTS, "courses"), "course_ids": _table(STATEMENTS, "course_ids"), "changes": _table(STATEMENTS, "changes"),
    "mappings": _table(STATEMENTS, "mappings"), "rewritten": _table(STATEMENTS, "rewritten"),
    "documents": _table(STATEMENTS, "documents"), "definitions": _table(STATEMENTS, "definitions"),
    "audit": _table(STATEMENTS, "audit"), "targets": _table(WORK, "targets"), "feed": _table(WORK, "feed"),
    "states": _table(WORK, "states"),
    "deliveries": _table(WORK, "deliveries", n=_EVENT, reached=_REACHED, arrived=MAY_HAVE_ARRIVED,
                         tries="(SELECT count(*) FROM attempts WHERE delivery = deliveries.id)"),
    "sessions": _table(WORK, "sessions"), "searches": _table(WORK, "searches", "session_searches"),
    "payloads": _table(PAYLOADS, "payloads"), "rejections": _table(REJECTIONS, "rejections"), "cursors": _table(WORK, "cursors"),
}
Write = Callable[[sqlite3.Connection, Sequence[Row]], None]


class SqliteCopied:
    """`lrs.store.protocols.copied.Copied` of the files of a store."""

    def __init__(self, files: Sequence[Database]) -> None:
        self._files = files
        self._folder = files[0].path.parent
        self._recent = 0
        self._merge = postings.Merge(files[STATEMENTS])
        self._read: dict[str, Callable[[Row | None, int], list[Row]]] = {
            "attachments": self._attachments, "statements": self._statements, "attempts": self._attempts, "documents": self._documents,
            "places": self._places, "numbers": self._numbers}
        self._write: dict[str, Write] = {
            "term_key": _put_key("term_key"), "secret_key": _put_key("secret_key"), "statements": self._put_statements,
            "attempts": _put_attempts, "deliveries": _put_deliveries, "documents": _put_documents, "payloads": _put_payloads}

    @contextmanager
    def held(self) -> Iterator[None]:
        """No `lrs serve` runs on the folder, nor begins to, and no worker was seen lately."""
        with ExitStack() as stack:
            try:
                stack.enter_context(served.held(self._folder))
            except BlockingIOError:
                raise WrongState(f"an LRS is running on {self._folder}: stop it first") from None
            with self._files[WORK].read() as db:
                at, worker = db.execute("SELECT max(at), worker FROM heartbeats").fetchone()
            age = time.time() - (at or 0) / 1_000_000
            # the worker of `lrs serve` ends with it (`workers.run`): one that is left is a Celery worker
            if age < SILENT_SECONDS and worker and not worker.startswith("worker-"):
                raise WrongState(f"worker {worker} was at work on {self._folder} {age:.0f} s ago: stop it, and wait {SILENT_SECONDS} s")
            yield

    def page(self, part: str, after: Row | None, n: int) -> list[Row]:
        """Rows by their key."""
        read = self._read.get(part)
        return read(after, n) if read else self._rows(part, after, n)

    def _rows(self, part: str, after: Row | None, n: int) -> list[Row]:
        table, key = TABLES[part], PARTS[part].fields[:PARTS[part].key]
        columns = TABLES[part].columns[:len(key)]
        where = f"WHERE ({', '.join(columns)}) > ({', '.join('?' * len(key))})" if after is not None else ""
        with self._files[table.file].read() as db:
            return db.execute(f"SELECT {', '.join(table.columns)} FROM {table.name} {where} ORDER BY {', '.join(columns)} LIMIT ?",
                              (*(after or ()), n)).fetchall()

    def write(self, part: str, rows: Sequence[Row]) -> None:
        """One transaction."""
        if not rows:
            return
        if part in ("places", "numbers"):  # of several files
            (self._put_places if part == "places" else self._put_numbers)(rows)
            return
        table = TABLES.get(part) or Table(WORK, part, ())
        with self._files[table.file].write() as db:
            self._write.get(part, _put(table))(db, rows)
        if self._recent > MERGED_AFTER:
            self.merge()

    def merge(self) -> None:
        """Take what was indexed to where it stays."""
        while self._merge.run(20_000):
            pass
        self._recent = 0

    def count(self, part: str) -> int:
        """How many rows there are."""
        if part in ("attachments", "places", "numbers"):
            return len(self.page(part, None, 1 << 40))
        table = TABLES.get(part) or Table(WORK, part, ())
        with self._files[table.file].read() as db:
            return int(db.execute(f"SELECT count(*) FROM {table.name}").fetchone()[0])

    def index(self, rows: Sequence[tuple[int, int, Sequence[int]]], absent: Sequence[str]) -> None:
        """Rows of the small tree; of what is absent nothing need be known."""
        with self._files[STATEMENTS].write() as db:
            postings.insert(db, [(term, seq, via) for seq, via, terms in rows for term in terms])
        self._recent += sum(len(terms) for _, _, terms in rows)

    def begin_after(self, moment: int) -> None:
        """Whoever draws the next seq goes by the ceiling, not by this machine's uptime."""
        with self._files[STATEMENTS].write() as db:
            db.execute("INSERT OR IGNORE INTO clock VALUES (1, '', 0, 0)")
            db.execute("UPDATE clock SET boot = '', ceiling = max(ceiling, ? + ?)", (moment, STEP_US))

    def mark(self, said: str | None) -> None:
        """A file beside the databases."""
        place = self._folder / MARK
        try:
            if said is None:
                self.merge()
                place.unlink(missing_ok=True)
            else:
                made = place.with_suffix(".new")
                made.write_text(said)
                copies.sync(made)
                os.replace(made, place)
            copies.sync(self._folder)
        except OSError as error:
            raise StoreUnavailable(error) from error

    def marked(self) -> str | None:
        """What the file says."""
        try:
            return (self._folder / MARK).read_text()
        except FileNotFoundError:
            return None

    def _attachments(self, after: Row | None, n: int) -> list[Row]:
        behind = str(after[0]) if after else ""
        folders = (one for one in sorted((self._folder / "attachments").glob("[0-9a-f][0-9a-f]")) if one.name >= behind[:2])
        found = (one for folder in folders for one in sorted(folder.iterdir()) if one.name > behind)
        return [(one.name, one.stat().st_size) for one in islice(found, n)]

    def _statements(self, after: Row | None, n: int) -> list[Row]:
        found = self._rows("statements", after, n)
        with self._files[STATEMENTS].read() as db:
            request = _request_before(db, found[0][0]) if found else ""
        made: list[Row] = []
        for row in found:
            request = request if row[-1] is None else row[-1]
            made.append((*row[:-1], request))
        return made

    def _put_statements(self, db: sqlite3.Connection, given: Sequence[Row]) -> None:
        request = _request_before(db, given[0][0])
        made = []
        for row in given:
            # only where it is another one than before
            made.append((*row[:-1], None if row[-1] == request else row[-1]))
            request = row[-1]
        rows.insert(db, f"INSERT OR REPLACE INTO statements ({', '.join(PARTS['statements'].fields)})", made)
        owned = [(term, row[0], 0) for row in given for term in rows.unpacked(row[4])]
        postings.insert(db, owned)
        self._recent += len(owned)

    def _attempts(self, after: Row | None, n: int) -> list[Row]:
        fields = "delivery, at, state, attempts, why, status, milliseconds, body"
        behind = after[0] if after else ""
        with self._files[WORK].read() as db:
            found = db.execute(f"SELECT {fields} FROM attempts WHERE delivery > ? ORDER BY delivery, at, rowid LIMIT ?",
                               (behind, n)).fetchall()
            if len(found) == n:
                # the page may end in the midst of a delivery's
                last = found[-1][0]
                found = [row for row in found if row[0] != last] + db.execute(
                    f"SELECT {fields} FROM attempts WHERE delivery = ? ORDER BY at, rowid", (last,)).fetchall()
        places: dict[str, int] = {}
        made: list[Row] = []
        for delivery, *rest in found:
            places[delivery] = places.get(delivery, 0) + 1
            made.append((delivery, places[delivery], *rest))
        return made

    def _documents(self, after: Row | None, n: int) -> list[Row]:
        key = PARTS["documents"].fields[:5]
        where = f"WHERE ({', '.join(key)}) > (?, ?, ?, ?, ?)" if after is not None else ""
        with self._files[STATEMENTS].read() as db:
            found = db.execute(f"SELECT rowid, {', '.join(PARTS['documents'].fields)} FROM documents {where} "
                               f"ORDER BY {', '.join(key)} LIMIT ?", (*(after or ()), n)).fetchall()
            pieces = [b"".join(piece for (piece,) in db.execute(_PIECES, (row[0],))) for row in found]
        return [(*row[1:6], bytes(row[6]) + rest, *row[7:]) for row, rest in zip(found, pieces, strict=True)]

    def _places(self, after: Row | None, n: int) -> list[Row]:
        def of(file: int, table: str) -> int:
            with self._files[file].read() as db:
                return int(db.execute(f"SELECT coalesce(max(seq), 0) FROM {table}").fetchone()[0])

        return [] if after else [("definitions", of(STATEMENTS, "definitions_cursor")), ("sessions", of(WORK, "session_cursor"))]

    def _put_places(self, given: Sequence[Row]) -> None:
        for name, seq in given:
            file, table = (STATEMENTS, "definitions_cursor") if name == "definitions" else (WORK, "session_cursor")
            with self._files[file].write() as db:
                db.execute(f"INSERT OR REPLACE INTO {table} VALUES (1, ?)", (seq,))

    def _numbers(self, after: Row | None, n: int) -> list[Row]:
        def one(file: int, sql: str, *values: str) -> int:
            with self._files[file].read() as db:
                found = db.execute(sql, values).fetchone()
            return int(found[0] or 0) if found else 0

        def of(name: str) -> int:
            if name == "feed":
                return one(WORK, "SELECT max(n) FROM feed")
            if name in COUNTED:
                return one(COUNTED[name], "SELECT seq FROM sqlite_sequence WHERE name = ?", name)
            return one(STATEMENTS, "SELECT max(number) FROM mappings WHERE kind = ?", name.partition(":")[2])

        return [] if after else [(name, of(name)) for name in SEQUENCES]

    def _put_numbers(self, given: Sequence[Row]) -> None:
        for name, n in given:
            if name in COUNTED and n:
                with self._files[COUNTED[name]].write() as db:
                    if not db.execute("UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = ?", (n, name)).rowcount:
                        db.execute("INSERT INTO sqlite_sequence VALUES (?, ?)", (name, n))


def _request_before(db: sqlite3.Connection, seq: int) -> str:
    """The request that the statement before this one came with."""
    row = db.execute("""SELECT request FROM (SELECT request FROM statements WHERE seq < ? ORDER BY seq DESC LIMIT ?)
                        WHERE request IS NOT NULL LIMIT 1""", (seq, LOOKED_AT)).fetchone()
    return str(row[0]) if row else ""


def _put(table: Table) -> Write:
    def put(db: sqlite3.Connection, given: Sequence[Row]) -> None:
        columns = [one for one in table.columns if re.fullmatch(r"\w+", one)]
        db.executemany(f"INSERT OR REPLACE INTO {table.name} ({', '.join(columns)}) VALUES ({','.join('?' * len(columns))})", given)

    return put


def _put_key(table: str) -> Write:
    def put(db: sqlite3.Connection, given: Sequence[Row]) -> None:
        db.execute(f"INSERT OR REPLACE INTO {table} VALUES (1, ?)", given[0])

    return put


def _put_attempts(db: sqlite3.Connection, given: Sequence[Row]) -> None:
    db.executemany("DELETE FROM attempts WHERE delivery = ?", [(one,) for one in dict.fromkeys(row[0] for row in given)])
    db.executemany("INSERT INTO attempts VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                   [(row[0], *row[2:]) for row in sorted(given, key=lambda row: row[:2])])


def _put_deliveries(db: sqlite3.Connection, given: Sequence[Row]) -> None:
    """Rows that are due at one time are claimed in the order of their rowid: that of their events in the feed."""
    order = {name: place for place, (name,) in enumerate(db.execute("SELECT name FROM targets ORDER BY name"))}
    fields = PARTS["deliveries"].fields
    kept = [place for place, name in enumerate(fields) if name not in ("n", "tries", "reached", "arrived")]
    columns = ["rowid", *(fields[place] for place in kept)]
    made = [(row[1] * len(order) + order[row[2]] if row[1] and row[2] in order else None, *(row[place] for place in kept)) for row in given]
    db.executemany(f"INSERT OR REPLACE INTO deliveries ({', '.join(columns)}) VALUES ({','.join('?' * len(columns))})", made)


def _put_documents(db: sqlite3.Connection, given: Sequence[Row]) -> None:
    for *key, content, content_type, updated in given:
        at = tuple(key)
        db.execute(f"DELETE FROM document_pieces WHERE document IN (SELECT rowid FROM documents WHERE {AT})", at)
        document = db.execute("INSERT OR REPLACE INTO documents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (
            *at, content[:PIECE], content_type, updated, len(content), hashlib.sha1(content, usedforsecurity=False).hexdigest())).lastrowid
        db.executemany("INSERT INTO document_pieces VALUES (?, ?, ?)",
                       [(document, start // PIECE, content[start:start + PIECE]) for start in range(PIECE, len(content), PIECE)])


def _put_payloads(db: sqlite3.Connection, given: Sequence[Row]) -> None:
    db.executemany("INSERT OR REPLACE INTO payloads (n, at, connection, kind, body, note, digest) VALUES (?, ?, ?, ?, ?, ?, ?)",
                   [(*row, hashlib.sha256(row[4]).digest()) for row in given])
