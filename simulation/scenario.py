"""Who learns what in the simulation: people and how the directory learns them, courses, maps, and the statements sent."""
from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from lrs.completions.model import Course, Person
from lrs.completions.subjects import email_identifiers
from lrs.ingest import maps
from lrs.ingest.prepare import Provider
from lrs.statements.instants import printed
from simulation.clocks import BEGIN, DAY, HOUR, SECOND
from verbs.tables import Row

PROVIDERS = tuple(Provider(name, frozenset({"statements/write"}), name, {
    "objectType": "Agent", "name": name, "account": {"homePage": "https://lrs.example", "name": name}}) for name in ("lms", "sim", "vr"))

ROOT = "https://courses.example/"
FIRE, LIFT, OLD, SAFE, KIOSK = (ROOT + name for name in ("fire", "lift", "old", "safe", "kiosk"))
PARTS = (ROOT + "part-a", ROOT + "part-b")
COURSE_TYPE = {"type": "http://adlnet.gov/expapi/activities/course"}
OBJECTS: Sequence[tuple[str, bool]] = ((FIRE, False), (LIFT, True), (OLD, True), (KIOSK, True), (PARTS[0], False), (PARTS[1], False))
"""What statements are about: an activity, and whether it says that it is a course."""

CATALOGUE: Sequence[Course] = (
    Course(FIRE, "Fire"), Course(LIFT, "Lift"), Course(SAFE, "Safety", all_of=PARTS), Course(FIRE, "Fire safety", aliases=(OLD,)),
    Course(LIFT, "Lift truck"))
"""The catalogue as it comes to be, course after course; the first stands at the beginning."""

FINISHED, MASTERED = "https://vendor.example/verbs/finished", "https://vendor.example/verbs/graduated"
VERBS = ("completed", "passed", "failed", "completed", "passed", "failed", "passed", FINISHED, MASTERED, "experienced")
MAPS: Sequence[tuple[tuple[str, str], ...]] = (((FINISHED, "completed"),), ((FINISHED, "completed"), (MASTERED, "passed")))
"""Versions of the verb map, one after the other: each says what more verbs mean."""
WILD_MAPS: Sequence[tuple[tuple[str, str], ...]] = (
    *MAPS, ((FINISHED, "passed"),), ((FINISHED, "failed"), (MASTERED, "passed")), (), ((MASTERED, "completed"),))
"""Versions that also say otherwise than the one before."""
WILD_CATALOGUE: Sequence[Course] = (
    *CATALOGUE, Course(FIRE, "Fire"), Course(SAFE, "Safety"), Course(FIRE, "Fire", aliases=(LIFT,)),
    Course(LIFT, "Lift", single_au=PARTS[0]))


def verb_map(rows: Sequence[tuple[str, str]]) -> bytes:
    """The document of a version of the verb map."""
    return maps.to_json(maps.Installed(tuple(Row(iri, "", "", canonical, "yes", "installation", "") for iri, canonical in rows)))


def _portions(name: str) -> Sequence[tuple[str, ...]]:
    mail, account = tuple(email_identifiers(f"{name}@example.com")), (f"account:https://lms.example|{name}",)
    return {"ann": (mail + account,), "bob": (mail, account), "cid": ((), mail[1:2], mail[:1] + mail[2:], account),
            "dot": ((), account, mail), "eve": ((),), "fay": ((), mail + account)}[name]


_VERSION_BITS, _VERSION_4 = 0xF << 76 | 0b11 << 62, 4 << 76 | 0b10 << 62
"""The bits of a UUID that say which kind it is (RFC 9562), and what they are in a random one."""
NAMES = ("ann", "bob", "cid", "dot", "eve", "fay")
PORTIONS = {name: _portions(name) for name in NAMES}
"""What the directory learns of each person, step by step; () is that it does not know it. Nobody ever learns who eve is."""


def person(name: str, steps: int, hris: bool) -> Person | None:
    """The person after so many steps of learning; None while it is unknown."""
    known = [identifier for portion in PORTIONS[name][:steps] for identifier in portion]
    if not known:
        return None
    return Person(f"E-{name}", f"{name}@example.com", name, identifiers=tuple(known), hris_id=f"H-{name}" if hris else "")


