"""One round of routing: statements judged, evidence folded into the states it touches, and what all that publishes."""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import orjson
from msgspec.structs import replace

from lrs.completions.catalogue import Catalogue, former_keys
from lrs.completions.events import AWARDED, COMPLETED, TAKING, last_word
from lrs.completions.fold import LINK, Feed, Folded, fold, going_on, standings
from lrs.completions.judge import Judgement, judge
from lrs.completions.model import CREDENTIAL, Course, Evidence, LastWord, Person, Publication
from lrs.completions.rebind import Rebound, merge_states, rebind
from lrs.completions.state import CourseState, from_json, to_json
from lrs.completions.subjects import email_identifiers, needs_person, person_subject, unknown_subject
from lrs.ingest.maps import VerbMap, current
from lrs.services import now_us
from lrs.statements.record import Record
from lrs.store.open_store import Store
from lrs.store.protocols.directory import Change, Directory
from lrs.store.protocols.work import Cursor, Output, Published, StateRow, TargetRow, fingerprint
from verbs import read as verbs_read
from verbs.installed import versions
from verbs.vocabulary import Reading

WAITING_MAX = 100_000
"""Waiting subjects that are looked through for an address whose hash became known."""
FIRST = frozenset({COMPLETED, AWARDED})
"""The events of what was never sent."""


@dataclass(frozen=True, slots=True)
class Again:
    """A statement whose reading is another one now."""

    record: Record
    verb_iri: str
    old: Reading
    new: Reading


@dataclass(frozen=True, slots=True)
class Lost:
    """Evidence that counts no longer. `kept`: its achievement was sent, and stays as it is; else it is forgotten."""

    subject: str
    course: str
    evidence: Evidence
    kept: bool


