"""The consumer that reads statements again when the catalogue or the verb map has changed, a slice a round.

Its cursor is (seq, change): all changes up to number `change` are done, and of the first one after it that concerns it
(kind "course" or "mapping") the statements up to `seq`. A round reads the next slice of the statements which that
change touches, found by their index terms, and writes states, events and cursor at once; killed anywhere, it reads
the slice once more, and folding is idempotent.

Nothing is missed. A change is in the log before anybody can have judged by it, and this walk begins after it is read
there. It ends at the routing cursor: what lies beyond has not been judged at all, and is judged by routing, which reads
catalogue and map after the statements. A routing round that was under way with the old catalogue cannot write once
this cursor has moved, nor this one once the routing cursor has: the loser starts again and reads what is in force.
The map and the catalogue are always those in force, not those of the change: so two changes in a row end at the second.

Where several partitions route at once the two would never let each other be. There another cursor, `BEGAN`, is moved once, before
the walk: rounds that were under way cannot write then, later ones know the change. From there on the states alone, which each
compares with what it loaded, keep them apart. Of each partition the walk takes what was judged.
"""
from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from lrs.completions.catalogue import Catalogue, activities_of
from lrs.completions.model import Course
from lrs.ingest import maps
from lrs.ingest.maps import VerbMap
from lrs.services import Services
from lrs.statements.record import Record
from lrs.statements.terms import terms_of
from lrs.store.open_store import Store
from lrs.store.protocols.directory import Change
from lrs.store.protocols.work import BEGINNING, Cursor, Output
from verbs.installed import differing, spellings
from workers.partitions import LAYOUT, standing
from workers.round import Round

CONSUMER, BEGAN = "reread", "reread/began"
KINDS = frozenset({"course", "mapping"})
"""The changes that make statements of the past mean something else."""
SLICE = 200
"""Statements a round: their readings are rewritten in one write to the file that requests wait for."""
SLICE_MAX = 2_000
"""Statements a round where very many terms are to be looked up: each costs a look into the index in every round."""
LOOK = 500
"""Changes looked at in one round."""


@dataclass(frozen=True, slots=True)
class Reread:
    """What one round did; `slices` is 0 when nothing is left to do."""

    slices: int = 0
    statements: int = 0
    published: int = 0
    owed: int = 0


_NOTHING = Reread()


