"""The model of the store does what the SQLite store does: the same random operations, the same answers, the same content."""
from __future__ import annotations

import json
import random
import time
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lrs.completions.model import Course, Person
from lrs.errors import Conflict, Forbidden
from lrs.statements.record import Prepared, Query
from lrs.store.protocols.mappings import CourseStep
from lrs.store.protocols.work import Attempt, Cursor, Output, Published, StateRow, TargetRow, Wanted, fingerprint
from lrs.store.sqlite.clock import Ticks
from lrs.store.sqlite.database import Database
from lrs.store.sqlite.directory import SqliteDirectory
from lrs.store.sqlite.mappings import SqliteMappings
from lrs.store.sqlite.statements import SqliteStatements
from lrs.store.sqlite.work import SqliteWork
from simulation.clocks import SECOND, Clocks
from simulation.disk import Disk
from simulation.store import ModelStore
from workers.limits import Pace, TargetLimits

LIMITS = TargetLimits({"webhook": Pace(2.0, 3, 2), "bulk": Pace(5.0, 4, 2, 3)})
SAYS = {200: "up", 400: "refused", 429: "slow", None: "down", 500: "down"}
IDS = [str(uuid.UUID(int=n)) for n in range(1, 9)]


class Pair:
    """Both stores, asked the same; leases are drawn at random by the one, and are compared by order of appearance."""

    def __init__(self, folder: Path, clocks: Clocks, rng: random.Random, work_of_another: Any = None) -> None:
        """`work_of_another`: the worker's side of another store, in the place of SQLite's."""
        self.rng, self.clocks = rng, clocks
        ticks = Ticks(clocks.wall, clocks.uptime, clocks.boot)
        log, work = Database(folder / "statements.db"), Database(folder / "work.db")
        self.files = (log, work)
        self.real: dict[str, Any] = {"statements": SqliteStatements(log, ticks), "directory": SqliteDirectory(log),
                                     "mappings": SqliteMappings(log), "work": work_of_another or SqliteWork(work, ticks)}
        for part in self.real.values():
            part.migrate()
        self.model = ModelStore(Disk(), ticks)
        self.leases: dict[str, str] = {}

    def ask(self, part: str, method: str, *arguments: Any, theirs: tuple[Any, ...] | None = None, **named: Any) -> Any:
        """The answer of the model, which is that of the real one."""
        answers = []
        for store, given in ((getattr(self.model, part), arguments), (self.real[part], theirs or arguments)):
            try:
                answers.append(getattr(store, method)(*given, **named))
            except (Conflict, Forbidden) as refusal:
                answers.append(type(refusal))
        assert self.plain(answers[0]) == self.plain(answers[1]), (part, method, arguments, named)
        if method == "claim_due":
            self.leases.update({one.lease: other.lease for one, other in zip(*answers, strict=True)})
        return answers[0]

    def plain(self, answer: Any) -> Any:
        if isinstance(answer, list):
            names: dict[str, int] = {}
            return [replace(one, lease=str(names.setdefault(one.lease, len(names)))) if getattr(one, "lease", "") else one
                    for one in answer]
        return answer


def statements(pair: Pair) -> None:
    rng = pair.rng
    kind = rng.randrange(6)
    if kind < 3:
        batch = []
        for _ in range(rng.choice((1, 1, 2, 3))):
            target = rng.choice(IDS) if rng.random() < 0.4 else None
            raw = rng.choice((b"one", b"one", b"two"))
            voids, provider = target if rng.random() < 0.6 else None, rng.choice(("acme", "acme", "other"))
            batch.append(Prepared(rng.choice(IDS), (b"", b"|" + raw), raw, tuple(sorted(rng.sample(range(1, 6), 2))), b"{}", "key",
                                  provider, target, voids, rng.random() < 0.2))
        pair.ask("statements", "add", batch, lambda stored, received: stored.partition(b"|")[2] == received)
    elif kind == 3:
        pair.ask("statements", "get", rng.choice(IDS), voided=rng.random() < 0.5)
    elif kind == 4:
        pair.ask("statements", "page", Query(tuple(rng.sample(range(1, 6), rng.randrange(3))), ascending=rng.random() < 0.5,
                                             limit=rng.choice((1, 3, 100))))
    else:
        after = rng.choice([0, *pair.model.log.now.rows])
        pair.ask("statements", "follow", after, rng.choice((1, 3, 100)))
        pair.ask("statements", "bearing", rng.sample(range(1, 6), 2), after, pair.clocks.true, rng.choice((1, 3, 100)))
        pair.ask("statements", "consistent_through")


