"""The load of the kill campaign: careful clients that repeat what got no answer, and remember what was acknowledged."""
from __future__ import annotations

import contextlib
import http.client
import json
import random
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from campaign.served import Answer, Served

PEOPLE, REGISTRATIONS, PARENTS = 40, 12, 8
COURSE = "http://adlnet.gov/expapi/activities/course"
VERBS = ("completed", "completed", "completed", "experienced", "answered")
VERB, VOIDED = "http://adlnet.gov/expapi/verbs/", "http://adlnet.gov/expapi/verbs/voided"
ODD = ("1.10", "1e2", "0.1000", "-0", "12345678901234567890.5", '"\\u00fc\\/\\u20ac"', '"ü€ 🎓"', "[ ]", "true", "null")
"""Values that a careless store would print otherwise than they came."""


@dataclass
class Known:
    """What the clients know, in the campaign's own memory: it is never killed. `sent` holds the text of every statement
    by id, `acknowledged` the ids that a 2xx told, `refused` those of requests that a 4xx refused, `groups` the ids of each
    batch, `voided` the ids whose void was acknowledged, `maybe_voided` those whose void was sent."""

    sent: dict[str, str] = field(default_factory=dict)
    acknowledged: dict[str, float] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    groups: list[tuple[str, ...]] = field(default_factory=list)
    voided: set[str] = field(default_factory=set)
    maybe_voided: set[str] = field(default_factory=set)
    documents: dict[str, list[bytes]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    unanswered: int = 0
    unavailable: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


def person(number: int) -> dict[str, str]:
    """The actor of this number."""
    return {"mbox": f"mailto:person{number}@acme.example"}


def statement(draw: random.Random) -> tuple[str, str]:
    """(id, text) of a new statement. Every completion is of a course of its own, so that each owes one delivery."""
    name = str(uuid.UUID(int=draw.getrandbits(128), version=4))
    verb, parent = draw.choice(VERBS), f"https://courses.acme.example/parent/{draw.randrange(PARENTS)}"
    kind = COURSE if verb == "completed" else "http://adlnet.gov/expapi/activities/lesson"
    registration = uuid.UUID(int=draw.randrange(REGISTRATIONS), version=4)
    context = {"registration": str(registration), "contextActivities": {"parent": [{"id": parent}]},
               "instructor": person(draw.randrange(PEOPLE))}
    members = {
        "id": json.dumps(name), "actor": json.dumps(person(draw.randrange(PEOPLE))), "verb": json.dumps({"id": VERB + verb}),
        "object": json.dumps({"id": f"https://courses.acme.example/{name}", "definition": {"type": kind}}), "context": json.dumps(context),
        "result": f'{{"extensions":{{"https://acme.example/odd":{draw.choice(ODD)}}}}}',
        "timestamp": f'"2026-11-0{draw.randint(1, 9)}T08:00:00.{draw.randrange(1000):03d}Z"'}
    text = "{" + ",".join(f'"{member}":{value}' for member, value in members.items()) + "}"
    return name, text


def void(name: str, target: str) -> str:
    """The text of a statement that voids another."""
    return json.dumps({"id": name, "actor": person(0), "verb": {"id": VOIDED}, "object": {"objectType": "StatementRef", "id": target}},
                      separators=(",", ":"))


class Client(threading.Thread):
    """One careful client, until told to stop: what it does next depends on the seed alone."""

    def __init__(self, number: int, seed: int, served: Served, known: Known, stop: threading.Event, pause: float) -> None:
        super().__init__(name=f"client-{number}", daemon=True)
        self._number, self._known, self._stopping, self._pause = number, known, stop, pause
        self._draw = random.Random(seed * 1009 + number)
        self._call = served.sender(15)
        self._mine: list[str] = []
        self._revision = 0

    def run(self) -> None:
        """Send until told to stop."""
        kinds: tuple[tuple[Callable[[], Any], int], ...] = (
            (self.single, 8), (self.put, 3), (self.batch, 5), (self.duplicate, 2), (self.conflict, 1), (self.conflict_in_batch, 1),
            (self.bad_batch, 1), (self.void, 2), (self.document, 2))
        actions, weights = zip(*kinds, strict=True)
        try:
            while not self._stopping.is_set() and not self._known.wrong:
                self._draw.choices(actions, weights)[0]()
                time.sleep(self._pause)
        except Exception as fault:
            self._wrong(f"the client itself: {type(fault).__name__}: {fault}")
        finally:
            self._call.close()

    def single(self) -> None:
        """POST one."""
        name, text = self._new()
        self._acknowledge(self._send("POST", "/xapi/statements", text), (name,), lambda a: json.loads(a.body) == [name])

    def put(self) -> None:
        """PUT one."""
        name, text = self._new()
        self._acknowledge(self._send("PUT", f"/xapi/statements?statementId={name}", text), (name,), lambda a: a.status == 204)

    def batch(self) -> None:
        """POST several."""
        new = [self._new() for _ in range(self._draw.randint(2, 25))]
        names = tuple(name for name, _ in new)
        self._known.groups.append(names)
        answer = self._send("POST", "/xapi/statements", "[" + ",".join(text for _, text in new) + "]")
        self._acknowledge(answer, names, lambda a: json.loads(a.body) == list(names))

    def duplicate(self) -> None:
        """POST one that is there already; it is there once afterwards too."""
        if self._mine:
            name = self._draw.choice(self._mine)
            self._acknowledge(self._send("POST", "/xapi/statements", self._known.sent[name]), (), lambda a: json.loads(a.body) == [name])

    def conflict(self) -> None:
        """POST another statement under an id that is taken."""
        if self._mine:
            self._refuse(self._send("POST", "/xapi/statements", self._other(self._draw.choice(self._mine))), 409, ())

    def conflict_in_batch(self) -> None:
        """POST a batch of which one conflicts: none of it is stored."""
        if self._mine:
            new = [self._new() for _ in range(3)]
            texts = [new[0][1], new[1][1], self._other(self._draw.choice(self._mine)), new[2][1]]
            self._refuse(self._send("POST", "/xapi/statements", "[" + ",".join(texts) + "]"), 409, tuple(name for name, _ in new))

    def bad_batch(self) -> None:
        """POST a batch of which one breaks a rule: none of it is stored."""
        new = [self._new() for _ in range(3)]
        texts = [*(text for _, text in new), new[0][1].replace('"verb"', '"werb"')]
        self._refuse(self._send("POST", "/xapi/statements", "[" + ",".join(texts) + "]"), 400, tuple(name for name, _ in new))

    def void(self) -> None:
        """Void one of one's own."""
        left = [name for name in self._mine[-50:] if name not in self._known.maybe_voided]
        if left:
            target, name = self._draw.choice(left), str(uuid.UUID(int=self._draw.getrandbits(128), version=4))
            self._known.sent[name] = void(name, target)
            self._known.maybe_voided.add(target)
            if self._acknowledge(self._send("POST", "/xapi/statements", self._known.sent[name]), (name,), lambda a: True):
                self._known.voided.add(target)
            self._mine = [one for one in self._mine if one != name]

    def document(self) -> None:
        """PUT the next revision of a state; what stands there is the last that was sent, or an earlier one if no answer came."""
        self._revision += 1
        content = b'{"revision":%d,"odd":[1.10,1e2]}' % self._revision
        path = "/xapi/activities/state?" + urlencode({"activityId": "https://courses.acme.example/state", "stateId": f"s{self._number}",
                                                      "agent": json.dumps(person(self._number))})
        possible = self._known.documents.setdefault(path, [])
        possible.append(content)
        answer = self._send("PUT", path, content.decode())
        if answer is not None:
            if answer.status == 204:
                possible[:] = [content]
            else:
                self._wrong(f"PUT of a state: {answer}")

    def _new(self) -> tuple[str, str]:
        name, text = statement(self._draw)
        self._known.sent[name] = text
        return name, text

    def _other(self, name: str) -> str:
        """Another statement under this id."""
        return f'{{"id":"{name}",' + statement(self._draw)[1].partition(",")[2]

    def _send(self, method: str, path: str, text: str) -> Answer | None:
        """Send until it is answered otherwise than 503; None if told to stop meanwhile."""
        while True:
            try:
                answer = self._call(method, path, text.encode())
                if answer.status != 503:
                    return answer
                self._known.unavailable += 1
            except (OSError, http.client.HTTPException):
                self._known.unanswered += 1
            if self._stopping.is_set():
                return None
            time.sleep(0.03)

    def _acknowledge(self, answer: Answer | None, names: tuple[str, ...], right: Callable[[Answer], bool]) -> bool:
        if answer is None:
            return False
        if answer.status not in (200, 204) or not right(answer):
            self._wrong(f"a statement that should be taken: {answer}")
            return False
        at = time.time()
        with self._known.lock:
            self._known.acknowledged.update(dict.fromkeys(names, at))
        self._mine += names
        return True

    def _refuse(self, answer: Answer | None, status: int, names: tuple[str, ...]) -> None:
        self._known.refused.update(names)
        if answer is not None and answer.status != status:
            self._wrong(f"a request that should be refused with {status}: {answer}")

    def _wrong(self, why: str) -> None:
        self._known.wrong.append(f"{self.name}: {why}")


class Follower(threading.Thread):
    """Reads the log as a consumer would: each round up to what the last answer called consistent, and never again."""

    def __init__(self, served: Served, stop: threading.Event) -> None:
        super().__init__(name="follower", daemon=True)
        self._call, self._stopping = served.caller(15), stop
        self.seen: dict[str, int] = {}
        self.cursor = "1970-01-01T00:00:00Z"
        self.wrong: list[str] = []

    def run(self) -> None:
        """Follow until told to stop."""
        while not self._stopping.is_set() and not self.wrong:
            with contextlib.suppress(OSError, http.client.HTTPException):
                self.catch_up()
            time.sleep(0.05)

    def close(self) -> None:
        """Let go of the connection, which the server closes when it rests; the next call opens another."""
        self._call.close()

    def catch_up(self) -> None:
        """One round. A round that breaks off is begun again from where the last whole one ended."""
        known = self._call("GET", "/xapi/statements?limit=1")
        if known.status == 503:
            return
        through = known.headers["x-experience-api-consistent-through"]
        found: list[str] = []
        path = "/xapi/statements?" + urlencode({"ascending": "true", "since": self.cursor, "until": through})
        while path:
            page = self._call("GET", path)
            if page.status == 503:
                return
            if page.status != 200:
                self.wrong.append(f"GET {path}: {page}")
                return
            said = json.loads(page.body)
            found += [one["id"] for one in said["statements"]]
            path = said.get("more", "")
        for name in found:
            self.seen[name] = self.seen.get(name, 0) + 1
        self.cursor = through


class FeedReader(threading.Thread):
    """Reads the feed of completions by its cursor, and keeps every item as it came."""

    def __init__(self, served: Served, stop: threading.Event) -> None:
        super().__init__(name="feed", daemon=True)
        self._call, self._stopping = served.caller(15), stop
        self.items: list[Any] = []
        self.cursor = 0

    def run(self) -> None:
        """Follow until told to stop."""
        while not self._stopping.is_set():
            with contextlib.suppress(OSError, http.client.HTTPException):
                self.catch_up()
            time.sleep(0.05)

    def close(self) -> None:
        """Let go of the connection, which the server closes when it rests; the next call opens another."""
        self._call.close()

    def catch_up(self) -> None:
        """All there is now."""
        more = True
        while more:
            answer = self._call("GET", f"/feeds/completions?exclude_source=&limit=200&since={self.cursor}")
            if answer.status != 200:
                return
            page = json.loads(answer.body)
            self.items += page["items"]
            self.cursor, more = page["cursor"], page["more"]