def reread_once(services: Services, n: int | None = None) -> Reread:
    """Read at most n statements again (None: as many as pay): their readings in writes of `SLICE`, in one more write
    what follows from them and the cursor."""
    store = services.store
    at = standing(store)
    was, began, shared = at.cursors.get(CONSUMER, BEGINNING), at.cursors.get(BEGAN, BEGINNING), len(at.partitions) > 1
    changes = store.directory.changes(was.change, LOOK)
    open_ = [change for change in changes if change.kind in KINDS]
    if not open_:
        if len(changes) < LOOK:
            return _NOTHING
        store.work.advance(CONSUMER, was, Cursor(0, changes[-1].n), Round(store, now=services.now_us()).output())
        return Reread(1)
    layout = [(LAYOUT, at.layout)]
    if shared and began.change < changes[-1].n:
        if not store.work.advance(BEGAN, began, Cursor(0, changes[-1].n), Output(fences=layout)):
            return Reread(1)
        at = standing(store)
    end, terms = changes[-1].n, touched(store, open_)
    n = n or max(SLICE, min(SLICE_MAX, len(terms or ()) // 4))
    records = _bearing(store, terms, 0, at.until, n + 1) if was.seq == 0 and len(open_) > 1 else None
    if records is None or len(records) > n:
        # more than one slice: one change at a time, so that one which comes meanwhile is walked from its own beginning
        end, terms = open_[0].n, touched(store, open_[:1])
        records = _bearing(store, terms, was.seq, at.until, n + 1)
    round_ = Round(store, now=services.now_us(), shared=shared)
    for record in records[:n]:
        if at.judged(store, record):
            round_.take_again(record)
    if len(records) <= n:
        round_.release(courses_of(store, [change for change in open_ if change.n <= end]))
    output = round_.output(layout if shared else [*layout, (at.partitions[0].consumer, at.least)])
    for start in range(0, len(round_.readings), SLICE):
        if not store.mappings.put_readings(round_.installation, round_.readings[start : start + SLICE]):
            return Reread(1)
    now = Cursor(0, end) if len(records) <= n else Cursor(records[n - 1].seq, was.change)
    if not store.work.advance(CONSUMER, was, now, output):
        return Reread(1)
    return Reread(1, len(records[:n]), len(output.published), len(output.owed))


def rehearse(store: Store, terms: Sequence[int] | None, round_: Round, n: int = SLICE) -> Iterator[tuple[int, int]]:
    """Take the statements that bear one of the terms into the round, as `reread_once` would, and write nothing.

    Yields after each slice how many there were and up to which seq; what the round has found may be taken out of its
    lists meanwhile. The round keeps every state it has met: memory grows with the learners concerned.
    """
    at, after = standing(store), 0
    while records := _bearing(store, terms, after, at.until, n):
        for record in records:
            if at.judged(store, record):
                round_.take_again(record)
        after = records[-1].seq
        yield len(records), after


def _bearing(store: Store, terms: Sequence[int] | None, after: int, until: int, n: int) -> list[Record]:
    if terms is not None:
        return store.statements.bearing(terms, after, until, n)
    return [record for record in store.statements.follow(after, n) if record.seq <= until]


def touched(store: Store, changes: Iterable[Change]) -> list[int] | None:
    """The index terms of the statements that these changes may concern; None: all statements."""
    found: set[int] = set()
    for change in changes:
        kind, _, number = change.key.partition(":") if change.kind == "mapping" else (maps.COURSES, "", "")
        if change.kind == "mapping" and kind == maps.VERBS:
            version = store.mappings.get(maps.VERBS, int(number))
            base = store.mappings.get(maps.VERBS, version.base) if version else None
            if version and maps.from_json(version.body).whole_history:
                return None
            if version:
                old = maps.verb_map(base.body, base.number) if base else maps.product_map()
                found |= verb_terms(store, old, maps.verb_map(version.body, version.number))
    return sorted(found | course_terms(store, _courses(store, changes), maps.current(store)))


def verb_terms(store: Store, old: VerbMap, new: VerbMap) -> set[int]:
    """The terms of the verbs that the maps read differently, in every spelling, and of the credentials of the
    providers whose rules differ."""
    term = terms_of(store.statements.term_key).term
    iris = {other for iri in differing(old.table, new.table) for other in spellings(new.table, iri)}
    before, after = Catalogue((), old.rules), Catalogue((), new.rules)
    names = {one.provider for one in (*old.rules, *new.rules) if before.rules(one.provider) != after.rules(one.provider)}
    credentials = [one.key for one in store.credentials.list() if one.provider in names] if names else []
    return {term("verb", iri) for iri in iris} | {term("credential", key) for key in credentials}


def course_terms(store: Store, courses: Iterable[Course], verb_map: VerbMap) -> set[int]:
    """The terms of the activities of these courses; where sessions are tied, also of every verb that is presence: a tie
    may name an activity type, for which there is no term."""
    term = terms_of(store.statements.term_key).term
    found: set[int] = set()
    for course in courses:
        found |= {term("activity", name) for name in activities_of(course)}
        found |= {term("related_activity", name) for given in (*course.all_of, *course.sessions)
                  for name in activities_of(Course(given))}
        if course.sessions:
            rows = [row.verb_iri for row in verb_map.table.rows if row.canonical == "attended"]
            found |= {term("verb", other) for iri in rows for other in spellings(verb_map.table, iri)}
    return found


def courses_of(store: Store, changes: Iterable[Change]) -> list[str]:
    """The ids of the courses that these changes concern."""
    return sorted({course.id for course in _courses(store, changes)})


def _courses(store: Store, changes: Iterable[Change]) -> list[Course]:
    catalogue = None
    found: list[Course] = []
    for change in changes:
        if change.kind == "course":
            catalogue = catalogue or Catalogue(store.directory.courses())
            found.append(catalogue.course(change.key))
        elif change.key.startswith(f"{maps.COURSES}:"):
            version = store.mappings.get(maps.COURSES, int(change.key.partition(":")[2]))
            if version:
                step = maps.step_of(version.body)
                found += [*step.put, *step.before]
    return found
