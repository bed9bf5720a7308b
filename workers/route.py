"""The routing consumer: statements and directory changes in, achievements, events and deliveries out, in one write."""
from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import orjson

from lrs.completions.catalogue import Catalogue
from lrs.completions.fold import fold, standings
from lrs.completions.judge import judge
from lrs.completions.model import Evidence, Person, Publication
from lrs.completions.rebind import rebind
from lrs.completions.state import CourseState, from_json, to_json
from lrs.completions.subjects import email_identifiers, needs_person, person_subject, unknown_subject
from lrs.services import Services
from lrs.statements.record import Query, Record
from lrs.statements.terms import terms_of
from lrs.store.open_store import Store
from lrs.store.protocols.directory import Change
from lrs.store.protocols.work import Cursor, Output, Published, StateRow, TargetRow
from verbs import read as verbs_read

CONSUMER = "route"
SLICE = 500
"""Statements a round: a round is one write, and a write should not hold the lock for long."""

HELD_MAX = 100_000
"""Waiting achievements that are looked through for an address whose hash became known."""


@dataclass(frozen=True, slots=True)
class Routed:
    """What one round did. `lost`: another worker had moved the cursor; nothing was written."""

    statements: int = 0
    changes: int = 0
    published: int = 0
    owed: int = 0
    lost: bool = False


def route_once(services: Services, n: int = SLICE) -> Routed:
    """Route at most n statements and n directory changes; output and cursor are one write.

    Changes are read before people are looked up: what is learned later has a later number and is met in the next
    round, so that nobody stays parked. Run by two workers at once, one of them wins and the other writes nothing.
    """
    store = services.store
    was = store.work.cursor(CONSUMER)
    changes = store.directory.changes(was.change, n)
    records = store.statements.follow(was.seq, n)
    if not changes and not records:
        return Routed()
    round_ = _Round(store)
    for change in changes:
        round_.learn(change)
    for record in records:
        round_.take(record)
    output = round_.output()
    now = Cursor(records[-1].seq if records else was.seq, changes[-1].n if changes else was.change)
    if not store.work.advance(CONSUMER, was, now, output):
        return Routed(lost=True)
    return Routed(len(records), len(changes), len(output.published), len(output.owed))