class Round:
    """The states that one round touches, and what it publishes. It only reads the store: what to write is `output()`
    and `readings`, so that a rehearsal is a round whose output nobody writes."""

    def __init__(self, store: Store, catalogue: Catalogue | None = None, verb_map: VerbMap | None = None, *,
                 now: int | None = None, shared: bool = False) -> None:
        """With the catalogue and the map in force, or with others to rehearse them. Make it after the statements and
        changes were read: what it judges with must not be older than they are. `now`: µs since 1970, by default the
        machine's. `shared`: others may change the same states meanwhile, and the output says what it has gone by."""
        self._store, self._shared = store, shared
        self._now = now_us() if now is None else now
        self.verb_map = verb_map or current(store)
        self._catalogue = catalogue or _catalogue(store.directory, store.directory.last_change(), self.verb_map)
        self._targets = store.work.targets()
        self._states: dict[str, dict[str, CourseState | None]] = {}
        self._touched: set[tuple[str, str]] = set()
        self._owed: list[tuple[int, str]] = []
        self._cancelled: list[str] = []
        self._released: list[tuple[str, str]] = []
        self._by_hash: dict[str, str] | None = None
        self._former: dict[str, frozenset[str]] = {}
        self._listed: frozenset[str] | None = None
        self._words: dict[str, LastWord | None] = {}
        self._seen: dict[str, bytes] = {}
        self._heard: dict[str, int] = {}
        self.published: list[Published] = []
        self.parked: list[Publication] = []
        self.readings: list[tuple[int, bytes]] = []
        self.again: list[Again] = []
        self.lost: list[Lost] = []

    @property
    def installation(self) -> int:
        """The installation's version of the map that this round reads with."""
        return versions(self.verb_map.table.version)[1]

    def take(self, record: Record) -> None:
        """Fold what a statement is evidence of. A void is read as its target, taken back (rule 14)."""
        if record.voids is None:
            value = orjson.loads(record.text)
            judgement = self._judge(record, value, self._read(record, value), record.voided)
            if judgement.evidence and judgement.identifiers:
                subject, person = self._subject(judgement)
                self._fold(subject, person, self._unsent(subject, record.seq, judgement.evidence))
        elif record.void_effective and (target := self._store.statements.get(record.voids, voided=True)):
            self._void(target, record.seq)

    def take_again(self, record: Record) -> None:
        """Read a statement of the past with the map and the catalogue of this round.

        What counts now and did not before is folded as if it had just arrived. What counted and now says something else
        is put on record, and no event follows. What counts no longer stays where its achievement was sent, and is
        forgotten where nothing of it was. So nothing is sent twice, however often maps go forth and back.
        """
        value = orjson.loads(record.text)
        reading = self._read(record, value, always=True)
        if record.voids is not None:
            return
        judgement = self._judge(record, value, reading, record.voided)
        if not judgement.identifiers:
            return
        subject, person = self._subject(judgement)
        for key, _ in judgement.evidence:
            self._merge(subject, person, self._catalogue.course(key))
        kept = self._lose(subject, person, record.seq, {self._catalogue.course(key).id for key, _ in judgement.evidence})
        # what was sent for one course, and stays, is not sent for another that only its activity type makes a course
        self._fold(subject, person, [(key, one) for key, one in judgement.evidence if not kept or self._is_listed(key)], again=True)

    def learn(self, change: Change) -> None:
        """An identifier became somebody's: release what waited for it. A person or course changed: so do the deliveries
        that lacked something of it. The statements of a changed course or map are read again by `workers.reread`."""
        if change.kind == "identifier":
            person = self._store.directory.person_by_identifier([change.key]).get(change.key)
            if person is not None:
                # in this order: which is met first decides what is published first
                for subject in dict.fromkeys((unknown_subject([change.key]), self._addressed().get(change.key, ""))):
                    if subject:
                        self._rebind(subject, person)
        elif change.kind in ("person", "course"):
            self._released.append((change.kind, change.key))

    def release(self, courses: Iterable[str]) -> None:
        """Make the parked deliveries about these courses due."""
        self._released += [("course", course) for course in courses]

    def output(self, fences: Sequence[tuple[str, Cursor]] = ()) -> Output:
        """Everything that this round has to write to the worker's file."""
        states = []
        for subject, course in sorted(self._touched):
            state = self._states[subject][course]
            held = state is not None and needs_person(subject) and any(w.revision and not w.revoked for w in state.windows)
            states.append(StateRow(subject, course, None if state is None else to_json(state), held))
        return Output(states, self.published, self._owed, self._cancelled, self._released, fences, self._seen, self._heard)

    def _read(self, record: Record, value: object, *, always: bool = False) -> Reading:
        """The statement's reading in this round's map; it is kept for `readings` where the stored one is another."""
        stored = verbs_read.from_json(record.reading)
        if not always and stored.map_version == self.verb_map.table.version:
            return stored
        reading = self.verb_map.read(value, record.provider)
        if replace(stored, map_version=reading.map_version) != reading:
            self.readings.append((record.seq, verbs_read.to_json(reading)))
            self.again.append(Again(record, _verb_iri(value), stored, reading))
        return reading

    def _unsent(self, subject: str, seq: int, evidence: Sequence[tuple[str, Evidence]]) -> Sequence[tuple[str, Evidence]]:
        """Without what a statement that is routed once more says of another course than the one for which it was sent, where only
        its activity type makes that a course (`take_again` leaves it out, too)."""
        sent = {key for key, state in self._loaded(subject).items() if state is not None and seq in state.evidence
                and not needs_person(subject) and _was_sent(state, state.evidence[seq])}
        return [(key, one) for key, one in evidence if self._catalogue.course(key).id in sent or self._is_listed(key)] if sent else evidence

    def _void(self, target: Record, seq: int) -> None:
        """Take the target back: where it is evidence by the maps in force, and where it stands as such since earlier ones.
        `seq`: of the statement that voids it."""
        value = orjson.loads(target.text)
        judgement = self._judge(target, value, self._read(target, value), True)
        if not judgement.identifiers:
            return
        subject, person = self._subject(judgement)
        standing = self._standing(subject, target.seq)
        if judgement.evidence and not standing and target.seq < seq:
            # it counted for somebody else: the identifier has moved since
            for holder in self._store.work.holders(target.seq):
                new = holder not in self._states
                if self._shared and new and not any(state and target.seq in state.evidence for state in self._loaded(holder).values()):
                    self._seen[holder] = b""  # another round took it elsewhere since it was looked for: this one must not stand
                known = None if needs_person(holder) else self._store.directory.person(holder.removeprefix("person:"))
                self._fold(holder, known, self._standing(holder, target.seq))
        judged = {self._catalogue.course(key).id for key, _ in judgement.evidence}
        self._fold(subject, person, [*judgement.evidence, *((key, one) for key, one in standing if key not in judged)])

    def _standing(self, subject: str, seq: int) -> list[tuple[str, Evidence]]:
        """The evidence of this statement that stands for the subject, voided."""
        found = ((key, state.evidence.get(seq)) for key, state in self._loaded(subject).items() if state is not None)
        return [(key, replace(one, voided=True)) for key, one in found if one is not None and not one.voided]

    def _judge(self, record: Record, value: dict[str, object], reading: Reading, voided: bool) -> Judgement:
        return judge(value, reading, seq=record.seq, stored_us=record.seq, provider=record.provider, catalogue=self._catalogue,
                     now_us=self._now, voided=voided, source=record.provider)

    def _subject(self, judgement: Judgement) -> tuple[str, Person | None]:
        known = self._store.directory.person_by_identifier(judgement.identifiers)
        person = next((known[i] for i in judgement.identifiers if i in known), None)
        return (person_subject(person.employee_id) if person else unknown_subject(judgement.identifiers)), person

    def _fold(self, subject: str, person: Person | None, evidence: Iterable[tuple[str, Evidence]], *, again: bool = False) -> None:
        waiting = list(evidence)
        while waiting:
            key, one = waiting.pop(0)
            course = self._catalogue.course(key)
            waiting += self._merge(subject, person, course)
            before = self._state(subject, course.id)
            known = before.evidence.get(one.seq) if before is not None else None
            if known is not None and not again and known == replace(one, map_version=known.map_version):
                continue  # the same once more: what a later map put on record quietly is not told now
            if known is not None and again:
                # a void that was stored meanwhile takes it back when it is routed itself: only then its revoke is sent
                one = replace(one, voided=known.voided)
            folded = fold(before, [one], course=course, subject=subject, person=person, now_us=self._now, feed=self._feed(subject))
            if before is not None and known is not None and again:
                folded = _quiet(before, folded, self._feed(subject))
            self._keep(subject, course.id, folded.state)
            self._publish(subject, course.id, folded.publications)
            # what follows is only new where the state changed by it: fold is idempotent, and the loop ends
            waiting += [pair for pair in folded.onward if not self._has(subject, *pair)]

    def _merge(self, subject: str, person: Person | None, course: Course) -> list[tuple[str, Evidence]]:
        """Bring what the subject achieved under an id that is an alias of the course by now into the course's state."""
        if course.id not in self._former:
            self._former[course.id] = frozenset() if course.id.startswith((LINK, CREDENTIAL)) else former_keys(course)
        onward: list[tuple[str, Evidence]] = []
        for alias in sorted(self._former[course.id] & self._loaded(subject).keys()):
            if (source := self._state(subject, alias)) is not None:
                merged = merge_states(source, self._state(subject, course.id), alias=alias, subject=subject, course=course,
                                      person=person, now_us=self._now, feed=self._feed(subject))
                self._keep(subject, alias, None)
                self._take_over(subject, course.id, merged, held=needs_person(subject))
                onward += merged.onward
        return onward

    def _take_over(self, subject: str, course: str, rebound: Rebound, *, held: bool) -> None:
        self._keep(subject, course, rebound.state)
        # nothing that was held is owed: where the feed has its id, that stands in another state, and is owed from there
        self._cancelled += (one for one in rebound.cancelled if not (held and self._last(one)))
        self._publish(subject, course, rebound.publications)

    def _has(self, subject: str, key: str, one: Evidence) -> bool:
        state = self._state(subject, self._catalogue.course(key).id)
        there = state.evidence.get(one.seq) if state else None
        return there is not None and there.voided == one.voided

    def _is_listed(self, key: str) -> bool:
        if self._listed is None:
            self._listed = frozenset(course.id for course in self._catalogue.courses)
        return self._catalogue.course(key).id in self._listed

    def _lose(self, subject: str, person: Person | None, seq: int, keys: set[str]) -> bool:
        """Take the evidence of this statement out of the states that it no longer speaks for; whether it stays in one."""
        stays = False
        for key, state in list(self._loaded(subject).items()):
            one = state.evidence.get(seq) if state is not None else None
            if state is None or one is None or key in keys or one.voided or one.status == "registration_passed":
                continue
            kept = not needs_person(subject) and _was_sent(state, one)
            if not key.startswith(LINK):
                self.lost.append(Lost(subject, key, one, kept))
            stays |= kept
            if not kept:
                self._keep(subject, key, self._without(subject, person, key, state, seq))
        return stays

    def _without(self, subject: str, person: Person | None, key: str, state: CourseState, seq: int) -> CourseState | None:
        rest = {of: one for of, one in state.evidence.items() if of != seq}
        if not rest:
            return None
        if not needs_person(subject) or key.startswith(LINK):
            return replace(state, evidence=rest, placed={of: n for of, n in state.placed.items() if of != seq})
        # nothing of it was ever sent: the windows are made anew of what is left
        course = self._catalogue.course(key)
        return fold(CourseState(rest), (), course=course, subject=subject, person=person, now_us=self._now).state

    def _addressed(self) -> dict[str, str]:
        """Waiting subjects that are named by an address, by the hashes of it: a directory may know only those."""
        if self._by_hash is None:
            prefix = unknown_subject(["mbox:"])
            # all of them, not only those with an achievement: half of a whole waits too
            waiting = self._store.work.subjects(prefix, WAITING_MAX)
            self._by_hash = {h: subject for subject in waiting for h in email_identifiers(subject.removeprefix(prefix))[1:]}
        return self._by_hash

    def _rebind(self, old: str, person: Person) -> None:
        new = person_subject(person.employee_id)
        for course_id in sorted(self._loaded(old)):
            course = self._catalogue.course(course_id)
            # an alias that the course was given meanwhile is the course: else the same is said once under each
            onward = [*self._merge(old, None, course), *self._merge(new, person, course)]
            key = course.id if self._state(old, course_id) is None else course_id
            if (source := self._state(old, key)) is not None:
                rebound = rebind(source, self._state(new, key), from_subject=old, to_subject=new, course=course,
                                 person=person, now_us=self._now, feed=self._feed(new))
                self._keep(old, key, None)
                self._take_over(new, key, rebound, held=needs_person(old))
                onward += rebound.onward
            self._fold(new, person, onward)

    def _loaded(self, subject: str) -> dict[str, CourseState | None]:
        """All states of the subject, by course."""
        if subject not in self._states:
            rows = self._store.work.states([subject])
            self._states[subject] = {row.course: from_json(row.body) for row in rows if row.body is not None}
            if self._shared:
                self._seen[subject] = fingerprint(rows)
        return self._states[subject]

    def _state(self, subject: str, course: str) -> CourseState | None:
        return self._loaded(subject).get(course)

    def _keep(self, subject: str, course: str, state: CourseState | None) -> None:
        self._loaded(subject)[course] = state
        self._touched.add((subject, course))

    def _publish(self, subject: str, course: str, publications: Iterable[Publication]) -> None:
        if needs_person(subject):
            self.parked += [one for one in publications if one.event in FIRST]
            return
        for one in publications:
            if one.event in TAKING and self._stands_elsewhere(subject, course, one.id):
                continue
            self._words[one.id] = last_word(one.payload)
            self.published.append(Published(one.event, one.id, one.revision, orjson.dumps(one.payload)))
            for target in self._targets:
                if not self._is_echo(target, subject, course, one.id):
                    self._owed.append((len(self.published) - 1, target.name))

    def _stands_elsewhere(self, subject: str, course: str, achievement: str) -> bool:
        """Whether another course of the subject has the same achievement, and evidence for it: only the last one takes it back."""
        return any(state is not None and key != course and any(window.id == achievement for window in state.windows)
                   and any(one.window.id == achievement and one.outcome for one in standings(state, self._catalogue.course(key)))
                   for key, state in self._loaded(subject).items())

    def _feed(self, subject: str) -> Feed:
        """Nothing is published of who is not known yet: what stands in the feed under his ids was said of another."""
        return (lambda _: None) if needs_person(subject) else self._last

    def _last(self, achievement: str) -> LastWord | None:
        if achievement not in self._words:
            row = self._store.work.last_published(achievement)
            if self._shared:
                self._heard[achievement] = row.revision if row else 0
            self._words[achievement] = last_word(orjson.loads(row.body)) if row else None
        return self._words[achievement]

    def _is_echo(self, target: TargetRow, subject: str, course_id: str, achievement: str) -> bool:
        """Whether all evidence of the achievement came from this very target: it knows already."""
        own, state = target.settings.get("provider"), self._state(subject, course_id)
        if not own or state is None:
            return False
        course = self._catalogue.course(course_id)
        return any(s.window.id == achievement and s.sources == {own} for s in standings(state, course))


