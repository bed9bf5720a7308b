"""Versions of the verb map and of the course map: what one would change on history, apply it, roll it back."""
from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from lrs.completions.catalogue import Catalogue
from lrs.completions.model import Course
from lrs.completions.subjects import needs_person
from lrs.errors import Finding, Invalid, WrongState
from lrs.ingest import maps
from lrs.management.audit import audited
from lrs.statements.instants import printed
from lrs.store.open_store import Store
from lrs.store.protocols.mappings import CourseStep, Mapping
from verbs.vocabulary import Reading
from workers import partitions, reread
from workers.round import Round

KINDS = (maps.VERBS, maps.COURSES)
SAMPLES = 10
"""Samples of each part of a diff."""
Progress = Callable[[float], None]
"""Is told the share that is done, 0 to 1, after each slice."""


@dataclass(slots=True)
class Diff:
    """What a version changes on history; nothing was written. `statements` were looked at, of which `unchanged` keep
    their reading; `readings` counts the others by provider, verb IRI, old and new reading. `released`: events that would
    be published, by event and status; `parked`: completions of learners whom the directory does not know. `kept`: what
    counts no longer and was sent: it stays, nothing is revoked; `forgotten`: what counts no longer and was never sent.
    `complete` is False where a limit ended the walk early; `settled` is False while the worker has not yet met all
    statements and earlier changes: then it will release those too."""

    kind: str
    number: int
    statements: int = 0
    unchanged: int = 0
    readings: list[dict[str, Any]] = field(default_factory=list)
    reading_samples: list[dict[str, Any]] = field(default_factory=list)
    released: dict[str, int] = field(default_factory=dict)
    released_samples: list[dict[str, Any]] = field(default_factory=list)
    parked: int = 0
    parked_samples: list[dict[str, Any]] = field(default_factory=list)
    kept: int = 0
    kept_samples: list[dict[str, Any]] = field(default_factory=list)
    forgotten: int = 0
    forgotten_samples: list[dict[str, Any]] = field(default_factory=list)
    complete: bool = True
    settled: bool = True

    @property
    def events(self) -> int:
        """How many events would be published."""
        return sum(self.released.values())


def refused(why: str, rule: str) -> Invalid:
    """The error of a version that cannot be had, or cannot be applied."""
    return Invalid([Finding("", why, rule, "")])