class _Round:
    """The states that one round touches, and what it publishes."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._now = time.time_ns() // 1000
        self._catalogue = Catalogue(store.directory.courses())
        self._targets = store.work.targets()
        self._states: dict[tuple[str, str], CourseState | None] = {}
        self._loaded: set[str] = set()
        self._touched: set[tuple[str, str]] = set()
        self._published: list[Published] = []
        self._owed: list[tuple[int, str]] = []
        self._cancelled: list[str] = []
        self._released: list[tuple[str, str]] = []
        self._by_hash: dict[str, str] | None = None

    def take(self, record: Record) -> None:
        """Fold what a statement is evidence of. A void is read as its target, taken back (rule 14)."""
        if record.voids is None:
            self._judge(record, record.voided)
        elif record.void_effective and (target := self._store.statements.get(record.voids, voided=True)):
            self._judge(target, True)

    def learn(self, change: Change) -> None:
        """An identifier became somebody's: release what waited for it. A course changed: read its statements again."""
        if change.kind == "identifier":
            person = self._store.directory.person_by_identifier([change.key]).get(change.key)
            if person is not None:
                for subject in {unknown_subject([change.key]), self._addressed().get(change.key, "")} - {""}:
                    self._rebind(subject, person)
        elif change.kind == "person":
            self._released.append(("person", change.key))
        elif change.kind == "course":
            self._released.append(("course", change.key))
            course = self._catalogue.course(change.key)
            for activity in {course.id, *course.aliases, course.single_au, *course.all_of} - {""}:
                for record in self._about(activity):
                    self.take(record)

    def output(self) -> Output:
        """Everything that this round has to write."""
        states = []
        for subject, course in sorted(self._touched):
            state = self._states[subject, course]
            held = state is not None and needs_person(subject) and any(w.revision and not w.revoked for w in state.windows)
            states.append(StateRow(subject, course, None if state is None else to_json(state), held))
        return Output(states, self._published, self._owed, self._cancelled, self._released)

    def _addressed(self) -> dict[str, str]:
        """Waiting subjects that are named by an address, by the hashes of it: a directory may know only those."""
        if self._by_hash is None:
            prefix = unknown_subject(["mbox:"])
            waiting = {row.subject for row in self._store.work.held(HELD_MAX) if row.subject.startswith(prefix)}
            self._by_hash = {h: subject for subject in waiting for h in email_identifiers(subject.removeprefix(prefix))[1:]}
        return self._by_hash

    def _about(self, activity: str) -> Iterator[Record]:
        terms = terms_of(self._store.statements.term_key).of_filters({"activity": activity})
        after: int | None = None
        while True:
            page = self._store.statements.page(Query(terms, after=after, ascending=True, limit=500))
            yield from page.records
            if page.more is None:
                return
            after = page.more

    def _judge(self, record: Record, voided: bool) -> None:
        judgement = judge(
            orjson.loads(record.text), verbs_read.from_json(record.reading), seq=record.seq, stored_us=record.seq,
            provider=record.provider, catalogue=self._catalogue, now_us=self._now, voided=voided, source=record.provider)
        if not judgement.evidence or not judgement.identifiers:
            return
        known = self._store.directory.person_by_identifier(judgement.identifiers)
        person = next((known[i] for i in judgement.identifiers if i in known), None)
        subject = person_subject(person.employee_id) if person else unknown_subject(judgement.identifiers)
        self._fold(subject, person, judgement.evidence)

    def _fold(self, subject: str, person: Person | None, evidence: Iterable[tuple[str, Evidence]]) -> None:
        waiting = list(evidence)
        while waiting:
            key, one = waiting.pop(0)
            course = self._catalogue.course(key)
            folded = fold(self._state(subject, course.id), [one], course=course, subject=subject, person=person, now_us=self._now)
            self._keep(subject, course.id, folded.state)
            self._publish(subject, course.id, folded.publications)
            # what follows is only new where the state changed by it: fold is idempotent, and the loop ends
            waiting += [pair for pair in folded.onward if not self._has(subject, *pair)]

    def _has(self, subject: str, key: str, one: Evidence) -> bool:
        state = self._state(subject, self._catalogue.course(key).id)
        there = state.evidence.get(one.seq) if state else None
        return there is not None and there.voided == one.voided

    def _rebind(self, old: str, person: Person) -> None:
        new = person_subject(person.employee_id)
        for course_id in self._courses_of(old):
            source = self._state(old, course_id)
            if source is None:
                continue
            course = self._catalogue.course(course_id)
            rebound = rebind(source, self._state(new, course_id), from_subject=old, to_subject=new, course=course,
                             person=person, now_us=self._now)
            self._keep(old, course_id, None)
            self._keep(new, course_id, rebound.state)
            self._cancelled += rebound.cancelled
            self._publish(new, course_id, rebound.publications)
            self._fold(new, person, rebound.onward)

    def _state(self, subject: str, course: str) -> CourseState | None:
        if subject not in self._loaded:
            self._loaded.add(subject)
            for row in self._store.work.states([subject]):
                if row.body is not None:
                    self._states[subject, row.course] = from_json(row.body)
        return self._states.get((subject, course))

    def _courses_of(self, subject: str) -> list[str]:
        self._state(subject, "")
        return sorted(course for of, course in self._states if of == subject)

    def _keep(self, subject: str, course: str, state: CourseState | None) -> None:
        self._states[subject, course] = state
        self._touched.add((subject, course))

    def _publish(self, subject: str, course: str, publications: Iterable[Publication]) -> None:
        if needs_person(subject):
            return
        for one in publications:
            self._published.append(Published(one.event, one.id, one.revision, orjson.dumps(one.payload)))
            for target in self._targets:
                if not self._is_echo(target, subject, course, one.id):
                    self._owed.append((len(self._published) - 1, target.name))

    def _is_echo(self, target: TargetRow, subject: str, course_id: str, achievement: str) -> bool:
        """Whether all evidence of the achievement came from this very target: it knows already."""
        own, state = target.settings.get("provider"), self._states.get((subject, course_id))
        if not own or state is None:
            return False
        course = self._catalogue.course(course_id)
        return any(s.window.id == achievement and s.sources == {own} for s in standings(state, course))
