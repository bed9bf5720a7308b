"""Walks a store and names every promise of it that does not hold; reads only, beside running processes, in bounded memory."""
from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol, TypeVar

from lrs.statements.instants import printed
from lrs.statements.record import Record
from lrs.statements.terms import terms_of
from lrs.store.protocols.examined import Achievement, Event, ExaminedStatements, IndexRow, Kept, Owed
from lrs.store.protocols.statements import Statements
from lrs.store.protocols.work import Cursor
from verbs import read

SLICE = 500
CHAIN = 10_000
"""Statements of a chain of references that are followed."""
Told = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Broken:
    """A promise that does not hold: which (a key of PROMISES), of what, and what was seen instead."""

    promise: str
    where: str
    seen: str


PROMISES = {
    "order": "a statement's seq is its `stored`, rises, and is at or below the clock's ceiling",
    "terms": "the index terms kept with a statement are those that follow from its text",
    "index": "the index has every term of a statement, and of what it refers to",
    "orphan": "the index has nothing else",
    "void": "what an effective void names is voided, and nothing else is",
    "reading": "every statement has a reading, which names the version of the map that it was read with",
    "attachment": "the data of every attachment that came with its statement is here",
    "cursor": "no cursor is beyond what is consistent, or beyond the last change of the directory",
    "feed": "rows of the feed are numbered without a gap, and revisions of an achievement rise by one",
    "event": "what the feed says last of an achievement is what its state says",
    "delivery": "a delivery carries an event that the feed has",
}


class _Definitions(Protocol):
    def of(self, activities: list[str]) -> tuple[int, Any]: ...


class _Attachments(Protocol):
    def has(self, sha2: str) -> bool: ...


class _Directory(Protocol):
    def changes(self, after: int, limit: int) -> list[Any]: ...


class _Log(Statements, ExaminedStatements, Protocol):
    def count(self) -> int: ...


def verify(store: Any, told: Told = lambda what, share: None) -> Iterator[Broken]:
    """Every broken promise, as it is met. `store` is an open one; its parts show what `lrs.store.protocols.examined` lists."""
    told("cursors", 0.0)
    yield from below_ceiling(store.statements.last_seq(), store.statements.ceiling())
    with store.work.at_once():
        # first the cursors, then how far the log is consistent: both rise meanwhile
        cursors = store.work.cursors() | {"sessions": Cursor(store.sessions.cursor()), "definitions": Cursor(store.definitions.of([])[0])}
        yield from cursors_within(cursors, store.statements.consistent_through(), lambda n: bool(store.directory.changes(n - 1, 1)))
        told("feed", 0.05)
        yield from feed_in_order(store.work.events())
        told("events", 0.1)
        yield from events_and_achievements(store.work.events(), store.work.achievements())
        told("deliveries", 0.15)
        yield from deliveries_of_events(store.work.owed(), store.work.events())
    yield from statements(store, told)


def cursors_within(cursors: dict[str, Cursor], through: int, changed: Callable[[int], bool]) -> Iterator[Broken]:
    """`changed(n)`: whether the directory's log has a change with a number of at least n."""
    for name, cursor in sorted(cursors.items()):
        if cursor.seq > through:
            yield Broken("cursor", name, f"stands at {printed(cursor.seq)}, and the log is consistent through {printed(through)}")
        if cursor.change and not changed(cursor.change):
            yield Broken("cursor", name, f"has read change {cursor.change} of the directory, and there is none")


def below_ceiling(last: int, ceiling: int) -> Iterator[Broken]:
    """`last`: the newest seq, read before the ceiling."""
    if last > ceiling:
        yield Broken("order", "the log", f"its last statement was stored {printed(last)}, above the clock's ceiling {printed(ceiling)}")


def feed_in_order(events: Iterable[Event]) -> Iterator[Broken]:
    """`events` by (id, revision)."""
    last, count, highest = ("", 0), 0, 0
    for one in events:
        count, highest = count + 1, max(highest, one.n)
        expected = last[1] + 1 if one.id == last[0] else 1
        if one.revision != expected:
            yield Broken("feed", f"achievement {one.id}", f"row {one.n} is revision {one.revision} instead of {expected}")
        last = (one.id, one.revision)
    if count != highest:
        yield Broken("feed", "the feed", f"has {count} rows, and the last is number {highest}")