@lru_cache(maxsize=2)
def _catalogue(directory: Directory, change: int, verb_map: VerbMap) -> Catalogue:
    """The catalogue as of this change or a later one: with thousands of courses it is most of the cost of a small round."""
    return Catalogue(directory.courses(), verb_map.rules)


def _quiet(before: CourseState, folded: Folded, feed: Feed) -> Folded:
    """The same evidence read otherwise: on record, and only a completion that does not stand in the feed is published."""
    said = {one.id for one in folded.publications if one.event not in FIRST}
    if not said:
        return folded
    was = {window.id: window for window in before.windows}
    windows = tuple(going_on(was.get(window.id, window), feed(window.id)) if window.id in said else window
                    for window in folded.state.windows)
    return replace(folded, state=replace(folded.state, windows=windows),
                   publications=tuple(one for one in folded.publications if one.id not in said))


def _was_sent(state: CourseState, one: Evidence) -> bool:
    if one.status == "withdrawn":
        return any(window.revision for window in state.windows)
    number = state.placed.get(one.seq)
    return any(window.n == number and window.revision for window in state.windows)


def _verb_iri(value: object) -> str:
    verb = value.get("verb") if isinstance(value, dict) else None
    return str(verb.get("id", "")) if isinstance(verb, dict) else ""
