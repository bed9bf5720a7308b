"""The log of statements in memory: lists and loops, with the clock of the real one."""
from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace

from msgspec import structs

from lrs.errors import Conflict, Forbidden, StoreUnavailable
from lrs.statements.envelope import text
from lrs.statements.instants import printed
from lrs.statements.record import Added, Page, Prepared, Query, Record
from lrs.store.protocols.statements import Same
from lrs.store.sqlite.clock import STEP_US, Ticks, advanced, peeked
from simulation.disk import File
from simulation.store.content import Log, Row

TERM_KEY = bytes(range(16))


class ModelStatements:
    """`lrs.store.protocols.statements.Statements` in memory."""

    term_key = TERM_KEY

    def __init__(self, file: File[Log], ticks: Ticks) -> None:
        self._file, self._ticks = file, ticks

    def add(self, batch: Sequence[Prepared], same: Same) -> list[Added]:
        """Store all or none, in order, `seq` drawn inside the write lock. Raises `Conflict`, `Forbidden`."""
        if not batch:
            return []
        with self._file.write() as log:
            clock, log.clock = advanced(log.clock, self._ticks, len(batch))
            seq = max(clock, log.highest + 1)
            added = []
            for index, new in enumerate(batch):
                there = log.ids.get(new.id)
                if there is None:
                    _put(log, new, seq)
                    added.append(Added(new.id, seq))
                    seq += 1
                elif same(log.rows[there].record.text, new.raw):
                    added.append(Added(new.id, there, repeated=True))
                else:
                    raise Conflict(index, new.id, log.rows[there].record.text)
            _cover(log, seq)
        return added

    def requests(self, statement_ids: Sequence[str]) -> dict[str, str]:
        """None: requests have no ids here."""
        return {}

    def get(self, statement_id: str, *, voided: bool = False) -> Record | None:
        """The statement with this id that is (not) voided."""
        log = self._file.read()
        seq = log.ids.get(statement_id)
        return log.rows[seq].record if seq is not None and log.rows[seq].record.voided is voided else None

    def page(self, query: Query) -> Page:
        """Not-voided records that match, up to consistent-through only."""
        log, through = self._snapshot()
        low = max(0 if query.since is None else query.since + 1, query.after + 1 if query.after is not None and query.ascending else 0)
        high = min(through, through if query.until is None else query.until)
        if query.after is not None and not query.ascending:
            high = min(high, query.after - 1)
        seqs = [seq for seq in log.rows if low <= seq <= high]
        wanted = frozenset(query.terms)
        records = []
        for seq in seqs if query.ascending else reversed(seqs):
            record = log.rows[seq].record
            if record.voided or query.credential_id not in (None, record.credential_id):
                continue
            if wanted and not any(wanted <= row.terms for row in _chain(log, log.rows[seq])):
                continue
            if len(records) == query.limit:
                return Page(records, records[-1].seq, through)
            records.append(record)
        return Page(records, None, through)

    def follow(self, after: int, n: int) -> list[Record]:
        """At most n records (voided ones included) with seq > after, oldest first, up to consistent-through."""
        log, through = self._snapshot()
        seqs = list(log.rows)
        first = bisect_right(seqs, after)
        return [log.rows[seq].record for seq in seqs[first:min(first + n, bisect_right(seqs, through))]]

    def bearing(self, terms: Sequence[int], after: int, until: int, n: int) -> list[Record]:
        """At most n records with after < seq ≤ until that have one of these terms of their own, oldest first."""
        log = self._file.read()
        wanted = frozenset(terms)
        found = [row.record for seq, row in log.rows.items() if after < seq <= until and not wanted.isdisjoint(row.terms)]
        return found[:n]

    def consistent_through(self) -> int:
        """µs: every record with seq ≤ it is visible now and none can appear later."""
        return self._snapshot()[1]

    def last_seq(self) -> int:
        """The seq of the newest statement, 0 if there is none."""
        return self._file.read().highest

    def count(self) -> int:
        """How many statements are stored."""
        return len(self._file.now.rows)

    def _snapshot(self) -> tuple[Log, int]:
        """As the real one: first the clock, then whether anybody writes, then the snapshot."""
        now = self._now()
        idle = self._file.idle
        log = self._file.read()
        return log, max(log.highest, now - 1) if idle else log.highest

    def _now(self) -> int:
        log = self._file.read()
        now = peeked(log.clock, self._ticks)
        if now is not None:
            return now
        try:
            with self._file.write() as draft:
                now, draft.clock = advanced(draft.clock, self._ticks, 0)
        except StoreUnavailable:
            return log.clock[2] if log.clock else 0
        return now


def _cover(log: Log, seq: int) -> None:
    if log.clock and log.clock[2] < seq:
        log.clock = (*log.clock[:2], seq + STEP_US)


def _put(log: Log, new: Prepared, seq: int) -> None:
    effective, voided = _void_target(log, new), _voided_before(log, new)
    body = text(new.parts, printed(seq))
    log.rows[seq] = Row(Record(new.id, seq, body, new.reading, new.credential_id, new.provider, new.target, new.voids, voided,
                               effective), frozenset(new.terms), new.may_void_any)
    log.ids[new.id] = log.highest = seq
    if new.voids is not None:
        log.voids[new.voids] = (*log.voids.get(new.voids, ()), seq)


def _void_target(log: Log, new: Prepared) -> bool:
    if new.voids is None:
        return False
    seq = log.ids.get(new.voids)
    if seq is None:
        return new.voids != new.id
    target = log.rows[seq]
    if target.record.provider != new.provider and not new.may_void_any:
        raise Forbidden(f"statement {new.voids} was sent by another provider")
    if target.record.voids is not None:
        return False
    log.rows[seq] = replace(target, record=structs.replace(target.record, voided=True))
    return True


def _voided_before(log: Log, new: Prepared) -> bool:
    voided = False
    for seq in log.voids.get(new.id, ()):
        row = log.rows[seq]
        if new.voids is None and (row.may_void_any or row.record.provider == new.provider):
            voided = True
        else:
            log.rows[seq] = replace(row, record=structs.replace(row.record, void_effective=False))
    return voided


def _chain(log: Log, row: Row) -> Iterator[Row]:
    """The statement, the one that it refers to, and so on; each once."""
    seen: set[str] = set()
    at: Row | None = row
    while at is not None and at.record.id not in seen:
        seen.add(at.record.id)
        yield at
        seq = log.ids.get(at.record.target) if at.record.target else None
        at = None if seq is None else log.rows[seq]
