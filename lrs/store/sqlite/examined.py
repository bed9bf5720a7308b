"""What checks of a store's promises read of the SQLite files."""
from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from lrs.statements.record import Record
from lrs.store.protocols.examined import Achievement, Event, IndexRow, Kept, Linked, Owed
from lrs.store.protocols.work import Cursor
from lrs.store.sqlite import rows
from lrs.store.sqlite.database import Database

SLICE = 5_000
LEAST = -(1 << 63)
AMONG = 500
"""Ids looked up at once."""
TREES = ("terms_recent", "terms_main")


class StatementsExamined:
    """`lrs.store.protocols.examined.ExaminedStatements` of a `SqliteStatements`."""

    own_rows = True
    _database: Database

    def kept(self, after: int, n: int) -> list[Kept]:
        """At most n statements with seq > after, oldest first."""
        with self._database.read() as db:
            return [_kept(row) for row in db.execute(f"SELECT {rows.COLUMNS}, terms FROM statements WHERE seq > ? ORDER BY seq LIMIT ?",
                                                     (after, n))]

    def kept_at(self, seqs: Iterable[int]) -> dict[int, Kept]:
        """Those of these seqs at which a statement stands."""
        with self._database.read() as db:
            found = (db.execute(f"SELECT {rows.COLUMNS}, terms FROM statements WHERE seq = ?", (seq,)).fetchone() for seq in seqs)
            return {one.record.seq: one for one in map(_kept, filter(None, found))}

    def linked(self, statement_ids: Iterable[str]) -> dict[str, Linked]:
        """Those of these statements that are here, voided or not."""
        names = [rows.key(one) for one in statement_ids]
        found: dict[str, Linked] = {}
        with self._database.read() as db:
            for start in range(0, len(names), AMONG):
                some = names[start:start + AMONG]
                for name, seq, target, voided, terms in db.execute(
                        f"SELECT id, seq, target, voided, terms FROM statements WHERE id IN ({','.join('?' * len(some))})", some):
                    found[rows.uuid_text(name)] = Linked(seq, target and rows.uuid_text(target), bool(voided), rows.unpacked(terms))
        return found

    def terms_at(self, seqs: Iterable[int]) -> dict[int, frozenset[int]]:
        """The own terms of those of these seqs at which a statement stands, and nothing else of it: every row of the index asks."""
        with self._database.read() as db:
            found = (db.execute("SELECT seq, terms FROM statements WHERE seq = ?", (seq,)).fetchone() for seq in seqs)
            return {seq: frozenset(rows.unpacked(terms)) for seq, terms in filter(None, found)}

    def referring(self, statement_id: str) -> list[Record]:
        """The statements that refer to this one, at most 1 000, those that void it first."""
        with self._database.read() as db:
            found = db.execute(f"SELECT {rows.COLUMNS} FROM statements WHERE target = ? "
                               "ORDER BY voids IS NULL, void_effective = 0 LIMIT 1000", (rows.key(statement_id),))
            return [rows.record(row) for row in found]

    def index_rows(self) -> Iterator[IndexRow]:
        """Every row of those that wait, and of both trees, which are walked together: a row that goes from one to the other keeps
        its place."""
        with self._database.read() as db:
            young = {seq: rows.unpacked(terms) for seq, terms in db.execute("SELECT seq, terms FROM terms_waiting")}
        yield from ((term, seq, 0) for seq, terms in young.items() for term in terms)
        at: IndexRow | None = (LEAST, LEAST, LEAST)
        while at is not None:
            with self._database.read() as db:
                found: list[list[IndexRow]] = [
                    db.execute(f"SELECT term, seq, via FROM {tree} WHERE (term, seq, via) > (?, ?, ?) ORDER BY term, seq, via LIMIT ?",
                               (*at, SLICE)).fetchall() for tree in TREES]
            # behind the last row of a list that was cut off there may be rows of it that are not here
            at = min((some[-1] for some in found if len(some) == SLICE), default=None)
            for some in found:
                # what waited before has been given, wherever it is by now
                yield from (row for row in (some if at is None else some[:bisect_right(some, at)]) if row[2] or row[1] not in young)

    def indexed(self, wanted: Iterable[IndexRow]) -> set[IndexRow]:
        """Those of these rows that wait, or that one of the trees has."""
        sql = " UNION ALL ".join(f"SELECT 1 FROM {tree} WHERE term = ?1 AND seq = ?2 AND via = ?3" for tree in TREES)
        waits = "SELECT 1 FROM terms_waiting WHERE seq = ? AND instr(terms, ?)"
        with self._database.read() as db:
            return {row for row in wanted if db.execute(sql, row).fetchone()
                    or (not row[2] and db.execute(waits, (row[1], rows.packed(row[:1]))).fetchone())}

    def owes_index(self) -> bool:
        """Whether rows for references are still to be written."""
        with self._database.read() as db:
            return db.execute("SELECT 1 FROM shadow_todo LIMIT 1").fetchone() is not None

    def ceiling(self) -> int:
        """What no time that was given exceeds, µs."""
        with self._database.read() as db:
            return int(db.execute("SELECT coalesce(max(ceiling), 0) FROM clock").fetchone()[0])


class WorkExamined:
    """`lrs.store.protocols.examined.ExaminedWork` of a `SqliteWork`."""

    _database: Database

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """What this thread reads within is of one moment."""
        with self._database.read() as db:
            db.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone()
            yield

    def cursors(self) -> dict[str, Cursor]:
        """Every consumer's cursor."""
        with self._database.read() as db:
            return {name: Cursor(seq, change) for name, seq, change in db.execute("SELECT consumer, seq, change FROM cursors")}

    def events(self) -> Iterator[Event]:
        """The feed, by (id, revision)."""
        return (Event(*row) for row in self._walked("SELECT n, event_id, revision, event FROM feed ORDER BY event_id, revision"))

    def achievements(self) -> Iterator[Achievement]:
        """Every window of every state, by id; SQLite sorts them in a file of its own where they are many."""
        return (Achievement(name, revision or 0, *whose) for name, revision, *whose in self._walked(
            """SELECT json_extract(value, '$.id'), json_extract(value, '$.revision'), subject, course
               FROM states, json_each(CAST(body AS TEXT), '$.windows') ORDER BY 1"""))

    def owed(self) -> Iterator[Owed]:
        """Every delivery, by (event id, revision)."""
        return (Owed(*row) for row in self._walked("SELECT id, target, event_id, revision FROM deliveries ORDER BY event_id, revision"))

    def _walked(self, sql: str) -> Iterator[tuple[Any, ...]]:
        with self._database.read() as db:
            yield from db.execute(sql)


def _kept(row: tuple[Any, ...]) -> Kept:
    return Kept(rows.record(row[:-1]), rows.unpacked(row[-1]))
