"""A history that grows by chance: providers, voids, people and courses that become known late, maps that change."""
from __future__ import annotations

import hashlib
import json
import random
import uuid
from pathlib import Path
from typing import Any

from lrs.completions.model import Course, Person
from lrs.config import Settings
from lrs.directory.csv import identifiers_of
from lrs.ingest.batch import accept
from lrs.ingest.prepare import Provider
from lrs.management import maps, verbs
from lrs.services import Services
from lrs.store.open_store import open_store
from workers.route import route_once

VENDOR = "https://vendor.example/verbs/finished"
ADL = "http://adlnet.gov/expapi/"
TYPES = (f"{ADL}activities/course", f"{ADL}activities/lesson", f"{ADL}activities/question", "")
EDX = ("https://edx.example/course/course-v1:A+B+1", "https://edx.example/courses/course-v1:A%2BB%2B1",
       "https://edx.example/xblock/block-v1:A+B+1+type@course+block@course")


class Story:
    """A store and what happens to it; every deed is by chance, repeatable."""

    course, alias = "https://c.example/0", "https://c.example/1"

    def __init__(self, data: Path) -> None:
        self.services = Services(Settings(data=data), open_store(data))
        self.draw = random.Random(7)
        self.sent: list[str] = []
        self._n = self._maps = 0

    def send(self, n: int) -> None:
        """So many statements from one of three providers."""
        self._accept([self._one() for _ in range(n)], self.draw.choice(("sim", "lms", "openedx")))

    def voids(self) -> None:
        """Void one, and name one that comes later or never."""
        target = self.draw.choice(self.sent) if self.sent and self.draw.random() < 0.8 else str(uuid.uuid4())
        self._accept([{**self._one(f"{ADL}verbs/voided"), "object": {"objectType": "StatementRef", "id": target}}], "sim")

    def people(self) -> None:
        """Learn somebody by address."""
        k = self.draw.randrange(9)
        self.services.store.directory.put_people([Person(f"E{k}", f"p{k}@acme.example", "Secret",
                                                         identifiers=tuple(identifiers_of(f"E{k}", [f"p{k}@acme.example"])))])

    def hashes(self) -> None:
        """Learn somebody by the hash of his address alone."""
        k = self.draw.randrange(9, 12)
        sha = hashlib.sha1(f"mailto:p{k}@acme.example".encode()).hexdigest()
        self.services.store.directory.put_people([Person(f"E{k}", identifiers=(f"sha1:{sha}",))])

    def aliases(self) -> None:
        """Give the course an alias, or take it back."""
        with_ = self.draw.random() < 0.7
        self.services.store.directory.put_courses([Course(self.course, aliases=(self.alias,) if with_ else (),
                                                              all_of=("https://c.example/5",))])
        self._route()

    def courses(self) -> None:
        """Catalogue another course."""
        self.services.store.directory.put_courses([Course(self.draw.choice(("https://c.example/2", "https://c.example/3", *EDX[:2])))])
        self._route()

    def verbs(self) -> None:
        """A version of the verb map, applied and read again."""
        self._maps += 1
        meaning = ("completed", "passed", "failed")[self._maps % 3]
        text = f"verb_iri,provider,activity_type,canonical,completion_event\n{VENDOR},,,{meaning},yes"
        number = verbs.propose_text(self.services.store, text, who="test", whole=False).number
        maps.apply(self.services.store, "verbs", number, who="test")
        self._route()

    def _route(self) -> None:
        while (done := route_once(self.services)).statements or done.changes:
            pass

    def _accept(self, statements: list[dict[str, Any]], provider: str) -> None:
        authority = {"account": {"homePage": "https://lrs.example", "name": provider}}
        accept(self.services, json.dumps(statements).encode(), Provider(provider, frozenset({"all"}), provider, authority))
        self.sent += [one["id"] for one in statements]

    def _one(self, verb: str = "") -> dict[str, Any]:
        draw = self.draw
        self._n += 1
        k = draw.randrange(12)
        actor = draw.choice(({"mbox": f"mailto:p{k}@acme.example", "name": "Secret"},
                             {"account": {"homePage": "https://a.example", "name": str(k)}},
                             {"mbox_sha1sum": hashlib.sha1(f"mailto:p{k}@acme.example".encode()).hexdigest()}))
        names = [*(f"https://c.example/{n}" for n in range(7)), *EDX]
        made: dict[str, Any] = {
            "id": str(uuid.UUID(int=draw.getrandbits(128), version=4)), "actor": actor, "object": self._activity(draw.choice(names)),
            "verb": {"id": verb or draw.choice((VENDOR, f"{ADL}verbs/completed", f"{ADL}verbs/answered", "https://x.example/it's"))},
        }
        if draw.random() < 0.5:
            made["context"] = {"contextActivities": {"parent": [self._activity(draw.choice(names))]},
                               "registration": str(uuid.UUID(int=k, version=4))}
        if draw.random() < 0.7:
            made["timestamp"] = draw.choice(("2026-03-01T23:30:00+02:00", "1969-12-31T23:59:59.123456Z", "2026-02-03T04:05:06Z"))
        if draw.random() < 0.7 and not verb:
            made["result"] = {"score": {"scaled": draw.randrange(-100, 101) / 100, "raw": draw.random() * 100},
                              "success": draw.random() < 0.5, "duration": f"PT{draw.randrange(90)}.25S"}
        return made

    def _activity(self, name: str) -> dict[str, Any]:
        kind = self.draw.choice(TYPES)
        return {"id": name, **({"definition": {"type": kind}} if kind else {})}
