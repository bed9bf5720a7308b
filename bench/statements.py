"""Statements that look like life: skewed people, courses and verbs, the shapes of the usual senders, 1.2 to 1.8 kB."""
from __future__ import annotations

import json
import random
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

SEED = 20261124
PEOPLE, COURSES, LESSONS = 5_000, 200, 12
START = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
ADL = "http://adlnet.gov/expapi/"
VERBS = (("experienced", 30), ("answered", 28), ("progressed", 12), ("initialized", 9), ("terminated", 8), ("completed", 7),
         ("passed", 4), ("failed", 1), ("scored", 1))
TEXT = ("Report a hazard before the shift begins", "Lock out the press, then tag it", "Name the three signs of heat stress",
        "Which of these objections comes first?", "Hold the ladder at the foot", "Say back what the customer said")


class Life:
    """An endless, repeatable stream of statements; two with one seed and one `first` are equal."""

    def __init__(self, seed: int = SEED, first: int = 0) -> None:
        self._random = random.Random(seed * 1_000_003 + first)
        self._n = first
        self._names, self._weights = zip(*VERBS, strict=True)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        while True:
            yield self.one()

    def batch(self, n: int) -> bytes:
        """The body of a POST of `n` statements."""
        return json.dumps([self.one() for _ in range(n)], ensure_ascii=False, separators=(",", ":")).encode()

    def one(self) -> dict[str, Any]:
        """The next statement."""
        draw = self._random
        self._n += 1
        person, course = _skewed(draw, PEOPLE), _skewed(draw, COURSES)
        verb = draw.choices(self._names, self._weights)[0]
        whole = verb in ("completed", "passed", "failed", "scored") and draw.random() < 0.4
        course_id = f"https://lms.example.com/courses/{course:05d}"
        lesson = f"{course_id}/lessons/{draw.randrange(LESSONS)}"
        question = verb == "answered"
        target = course_id if whole else f"{lesson}/questions/{draw.randrange(20)}" if question else lesson
        at = START + timedelta(milliseconds=41 * self._n + draw.randrange(900))
        return {
            "id": str(uuid.UUID(int=draw.getrandbits(128), version=4)),
            "actor": self._actor(person),
            "verb": {"id": f"{ADL}verbs/{verb}", "display": {"en-US": verb, "de-DE": f"hat {verb}"}},
            "object": {"objectType": "Activity", "id": target, "definition": self._definition(target, course, whole, question)},
            "result": self._result(verb, question),
            "context": {
                "registration": str(uuid.UUID(int=person * 10**6 + course, version=4)),
                "platform": "Course player 7.2", "language": "en-US",
                "contextActivities": {
                    "parent": [{"objectType": "Activity", "id": lesson if question else course_id}],
                    "grouping": [{"objectType": "Activity", "id": course_id,
                                  "definition": {"type": f"{ADL}activities/course", "name": {"en-US": f"Course {course}"}}}],
                    "category": [{"id": "https://w3id.org/xapi/acrossx/v1.0", "definition": {"type": f"{ADL}activities/profile"}}],
                },
                "extensions": {"https://player.example.com/xapi/session": f"{person:x}-{self._n:x}",
                               "https://player.example.com/xapi/attempt": draw.randrange(1, 4)},
            },
            "timestamp": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        }

    def _actor(self, person: int) -> dict[str, Any]:
        if person % 3:
            return {"objectType": "Agent", "name": f"Person {person:05d}", "mbox": f"mailto:person.{person:05d}@example.com"}
        return {"objectType": "Agent", "name": f"Person {person:05d}",
                "account": {"homePage": "https://lms.example.com", "name": f"{person:05d}"}}

    def _definition(self, target: str, course: int, whole: bool, question: bool) -> dict[str, Any]:
        # content says the same of an activity each time
        written = random.Random(target)
        name = written.choice(TEXT)
        made: dict[str, Any] = {"name": {"en-US": name, "de-DE": f"{name} (de)"},
                                "description": {"en-US": f"{name}. Part of course {course}."},
                                "type": f"{ADL}activities/{'course' if whole else 'cmi.interaction' if question else 'lesson'}"}
        if question:
            made |= {"interactionType": "choice", "correctResponsesPattern": ["b"],
                     "choices": [{"id": c, "description": {"en-US": f"{written.choice(TEXT)} ({c})"}} for c in "abc"]}
        else:
            made["moreInfo"] = f"{target}/about"
        return made

    def _result(self, verb: str, question: bool) -> dict[str, Any]:
        raw = self._random.randrange(0, 101)
        minutes, seconds, hundredths = (self._random.randrange(n) for n in (40, 60, 100))
        made: dict[str, Any] = {"duration": f"PT{minutes}M{seconds}.{hundredths:02d}S"}
        if question:
            made |= {"response": "b", "success": raw > 40, "score": {"scaled": raw / 100, "raw": raw, "min": 0, "max": 100}}
        elif verb in ("passed", "failed", "scored", "completed"):
            made |= {"success": verb != "failed", "completion": True, "score": {"scaled": raw / 100, "raw": raw, "min": 0, "max": 100}}
        made["extensions"] = {"https://player.example.com/xapi/clicks": self._random.randrange(60)}
        return made


def _skewed(draw: random.Random, n: int) -> int:
    """A few are very busy and most are not: the share of the k-th falls with 1/k, roughly."""
    return min(n - 1, int(n ** draw.random()) - 1)
