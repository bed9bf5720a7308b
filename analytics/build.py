"""Builds the table of facts: follows the log of statements and of rewritten readings, and makes the small tables anew.

The cursor is the table's own transaction, and every write goes through the very `DeltaTable` on which it was read: a builder
that another was faster than is refused, reads again and goes on. Rows that changed are put right before the cursor moves; that
says only what the store says, so that it may be done twice.
"""
from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from typing import Any

import orjson
from deltalake import CommitProperties, DeltaTable, write_deltalake
from deltalake.exceptions import CommitFailedError, TableNotFoundError

from analytics import table as layout
from analytics.compact import MEMORY, ZSTD, apart, rewritten
from analytics.facts import catalogued, course_in, kept, subject_key
from analytics.table import File
from lrs.completions.catalogue import Catalogue
from lrs.completions.subjects import email_identifiers
from lrs.services import Services
from lrs.statements.record import Record
from lrs.store.open_store import Store
from verbs.read import from_json

log = logging.getLogger("analytics")
SLICE = 500
"""Statements a slice: some 25 ms."""
ROWS, SECONDS = 5_000, 5.0
"""A commit is made of so many rows, or after so long."""
SMALL_FILES = 200
"""So many commits later, small files become large ones,"""
FILE_ROWS = 100_000
"""of at most this many rows: one of them is written anew where a row of it changes."""
DIRECTORY_SECONDS = 10.0
KEEP_HOURS = 24
"""Files that the table no longer needs stay so long for those who still read them."""


class Builder:
    """One slice a call: how much it did, 0 when nothing is left for now."""

    def __init__(self, services: Services) -> None:
        self._store = services.store
        self._folder = services.settings.facts_folder
        self._key = services.store.statements.term_key
        self._forget()
        self._commits = SMALL_FILES
        self._directory = -1
        self._asked: set[tuple[str, str]] = set()
        self._by_hash = self._more = False
        self._directory_next = 0.0

    def _forget(self) -> None:
        self._table: DeltaTable | None = None
        self._rows: dict[int, dict[str, Any]] = {}
        self._changed: set[int] = set()
        self._rewritten: int | None = None
        self._since = 0.0

    def __call__(self) -> int:
        """Do the next slice. Raises `StoreUnavailable`, `AnotherStore`."""
        try:
            return self._slice()
        except (CommitFailedError, TableNotFoundError) as fault:
            log.info("another builder of facts was faster, or the table is gone (%s): reading it again", str(fault)[:200])
            self._forget()
            return 1

    def finish(self) -> None:
        """Work until nothing is left, and commit it without waiting."""
        self._directory_next = 0.0
        while True:
            self._since = 0.0
            if not self():
                return

    def _slice(self) -> int:
        if self._table is None:
            self._table = layout.opened(self._folder, self._key) or layout.created(self._folder, self._key)
            self._at, self._done = layout.cursor(self._table)
        if self._rewritten is None:
            # before the statements: a reading that is rewritten after they were read has a later number
            again = self._store.mappings.rewritten(self._done, ROWS)
            self._rewritten = again[-1][0] if again else self._done
            self._changed = {seq for _, seq in again if seq <= self._at}
            self._since = time.monotonic()
        full = len(self._rows) >= ROWS
        records = [] if full else self._store.statements.follow(max(self._rows, default=self._at), SLICE)
        for record in records:
            self._take(record)
        full = len(self._rows) >= ROWS
        if len(records) == SLICE and not full:
            return len(records)
        if full or time.monotonic() - self._since >= SECONDS:
            if self._rows or self._changed:
                return self._write()
            self._rewritten = None
        return len(records) or self._compact() or self._small_tables()

    def _take(self, record: Record) -> None:
        row = self._rows[record.seq] = rows_of(self._store, [record])[0]
        self._more |= row["place"].startswith("{") and (row["activity"], row["place"]) not in self._asked
        self._more |= self._by_hash and row["subject_also"] != "" and (row["subject"], row["subject_also"]) not in self._asked
        if record.voids is not None and (target := self._store.statements.get(record.voids, voided=True)):
            if target.seq in self._rows:
                self._rows[target.seq]["voided"] = True
            elif target.seq <= self._at:
                self._changed.add(target.seq)

    def _write(self) -> int:
        """One commit: a file of which rows changed, else the new rows, and with the last of it the cursor."""
        assert self._table is not None
        assert self._rewritten is not None
        if self._changed:
            first = min(self._changed)
            file = next((one for one in layout.files(self._table) if one.last >= first), None)
            seqs = {seq for seq in self._changed if file and seq <= file.last}
            left = self._changed - seqs if file else set()
            last = not left and not self._rows
            if file:
                self._replace(file, [one for seq in sorted(seqs) for one in self._store.statements.follow(seq - 1, 1)],
                              (self._at, self._rewritten) if last else None)
            self._changed = left
            if not last:
                return 1
        through = max(self._rows, default=self._at)
        if self._rows:
            write_deltalake(self._table, layout.arrow([self._rows[seq] for seq in sorted(self._rows)]), mode="append",
                            writer_properties=ZSTD,
                            commit_properties=CommitProperties(app_transactions=layout.transactions(through, self._rewritten)))
        if self._rewritten > self._done and not self._store.shared:  # else another table may follow the log, and be behind
            self._store.mappings.forget_rewritten(self._rewritten)
        self._at, self._done, done = through, self._rewritten, len(self._rows)
        self._rows, self._rewritten = {}, None
        self._commits += 1
        return done or 1

    def _replace(self, old: File, changed: Sequence[Record], reached: tuple[int, int] | None = None) -> None:
        """Put a file in place of one, with these records' rows as they are now."""
        assert self._table is not None
        rewritten(self._table, [old.path], old.first, old.last, layout.arrow(rows_of(self._store, changed)),
                  layout.transactions(*reached) if reached else None)

    def _compact(self) -> int:
        """Make one large file of small neighbours, once there are many."""
        if self._commits < SMALL_FILES or self._table is None:
            return 0
        for group in neighbours(layout.files(self._table)):
            apart(self._table, [one.path for one in group], group[0].first, group[-1].last)
            self._table.update_incremental()
            if layout.cursor(self._table) != (self._at, self._done):
                raise CommitFailedError("somebody else has added to the table meanwhile")
            return 1
        self._table.vacuum(retention_hours=KEEP_HOURS, enforce_retention_duration=False, dry_run=False)
        self._commits = 0
        return 0

    def _small_tables(self) -> int:
        """Make them anew where the directory changed, or the facts name what only they know (`asked`)."""
        if time.monotonic() < self._directory_next:
            return 0
        self._directory_next = time.monotonic() + DIRECTORY_SECONDS
        change = self._store.directory.last_change()
        assert self._table is not None
        if change == self._directory and not self._more:
            return 0
        # rows that wait for their commit may name more than the table does
        self._more, special = bool(self._rows), asked(self._table, self._store)
        self._asked = {*special[0], *special[1]}
        self._by_hash = any(by_hash_alone(one.identifiers) for one in self._store.directory.people())
        for name, rows in small_tables(self._store, special).items():
            at = layout.small(self._folder, name)
            write_deltalake(at, layout.text_table(layout.SMALL[name], rows), mode="overwrite", writer_properties=ZSTD)
            at.vacuum(retention_hours=KEEP_HOURS, enforce_retention_duration=False, dry_run=False)
        self._directory = change
        return 0