def directory(pair: Pair) -> None:
    rng = pair.rng
    if rng.random() < 0.5:
        people = [Person(rng.choice("AB"), identifiers=tuple(rng.sample(("mbox:a@b", "sha1:1", "openid:x"), rng.randrange(3))))
                  for _ in range(2)]
        pair.ask("directory", "put_people", people)
    else:
        pair.ask("directory", "put_courses", [Course(rng.choice("cde"), rng.choice("xy"), tuple(rng.sample("cdefg", rng.randrange(2))))],
                 only_new=rng.random() < 0.2)
    pair.ask("directory", "people")
    pair.ask("directory", "courses")
    pair.ask("directory", "person_by_identifier", ["mbox:a@b", "sha1:1", "nobody"])
    pair.ask("directory", "has_course", "f")
    pair.ask("directory", "changes", rng.randrange(5), 20)
    pair.ask("directory", "last_change")


def mappings(pair: Pair) -> None:
    rng = pair.rng
    kind = rng.choice(("verbs", "courses"))
    active = pair.ask("mappings", "active", kind)
    number = pair.ask("mappings", "propose", kind, b"{}", who="me", note="", base=active.number if active and rng.random() < 0.9 else 0)
    there = {course.id: course for course in pair.model.directory.courses()}
    name = rng.choice("cde")
    before = [there[name]] if name in there and rng.random() < 0.9 else []
    step = CourseStep([Course(name, "new", tuple(rng.sample("cdefg", rng.randrange(2))))] if rng.random() < 0.7 else [], [name], before)
    pair.ask("mappings", "apply", kind, rng.randrange(1, number + 2), step if kind == "courses" else None)
    pair.ask("mappings", "list", kind)
    pair.ask("mappings", "put_readings", rng.randrange(2), [(seq, b"{1}") for seq in pair.model.log.now.rows][:2])


def publish(pair: Pair) -> None:
    rng = pair.rng
    rows, said = [], pair.model.outgoing.now.said
    for _ in range(rng.randrange(4)):
        key = rng.choice("abcd")
        revision = max(said.get(key, frozenset()), default=0) + rng.choice((1, 1, 1, 0))
        event = rng.choice(("learning.completed", "learning.updated", "learning.updated", "learning.revoked", "credential.revoked"))
        body = {"event": event, "id": key, "revision": revision, "user": {"externalId": rng.choice("AB")}, "course": {"id": "c"}}
        rows.append(Published(event, key, revision, json.dumps(body, separators=(",", ":")).encode()))
    states = [StateRow(rng.choice(("ifi:mbox:a", "ifi:x", "person:A")), rng.choice("cd"), rng.choice((None, b'{"seq":7,')),
                       rng.random() < 0.5)]
    output = Output(states, rows, [(n, name) for n in range(len(rows)) for name in ("one", "two")],
                    rng.sample("abcd", 1) if rng.random() < 0.1 else [], [("person", rng.choice("AB"))] if rng.random() < 0.3 else [],
                    [("other", Cursor())] if rng.random() < 0.2 else [],
                    {"person:A": rng.choice((fingerprint(pair.ask("work", "states", ["person:A"])), b""))} if rng.random() < 0.2 else {},
                    {"a": rng.choice((max(said.get("a", {0})), 1))} if rng.random() < 0.2 else {})
    was = pair.ask("work", "cursor", "route")
    pair.ask("work", "cursors")
    pair.ask("work", "advance", "route", was if rng.random() < 0.9 else Cursor(1, 99), Cursor(was.seq + 1, 0), output)
    pair.ask("work", "states", ["ifi:x", "person:A"])
    pair.ask("work", "subjects", "ifi:", 10)
    pair.ask("work", "held")
    pair.ask("work", "holders", 7)
    pair.ask("work", "feed", rng.randrange(5), 3)
    pair.ask("work", "feed_length")
    pair.ask("work", "last_published", "a")