@dataclass
class Senders:
    """The clients of the LRS: what they will send, what they have sent. `wild`: also what no oracle can follow; `mostly`: how many
    people most statements are about."""

    rng: random.Random
    wild: bool
    mostly: int = 4
    known: list[dict[str, Any]] = field(default_factory=list)
    """Statements that exist, sent or not, each with its provider under `""`."""
    queue: list[tuple[Provider, list[dict[str, Any]]]] = field(default_factory=list)

    def think(self, now: int) -> None:
        """Queue another request."""
        rng = self.rng
        provider = rng.choice(PROVIDERS)
        kind = rng.random()
        if kind < 0.07 and self.known:
            self.queue.append((provider, [rng.choice(self.known)]))  # sent before, perhaps by another
        elif kind < 0.10 and self.known:
            old = rng.choice(self.known)
            self.queue.append((provider, [self._statement(now), {**old, "verb": {"id": "http://adlnet.gov/expapi/verbs/launched"}}]))
        elif kind < 0.22 and self.known:
            target = rng.choice(self.known[-12:])
            self.queue.append((self._owner(target) if rng.random() < 0.9 else provider, [self._void(target["id"])]))
        elif kind < 0.25:
            later = self._statement(now)
            self.queue.append((provider, [self._void(later["id"])]))
            self.queue.append((provider, [later]))
            self._keep(provider, later)
        else:
            batch = [self._statement(now) for _ in range(rng.choice((1, 1, 1, 2, 3)))]
            for one in batch:
                self._keep(provider, one)
            self.queue.append((provider, batch))
            if rng.random() < 0.1:
                self.queue.append((provider, batch))  # the client did not wait for the answer

    def _keep(self, provider: Provider, statement: dict[str, Any]) -> None:
        self.known.append(statement)
        self._owners[statement["id"]] = provider

    def __post_init__(self) -> None:
        self._owners: dict[str, Provider] = {}

    def _owner(self, statement: dict[str, Any]) -> Provider:
        return self._owners[statement["id"]]

    def _new_id(self) -> str:
        figures = f"{self.rng.getrandbits(128) & ~_VERSION_BITS | _VERSION_4:032x}"
        return f"{figures[:8]}-{figures[8:12]}-{figures[12:16]}-{figures[16:20]}-{figures[20:]}"

    def _statement(self, now: int) -> dict[str, Any]:
        rng = self.rng
        name = rng.choice(NAMES[:self.mostly] if rng.random() < 0.8 else NAMES)
        address, *hashes = (f"{name}@example.com", *email_identifiers(f"{name}@example.com")[1:])
        actor: dict[str, Any] = rng.choice((
            {"mbox": f"mailto:{address}"}, {"mbox": f"mailto:{address}"}, {"mbox_sha1sum": hashes[0].removeprefix("sha1:")},
            {"account": {"homePage": "https://lms.example", "name": name}}))
        activity, typed = rng.choice(OBJECTS)
        verb = rng.choice(VERBS)
        # 400 days ago is another window than now, whatever comes first; parts of a whole are not spread over windows
        at = now - rng.randrange(2 * HOUR) if activity in PARTS or rng.random() < 0.75 else BEGIN - 400 * DAY - rng.randrange(2 * HOUR)
        # a completion's score stands in for that of a pass that has none, and falls when a pass with a lower one comes: a fall is
        # on record and not sent, so what was sent would depend on the order; hence no completion has one here
        scored = rng.random() < 0.3 and verb not in ("completed", FINISHED)
        result: dict[str, Any] = {"score": {"scaled": rng.choice((0.2, 0.5, 0.9))}} if scored else {}
        return {"id": self._new_id(), "actor": actor, "verb": {"id": verb if ":" in verb else f"http://adlnet.gov/expapi/verbs/{verb}"},
                "object": {"id": activity, **({"definition": COURSE_TYPE} if typed else {})}, "timestamp": printed(at),
                **({"result": result} if result else {})}

    def _void(self, target: str) -> dict[str, Any]:
        return {"id": self._new_id(), "actor": {"mbox": "mailto:admin@example.com"}, "object": {"objectType": "StatementRef", "id": target},
                "verb": {"id": "http://adlnet.gov/expapi/verbs/voided"}}


def body(statements: Sequence[dict[str, Any]]) -> bytes:
    """A request's body."""
    return orjson.dumps(statements)


@dataclass
class Administration:
    """What the administrators have done so far, and do next."""

    rng: random.Random
    wild: bool
    learned: dict[str, int] = field(default_factory=lambda: dict.fromkeys(NAMES, 1))
    hris: set[str] = field(default_factory=set)
    courses: int = 1
    mapped: int = 0

    def everybody(self) -> list[Person]:
        """The people of the directory."""
        return [one for name in NAMES if (one := person(name, self.learned[name], name in self.hris)) is not None]

    def learn(self) -> list[Person]:
        """The directory learns more of somebody."""
        name = self.rng.choice(NAMES)
        if self.rng.random() < 0.5:
            self.learned[name] = min(len(PORTIONS[name]), self.learned[name] + 1)
        else:
            self.hris.add(name)
        found = person(name, self.learned[name], name in self.hris)
        if found and self.wild and self.rng.random() < 0.2 and len(found.identifiers) > 1:
            found = replace(found, identifiers=found.identifiers[:1])
        return [found] if found else []

    def next_course(self) -> Course | None:
        """The next entry of the catalogue."""
        if self.wild and self.rng.random() < 0.5:
            return self.rng.choice(WILD_CATALOGUE)
        if self.courses == len(CATALOGUE):
            return None
        self.courses += 1
        return CATALOGUE[self.courses - 1]

    def next_map(self) -> bytes | None:
        """The next version of the verb map."""
        if self.wild:
            return verb_map(self.rng.choice(WILD_MAPS))
        if self.mapped == len(MAPS):
            return None
        self.mapped += 1
        return verb_map(MAPS[self.mapped - 1])


LATENESS = (0.90, SECOND), (0.065, 30 * SECOND), (0.02, 1800 * SECOND), (0.015, 16 * HOUR)
"""How far time goes on between two steps: a share of the steps, and the most it can be."""