def rows_of(store: Store, records: Sequence[Record]) -> list[dict[str, Any]]:
    """The rows that the table keeps of these records."""
    key = store.statements.term_key
    return [kept(record, orjson.loads(record.text), from_json(record.reading), key=key) for record in records]


def neighbours(found: Sequence[File]) -> Iterator[list[File]]:
    """Small files that stand side by side and fit together into a large one."""
    group: list[File] = []
    for file in found:
        if sum(one.rows for one in group) + file.rows > FILE_ROWS:
            if len(group) > 1:
                yield group
            group = []
        group.append(file)
    if len(group) > 1:
        yield group


def asked(table: DeltaTable, store: Store) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """What only the facts know: (activity, place) of activities that are a course by more than their id, and (subject, other
    keys) of learners whom the directory knows by a hash of their address alone."""
    import duckdb  # with the first export

    hashed = any(by_hash_alone(person.identifiers) for person in store.directory.people())
    if not (paths := [one.path for one in layout.files(table)]):
        return [], []
    with duckdb.connect() as db:
        db.execute(f"SET memory_limit = '{MEMORY}B'; SET threads = 1")
        source = f"read_parquet({paths})"
        special = db.execute(f"SELECT DISTINCT activity, place FROM {source} WHERE place LIKE '{{%'").fetchall()
        also = db.execute(f"SELECT DISTINCT subject, subject_also FROM {source} WHERE subject_also <> ''").fetchall() if hashed else []
    return special, also


def by_hash_alone(identifiers: Sequence[str]) -> bool:
    """Whether one of them is the hash of an address that is not among them."""
    addresses = [name.removeprefix("mbox:") for name in identifiers if name.startswith("mbox:")]
    return any(name.startswith("sha1:") for name in set(identifiers).difference(*map(email_identifiers, addresses)))


def small_tables(store: Store, special: tuple[list[tuple[str, str]], list[tuple[str, str]]]) -> dict[str, list[Sequence[str]]]:
    """The rows of each of `analytics.table.SMALL`, from the directory as it is."""
    key, catalogue = store.statements.term_key, Catalogue(store.directory.courses())
    people = store.directory.people()
    subjects = {subject_key(key, name): subject_key(key, one.employee_id) for one in people for name in one.identifiers}
    for subject, also in special[1]:
        met = next((subjects[other] for other in also.split(" ") if other in subjects), None)
        if met and subject not in subjects:
            subjects[subject] = met
    return {
        "identifiers": list(subjects.items()),
        "courses": [*catalogued(catalogue), *((activity, place, course_in(catalogue, activity, place)) for activity, place in special[0])],
        "people": [(subject_key(key, one.employee_id), one.employee_id, one.department, one.job_code) for one in people],
    }


def rebuild(services: Services) -> int:
    """Forget the table's rows and build all anew from the store; how many rows there are then. Exports compute meanwhile what
    the table lacks."""
    layout.opened(services.settings.facts_folder, services.store.statements.term_key)
    table = layout.created(services.settings.facts_folder, services.store.statements.term_key)
    write_deltalake(table, layout.arrow([]), mode="overwrite",
                    commit_properties=CommitProperties(app_transactions=layout.transactions(0, 0)))
    Builder(services).finish()
    return table_rows(services)


def table_rows(services: Services) -> int:
    """How many rows the table has."""
    found = layout.opened(services.settings.facts_folder, services.store.statements.term_key)
    return sum(one.rows for one in layout.files(found)) if found else 0
