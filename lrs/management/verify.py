"""Walks a store and names every promise of it that does not hold; reads only, beside running processes, in bounded memory."""
from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from lrs.completions.subjects import needs_person
from lrs.management.broken import Broken
from lrs.management.verify_log import statements
from lrs.statements.instants import printed
from lrs.store.open_store import Told, nobody
from lrs.store.protocols.examined import Achievement, Event, Owed
from lrs.store.protocols.work import Cursor

PROMISES = {
    "whole": "every file or collection that the store had is there",
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


def verify(store: Any, told: Told = nobody) -> Iterator[Broken]:
    """Every broken promise, as it is met. `store` is an open one; its parts show what `lrs.store.protocols.examined` lists."""
    told("cursors", 0.0)
    yield from below_ceiling(store.statements.last_seq(), store.statements.ceiling())
    # first the cursors, then how far the log is consistent: both rise meanwhile
    cursors = store.work.cursors() | {"sessions": Cursor(store.sessions.cursor()), "definitions": Cursor(store.definitions.of([])[0])}
    yield from cursors_within(cursors, store.statements.consistent_through(), lambda n: bool(store.directory.changes(n - 1, 1)))
    with store.work.at_once():
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
            if needs_person(one.subject):
                continue  # held: nothing of it is published before its person is known
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