def must_be_text(value: object) -> None:
    """Raises `Invalid` for a value with text in it that no file can hold (lone surrogates, as JSON can name them)."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except (UnicodeEncodeError, RecursionError) as error:
        raise refused("there is text in it that is no Unicode, or it is nested too deeply", "mapping.text") from error


def version(store: Store, kind: str, number: int) -> Mapping:
    """The version; raises `Invalid` where there is none."""
    found = store.mappings.get(kind, number) if number < 2**63 else None
    if found is None:
        raise refused(f"there is no version {number} of the {kind} map", "mapping.unknown")
    return found


def versions(store: Store, kind: str) -> list[dict[str, Any]]:
    """All versions, the newest first. `history` of an applied one: `read again` when the worker is through with it,
    else `waiting`."""
    done = store.work.cursor(reread.CONSUMER).change
    return [{"number": one.number, "state": one.state, "base": one.base, "who": one.who, "at": printed(one.at), "note": one.note,
             "applied": printed(one.applied) if one.applied else None,
             "history": ("read again" if one.change <= done else "waiting") if one.change else None} for one in store.mappings.list(kind)]


def propose(store: Store, kind: str, body: bytes, *, who: str, note: str, detail: dict[str, Any]) -> Mapping:
    """Keep the document as a version on top of the active one. Raises `Invalid` where it changes nothing."""
    must_be_text(note)
    active = store.mappings.active(kind)
    if kind == maps.VERBS and not maps.from_json(body).whole_history and _same(body, active.body if active else b""):
        raise refused("this changes nothing of the map in force", "mapping.empty")
    with audited(store, who, f"{kind}.propose", note or kind, **detail):
        number = store.mappings.propose(kind, body, who=who, note=note, base=active.number if active else 0)
    return version(store, kind, number)


def _same(body: bytes, other: bytes) -> bool:
    one, two = maps.from_json(body), maps.from_json(other)
    return (one.rows, one.providers) == (two.rows, two.providers)


def apply(store: Store, kind: str, number: int, *, who: str) -> Mapping:
    """Make a proposed version the one in force. The worker then reads again what it touches, releases what was never
    sent and sends nothing twice. Raises `WrongState` where it is not proposed, or something changed since."""
    found = version(store, kind, number)
    with audited(store, who, f"{kind}.apply", str(number), base=found.base, note=found.note):
        why = store.mappings.apply(kind, number, maps.step_of(found.body) if kind == maps.COURSES else None)
        if why:
            raise WrongState(why)
    return version(store, kind, number)


def rollback(store: Store, kind: str, *, who: str, note: str = "") -> Mapping:
    """Propose and apply what was in force before the active version, under a new number: map versions only rise. Rolled
    back twice, the map is where it began. Raises `WrongState` where nothing was ever applied, or (courses) where one of
    the courses was changed by another way since."""
    must_be_text(note)
    active = store.mappings.active(kind)
    if active is None:
        raise WrongState(f"no version of the {kind} map was ever applied: there is nothing to roll back")
    if kind == maps.COURSES:
        body = maps.step_to_json(undone(maps.step_of(active.body)))
    else:
        before = store.mappings.get(kind, active.base)
        body = before.body if before else maps.to_json(maps.Installed())
    made = propose(store, kind, body, who=who, note=note or f"rolls version {active.number} back to {active.base}",
                   detail={"rolls_back": active.number})
    return apply(store, kind, made.number, who=who)


def undone(step: CourseStep) -> CourseStep:
    """The step that leads back."""
    there = {course.id for course in step.before}
    return CourseStep(step.before, [course.id for course in step.put if course.id not in there], step.put)


def diff(store: Store, kind: str, number: int, progress: Progress = lambda share: None, most: int | None = None) -> Diff:
    """What applying this version would change: the worker's own code on all statements that it touches, nothing written.

    Costs about 0.1 ms a touched statement, and memory for the states of all learners concerned; `most` ends it after
    that many statements. Of an applied version: what reading history again would still change.
    """
    found = version(store, kind, number)
    terms, round_ = _rehearsal(store, found)
    told = Diff(kind, number, settled=_settled(store))
    counts: Counter[tuple[str, str, str, str]] = Counter()
    first, last = _bounds(store)
    for n, seq in reread.rehearse(store, terms, round_):
        told.statements += n
        told.unchanged += n
        _drain(told, round_, counts)
        progress((seq - first) / max(1, last - first))
        if most is not None and told.statements >= most:
            told.complete = False
            break
    progress(1.0)
    told.readings = [{"provider": provider, "verb": verb, "old": old, "new": new, "count": count}
                     for (provider, verb, old, new), count in counts.most_common()]
    return told


def _rehearsal(store: Store, found: Mapping) -> tuple[list[int] | None, Round]:
    current = maps.current(store)
    courses = store.directory.courses()
    if found.kind == maps.VERBS:
        new = maps.verb_map(found.body, found.number)
        base = store.mappings.get(maps.VERBS, found.base)
        old = maps.verb_map(base.body, base.number) if base else maps.product_map()
        terms = None if maps.from_json(found.body).whole_history else sorted(reread.verb_terms(store, old, new))
        return terms, Round(store, Catalogue(courses, new.rules), new)
    step = maps.step_of(found.body)
    terms = sorted(reread.course_terms(store, [*step.put, *step.before], current))
    return terms, Round(store, Catalogue(moved(courses, step), current.rules), current)


def moved(courses: list[Course], step: CourseStep) -> list[Course]:
    """The catalogue after the step."""
    gone = {*(course.id for course in step.put), *step.removed}
    return sorted([*(course for course in courses if course.id not in gone), *step.put], key=lambda course: course.id)


def _settled(store: Store) -> bool:
    routed, again = partitions.routed(store), store.work.cursor(reread.CONSUMER)
    waiting = (change.kind in reread.KINDS for change in store.directory.changes(again.change, reread.LOOK))
    return routed.seq >= store.statements.last_seq() and not any(waiting)


def _bounds(store: Store) -> tuple[int, int]:
    first = store.statements.follow(0, 1)
    return (first[0].seq if first else 0), partitions.routed(store).seq


def _drain(told: Diff, round_: Round, counts: Counter[tuple[str, str, str, str]]) -> None:
    """Count what the round has found since, keep a few samples, and empty its lists."""
    told.unchanged -= len(round_.again)
    for again in round_.again:
        counts[again.record.provider, again.verb_iri, shown(again.old), shown(again.new)] += 1
        _sample(told.reading_samples, {"statement": again.record.id, "provider": again.record.provider, "verb": again.verb_iri,
                                       "old": shown(again.old), "new": shown(again.new)})
    for one in round_.published:
        body = json.loads(one.body)
        name = f"{one.event} {body['result']['status']}" if body.get("result") else one.event
        told.released[name] = told.released.get(name, 0) + 1
        _sample(told.released_samples, _event(body))
    for held in round_.parked:
        told.parked += 1
        _sample(told.parked_samples, {**_event(held.payload), "learner": held.subject.removeprefix("ifi:")})
    for lost in round_.lost:
        where = {"course": lost.course, "status": lost.evidence.status, "statement": lost.evidence.statement_id,
                 "learner": lost.subject.removeprefix("ifi:" if needs_person(lost.subject) else "person:")}
        if lost.kept:
            told.kept += 1
            _sample(told.kept_samples, where)
        else:
            told.forgotten += 1
            _sample(told.forgotten_samples, where)
    for found in (round_.again, round_.published, round_.parked, round_.lost, round_.readings):
        found.clear()


def _sample(samples: list[dict[str, Any]], one: dict[str, Any]) -> None:
    if len(samples) < SAMPLES:
        samples.append(one)


def _event(body: dict[str, Any]) -> dict[str, Any]:
    return {"event": body["event"], "person": (body.get("user") or {}).get("externalId"),
            "course": (body.get("course") or {}).get("id"), "status": (body.get("result") or {}).get("status"),
            "timestamp": body.get("timestamp")}


def shown(reading: Reading) -> str:
    """A reading in a few words: canonical verb, what it may do, outcome."""
    return "/".join(part for part in (reading.verb, reading.kind, reading.outcome) if part)


def as_json(told: Diff) -> dict[str, Any]:
    """The diff as plain data."""
    return {**asdict(told), "events": told.events}