def deliver(pair: Pair) -> None:
    rng, wall = pair.rng, pair.clocks.wall()
    leased = [row for row in pair.model.outgoing.now.owed.values() if row.lease]
    ended = []
    for row in rng.sample(leased, min(len(leased), rng.randrange(4))):
        state = rng.choice(("delivered", "delivered", "waiting", "waiting", "parked", "dead"))
        status = {"delivered": 200, "dead": 400}.get(state, rng.choice((None, 429, 500, 401)))
        ended.append(Attempt(row.id, row.lease if rng.random() < 0.9 else "stale", wall, state, row.attempts + 1,
                             wall + rng.randrange(20) * SECOND, state, status, 1.0, "body", status is None and state == "waiting",
                             "paused" if status == 401 else "", SAYS.get(status, "")))
    theirs = [replace(one, lease=pair.leases.get(one.lease, one.lease)) for one in ended]
    if rng.random() < 0.6:
        claim, alone = (rng.randrange(1, 6), 30.0, rng.choice(("me", "another")), wall, LIMITS), rng.random() < 0.4
        pair.ask("work", "claim_due", *claim, ended, alone, theirs=(*claim, theirs, alone))
    else:
        pair.ask("work", "record", ended, LIMITS, theirs=(theirs, LIMITS))


def operate(pair: Pair) -> None:
    rng, wall = pair.rng, pair.clocks.wall()
    wanted = Wanted(target=rng.choice(("one", "two", "")), state=rng.choice(("", "dead", "delivered", "cancelled")),
                    person=rng.choice(("", "A")))
    what = rng.randrange(6)
    if what == 0:
        pair.ask("work", "replay", wanted, now=wall, dry=rng.random() < 0.3)
    elif what == 1:
        pair.ask("work", "release", replace(wanted, state=""), now=wall)
    elif what == 2:
        pair.ask("work", "set_target_state", rng.choice(("one", "two", "nobody")), rng.choice(("active", "active", "paused")), "by hand")
    elif what == 3:
        pair.ask("work", "expire_leases", ["one"], rng.choice(("me", "another")), wall)
    elif what == 4 and rng.random() < 0.3:
        pair.ask("work", "cancel", replace(wanted, state=""), why="by hand", dry=rng.random() < 0.5)
    else:
        pair.ask("work", "change_target", "two", {"timeout": rng.randrange(9)})


def same_content(pair: Pair) -> None:
    rows = pair.ask("work", "deliveries", Wanted(), 1000)
    for row in rows:
        pair.ask("work", "attempts", row.id)
    pair.ask("work", "targets")
    pair.ask("work", "count_by_state")


@pytest.mark.parametrize("seed", range(12))
def test_the_model_is_the_sqlite_store(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng, clocks = random.Random(seed), Clocks()
    monkeypatch.setattr(time, "time_ns", lambda: clocks.wall() * 1000)
    pair = Pair(tmp_path, clocks, rng)
    for name, connector in (("one", "webhook"), ("two", "bulk")):
        pair.ask("work", "add_target", TargetRow(name, connector, {"timeout": 5}))
    for _ in range(120):
        clocks.true += rng.choice((1, 1_000, SECOND, 20 * SECOND, 3600 * SECOND))
        if rng.random() < 0.05:
            clocks.ahead = rng.choice((0, -3600 * SECOND, 3600 * SECOND, 300_000 * SECOND))
        if rng.random() < 0.02:
            clocks.reboot(SECOND)
        rng.choice((statements, statements, directory, mappings, publish, publish, deliver, deliver, deliver, operate))(pair)
        same_content(pair)
    for file in pair.files:
        file.close()
