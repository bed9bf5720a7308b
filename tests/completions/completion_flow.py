"""The path of a statement from its reading to its events, in memory, for the tests of the completion rules."""

from __future__ import annotations

from itertools import count
from uuid import UUID

from lrs.completions.catalogue import Catalogue, ProviderRules
from lrs.completions.fold import Standing, fold, standings
from lrs.completions.judge import Judgement, judge
from lrs.completions.model import Course, Evidence, Person, Publication
from lrs.completions.rebind import rebind
from lrs.completions.state import from_json, to_json
from lrs.completions.subjects import needs_person, person_subject, unknown_subject
from lrs.statements.instants import instant
from verbs.read import read

ADL = "http://adlnet.gov/expapi/verbs/"
TYPE = "http://adlnet.gov/expapi/activities/"
COURSE = "https://acme.example/courses/fire-safety"
ANN = Person("00017", "ann@acme.example", identifiers=("mbox:ann@acme.example",))
BOB = Person("00018", "bob@acme.example", identifiers=("mbox:bob@acme.example",))
CMI5 = {"contextActivities": {"category": [{"id": "https://w3id.org/xapi/cmi5/context/categories/cmi5"}]}}
SCORM = {"contextActivities": {"category": [{"id": "https://w3id.org/xapi/scorm"}]}}

_numbers = count(1)


def statement(verb: str, activity: str = COURSE, kind: str = "", who: object = "ann@acme.example", at: str = "", **more: object) -> dict:
    """A statement as a provider would send it; `verb` in full or the last part of an ADL verb."""
    definition = {"type": kind if ":" in kind else TYPE + kind} if kind else {}
    definition |= {"extensions": more.pop("definition")} if "definition" in more else {}
    return {
        "id": str(UUID(int=next(_numbers))),
        "actor": {"mbox": f"mailto:{who}"} if isinstance(who, str) else who,
        "verb": {"id": verb if ":" in verb else ADL + verb},
        "object": {"id": activity} | ({"definition": definition} if definition else {}),
        "timestamp": at or "2026-03-02T10:00:00Z",
        **more,
    }


class Flow:
    """Judges and folds what is sent to it, keeps every state as text between two steps, and lists the events."""

    def __init__(self, *courses: Course, people: tuple[Person, ...] = (ANN, BOB), rules: tuple[ProviderRules, ...] = ()) -> None:
        self.catalogue = Catalogue(courses, rules)
        self.people = {name: p for p in people for name in p.identifiers}
        self.states: dict[tuple[str, str], bytes] = {}
        self.sent: dict[str, tuple[int, dict, str]] = {}
        self.events: list[Publication] = []
        self.parked: list[Publication] = []
        self.seq = instant("2026-03-01T00:00:00Z").micros

    def send(self, value: dict, provider: str = "acme", at: str = "") -> Judgement:
        """One statement, stored now (or at `at`)."""
        self.seq = instant(at).micros if at else max(self.seq + 1, instant(value["timestamp"]).micros)
        self.sent[value["id"]] = (self.seq, value, provider)
        return self._route(self.seq, value, provider)

    def send_again(self, value: dict) -> Judgement:
        """The same stored statement is read again, as after a change of the catalogue."""
        return self._route(*self.sent[value["id"]])

    def void(self, value: dict) -> Judgement:
        """The store says that this statement is voided."""
        return self._route(*self.sent[value["id"]], voided=True)

    def learn(self, person: Person) -> None:
        """The directory learns a person: what waited for one of its identifiers is rebound."""
        self.people |= dict.fromkeys(person.identifiers, person)
        for (subject, key), text in list(self.states.items()):
            if needs_person(subject) and subject.removeprefix("ifi:") in person.identifiers:
                there = self.states.get((person_subject(person.employee_id), key))
                moved = rebind(
                    from_json(text), from_json(there) if there else None, from_subject=subject, person=person, now_us=self.seq,
                    to_subject=person_subject(person.employee_id), course=self.catalogue.course(key),
                )  # fmt: skip
                del self.states[(subject, key)]
                self.states[(person_subject(person.employee_id), key)] = to_json(moved.state)
                self.parked = [p for p in self.parked if p.id not in moved.cancelled]
                self.events += moved.publications
                self._fold(person_subject(person.employee_id), person, moved.onward)

    def names(self) -> list[str]:
        return [p.event for p in self.events]

    def statuses(self) -> list[tuple[str, str]]:
        return [(p.event, p.payload["result"]["status"]) for p in self.events]

    def on_record(self, course: str = COURSE, who: Person = ANN) -> list[Standing]:
        text = self.states.get((person_subject(who.employee_id), course))
        return standings(from_json(text), self.catalogue.course(course)) if text else []

    def evidence(self, course: str = COURSE, who: Person = ANN) -> list[Evidence]:
        """All evidence of a course that is on record, in order of arrival, whether it amounts to anything or not."""
        text = self.states.get((person_subject(who.employee_id), course))
        return [e for _, e in sorted(from_json(text).evidence.items())] if text else []

    def _route(self, seq: int, value: dict, provider: str, voided: bool = False) -> Judgement:
        reading = read(value, provider, score_min=self.catalogue.rules(provider).score_min)
        judgement = judge(value, reading, seq=seq, stored_us=seq, provider=provider, catalogue=self.catalogue, now_us=seq, voided=voided)
        person = next((self.people[name] for name in judgement.identifiers if name in self.people), None)
        subject = person_subject(person.employee_id) if person else unknown_subject(judgement.identifiers)
        self._fold(subject, person, judgement.evidence)
        return judgement

    def _fold(self, subject: str, person: Person | None, pairs: tuple[tuple[str, Evidence], ...]) -> None:
        queue = list(pairs)
        while queue:
            key, evidence = queue.pop(0)
            text = self.states.get((subject, key))
            before = from_json(text) if text else None
            course = self.catalogue.course(key)
            folded = fold(before, [evidence], course=course, subject=subject, person=person, now_us=self.seq)
            again = fold(folded.state, [evidence], course=course, subject=subject, person=person, now_us=self.seq)
            assert (again.state, again.publications) == (folded.state, ()), "the same evidence again changes nothing"
            self.states[(subject, key)] = to_json(folded.state)
            assert from_json(to_json(folded.state)) == folded.state
            (self.parked if needs_person(subject) else self.events).extend(folded.publications)
            queue += folded.onward