def events_and_achievements(events: Iterable[Event], achievements: Iterable[Achievement]) -> Iterator[Broken]:
    """Both by id. An achievement that was revoked when it was merged into another may be gone."""
    for name, said, windows in _side_by_side(_last_of_each(events), achievements, lambda one: one.id, lambda one: one.id):
        last = said[0] if said else None
        if last is not None and not windows and not last.event.endswith(".revoked"):
            yield Broken("event", f"achievement {name}", f"row {last.n} of the feed says {last.event}, and no state has it")
        for one in windows:
            where = f"achievement {name} of {one.subject} in {one.course}"
            if last is None and one.revision:
                yield Broken("event", where, f"was published up to revision {one.revision}, and the feed has none of it")
            elif last is not None and last.revision != one.revision and not (one.revision == 0 and last.event.endswith(".revoked")):
                yield Broken("event", where, f"was published up to revision {one.revision}, and the feed has it up to {last.revision}")


def deliveries_of_events(owed: Iterable[Owed], events: Iterable[Event]) -> Iterator[Broken]:
    """Both by (event id, revision)."""
    for (name, revision), deliveries, found in _side_by_side(owed, events, lambda one: (one.event_id, one.revision),
                                                             lambda one: (one.id, one.revision)):
        for one in deliveries if not found else ():
            yield Broken("delivery", f"delivery {one.id} to {one.target}", f"carries revision {revision} of {name}, which the feed has not")


def of_statement(kept: Kept, before: int, term_key: bytes) -> Iterator[Broken]:
    """What a statement says by itself; `before` is the seq of the one before it."""
    record, where = kept.record, f"statement {kept.record.id}"
    try:
        value = json.loads(record.text)
        said = value["id"], value["stored"]
        terms = terms_of(term_key).of_statement(value, authority=value["authority"], credential_id=record.credential_id)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        yield Broken("terms", where, f"its text cannot be read: {error!r}")
        return
    if said != (record.id, printed(record.seq)):
        yield Broken("order", where, f"its text says id and stored {said[0]} {said[1]}, the log {printed(record.seq)}")
    if record.seq <= before:
        yield Broken("order", where, f"stands after {printed(before)} at {printed(record.seq)}")
    if set(terms) != set(kept.terms):
        yield Broken("terms", where, f"{len(set(terms) - set(kept.terms))} terms are missing, {len(set(kept.terms) - set(terms))} too many")
    try:
        reading = json.loads(record.reading)
        read.from_json(record.reading)
        if not isinstance(reading.get("map_version"), int) or reading["map_version"] < 1:
            yield Broken("reading", where, f"names no version of the map: {reading.get('map_version')!r}")
    except (ValueError, AttributeError) as error:
        yield Broken("reading", where, f"has none that can be read: {error}")


def void_of(record: Record, found: Callable[[str], Record | None]) -> Iterator[Broken]:
    """`found(id)`: the statement with this id, voided or not."""
    target = found(record.voids) if record.voids is not None and record.void_effective else None
    if target is not None and not target.voided:
        yield Broken("void", f"statement {target.id}", f"was voided by {record.id}, and is not")


def statements(store: Any, told: Told = lambda what, share: None) -> Iterator[Broken]:
    """What is broken in the log of statements, its index and its attachments."""
    yield from _each(store, told)
    yield from _orphans(store.statements, told)


def _each(store: Any, told: Told) -> Iterator[Broken]:
    log: _Log = store.statements
    total, done, last, key = max(1, log.count()), 0, 0, log.term_key
    while slice_ := log.kept(last, SLICE):
        told("statements", 0.2 + 0.5 * min(1.0, done / total))
        owned = {(term, one.record.seq, 0) for one in slice_ for term in one.terms}
        missing = owned - log.indexed(owned)
        for seq in sorted({row[1] for row in missing}):
            count = sum(row[1] == seq for row in missing)
            yield Broken("index", f"the statement stored {printed(seq)}", f"{count} of its terms are not found")
        for one in slice_:
            yield from of_statement(one, last, key)
            yield from void_of(one.record, lambda name: log.get(name) or log.get(name, voided=True))
            if one.record.voided:
                yield from _voided_by_somebody(log, one.record)
            if one.record.target is not None:
                yield from _shadows(log, one)
            yield from _attached(store.attachments, one.record)
            last = one.record.seq
        done += len(slice_)


def _voided_by_somebody(log: _Log, record: Record) -> Iterator[Broken]:
    if not any(one.voids == record.id and one.void_effective for one in log.referring(record.id)):
        yield Broken("void", f"statement {record.id}", "is voided, and no statement voids it")


def _shadows(log: _Log, kept: Kept) -> Iterator[Broken]:
    owed = {(term, kept.record.seq, one.record.seq) for one in _chain(log, kept) for term in one.terms}
    missing = owed - log.indexed(owed)
    if missing and not log.owes_index():
        yield Broken("index", f"statement {kept.record.id}", f"{len(missing)} terms of what it refers to are not found")


def _chain(log: _Log, kept: Kept) -> Iterator[Kept]:
    """What a statement refers to, what that refers to, and so on; each once, itself not."""
    seen, target = {kept.record.seq}, kept.record.target
    while target is not None and len(seen) < CHAIN:
        record = log.get(target) or log.get(target, voided=True)
        if record is None or record.seq in seen:
            return
        seen.add(record.seq)
        yield from log.kept_at([record.seq]).values()
        target = record.target


def _attached(attachments: _Attachments, record: Record) -> Iterator[Broken]:
    if b'"attachments"' not in record.text:
        return
    value = json.loads(record.text)
    target = value.get("object", {})
    for one in [*value.get("attachments", ()), *(target.get("attachments", ()) if isinstance(target, dict) else ())]:
        if "fileUrl" not in one and not attachments.has(one["sha2"]):
            yield Broken("attachment", f"statement {record.id}", f"the data {one['sha2']} is not here")


def _orphans(log: _Log, told: Told) -> Iterator[Broken]:
    total, done = max(1, 14 * log.count()), 0

    @lru_cache(maxsize=1_000)
    def referred(seq: int) -> frozenset[int]:
        return frozenset(one.record.seq for kept in log.kept_at([seq]).values() for one in _chain(log, kept))

    for some in _slices(log.index_rows()):
        told("index", 0.7 + 0.3 * min(1.0, done / total))
        terms = log.terms_at({seq for row in some for seq in row[1:] if seq})
        for term, seq, via in some:
            where = f"term {term} of the statement stored {printed(seq)}" + (f" by way of that stored {printed(via)}" if via else "")
            if seq not in terms or (via and via not in terms):
                yield Broken("orphan", where, "there is no such statement")
            elif term not in terms[via or seq]:
                yield Broken("orphan", where, "the statement has no such term")
            elif via and via not in referred(seq):
                yield Broken("orphan", where, "it does not refer to that one")
        done += len(some)


def _slices(rows: Iterator[IndexRow]) -> Iterator[list[IndexRow]]:
    some: list[IndexRow] = []
    for row in rows:
        some.append(row)
        if len(some) == SLICE:
            yield some
            some = []
    if some:
        yield some


def _last_of_each(events: Iterable[Event]) -> Iterator[Event]:
    last: Event | None = None
    for one in events:
        if last is not None and one.id != last.id:
            yield last
        last = one
    if last is not None:
        yield last


A = TypeVar("A")
B = TypeVar("B")


def _side_by_side(first: Iterable[A], second: Iterable[B], key_a: Callable[[A], Any], key_b: Callable[[B], Any],
                  ) -> Iterator[tuple[Any, list[A], list[B]]]:
    """Two walks in the order of their keys as one: (key, those of the first that have it, those of the second)."""
    left, right = iter(first), iter(second)
    a, b = next(left, None), next(right, None)
    while a is not None or b is not None:
        key = min(([key_a(a)] if a is not None else []) + ([key_b(b)] if b is not None else []))
        ours: list[A] = []
        theirs: list[B] = []
        while a is not None and key_a(a) == key:
            ours.append(a)
            a = next(left, None)
        while b is not None and key_b(b) == key:
            theirs.append(b)
            b = next(right, None)
        yield key, ours, theirs
