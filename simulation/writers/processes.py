"""The processes that write and read the log: the product's intents and promises, with a server that a simulation keeps."""
from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lrs.errors import StoreUnavailable
from lrs.store.intents import PLACES, Fenced, Intent, Known, Promise
from lrs.store.mongo.clock import Clock
from simulation.clocks import SECOND
from simulation.writers.server import Conflict, Server, Transaction, refers
from simulation.writers.tasks import Task

if TYPE_CHECKING:
    from simulation.writers.world import Writing

PATIENCE = 5 * SECOND
"""µs that a call may take, and a transaction with all its repetitions."""
HELD_UP = SECOND
ENDED_AFTER = 8 * SECOND
"""µs of repetitions after which a process looks for what was left behind, and after which that is ended: `lrs.store.mongo.abandoned`."""
LOOK_US = SECOND
"""µs by which what is read last of many documents may be younger than what is read first."""


@dataclass
class Machine:
    """A computer's time since boot, which goes a little wrong, and what the network does to whoever runs on it."""

    world: Writing
    drift: float
    behind: int = 0

    def uptime(self) -> int:
        """µs since boot, as this machine has them."""
        return round((self.world.true - self.world.begun) * (1 + self.drift)) - self.behind


@dataclass(eq=False)
class Process(ABC):
    """What is in the memory of one process. `wake`: the time (µs) before which it does not go on."""

    world: Writing
    name: str
    machine: Machine
    wake: int = 0
    token: bytes = b""
    task: Task = field(init=False)
    clock: Clock = field(init=False)

    def start(self) -> None:
        """A new process, with nothing in its memory."""
        self.token = self.world.rng.randbytes(4)
        self.clock = Clock(self._asked, self.machine.uptime)
        self.prepare()
        self.task = Task(self.run)

    @abstractmethod
    def prepare(self) -> None:
        """Have what the product has in a process."""

    @abstractmethod
    def run(self) -> None:
        """What it does until it is killed."""

    @property
    def rng(self) -> random.Random:
        """The seed's."""
        return self.world.rng

    def point(self) -> None:
        """Others may go on. Now and then the call that is about to be made fails. Raises `StoreUnavailable`."""
        self.task.point()
        if self.rng.random() < self.world.faults:
            raise StoreUnavailable("connection reset")

    def sleep(self, most: int) -> None:
        """Let up to so many µs go by."""
        self.wake = self.world.true + self.rng.randrange(1, most)
        self.task.point()

    def _asked(self) -> int:
        self.point()
        said = self.world.wall()
        self.task.point()
        return said


class Documents:
    """`lrs.store.intents.Table`: the server as a process sees it, each call by itself or in a transaction."""

    def __init__(self, process: Process, server: Server, transaction: Transaction | None = None, patience: int = PATIENCE) -> None:
        self._process, self._server, self._in, self._patience = process, server, transaction, patience

    def look(self) -> Known:
        """Alone, the documents are read one after the other, and others write meanwhile."""
        self._process.point()
        if self._in is not None:
            return self._server.look(self._in)
        cut = self._process.rng.randrange(PLACES)
        given_first = self._process.rng.random() < 0.5
        given, first = self._server.given, self._server.known(range(cut))
        if cut % 4 == 0:
            self._process.task.point()
        elif cut % 4 == 1:
            self._process.sleep(LOOK_US)
        return Known(given if given_first else self._server.given, first + self._server.known(range(cut, PLACES)))

    def change(self, place: int, was: Mapping[str, Any], to: Mapping[str, Any]) -> bool:
        """In a transaction as it says; alone, once nobody holds the document."""
        if self._in is not None:
            self._process.point()
            done = self._server.write(self._in, place, was, to)
            self._process.point()
            return done
        end = self._process.world.true + self._patience
        self._process.point()
        if self._process.rng.random() < self._process.world.faults:
            self._server.late.append(lambda: self._server.holder(place) or self._server.change(place, was, to))
            raise StoreUnavailable("no answer, and it is done later or never")
        while self._server.holder(place):
            if self._process.world.true > end:
                raise StoreUnavailable("timeout")
            self._process.sleep(self._patience // 10)
        done = self._server.change(place, was, to)
        self._process.point()
        return done

    def stands(self, place: int, fields: Mapping[str, Any]) -> bool:
        """A look at one document."""
        self._process.point()
        return self._server.matches(self._server.places[place], fields)

    def give(self, time: int) -> None:
        """Raise `given`."""
        self._process.point()
        if self._process.rng.random() < self._process.world.faults:
            self._server.late.append(lambda: self._server.give(time))
            raise StoreUnavailable("no answer, and it is done later or never")
        self._server.give(time)
        self._process.point()

    def end_session(self, session: object) -> None:
        """Have the server undo what it has open."""
        self._process.point()
        self._server.undo(session)
        self._process.point()


@dataclass(eq=False)
class Writer(Process):
    """A process that clients send statements to."""

    intent: Intent = field(init=False)
    hands: list[str] = field(default_factory=list)
    """What a client has sent and was not answered yet: he sends it again where the process is killed."""

    def prepare(self) -> None:
        """Its intent, and a session of its own."""
        session = self.token
        self.world.unanswered += self.hands
        self.hands = []
        self.intent = Intent(Documents(self, self.world.server), self.clock.now, self.token, lambda: session)

    def run(self) -> None:
        """One group after the other; several in a row keep the intent."""
        while True:
            self.sleep(self.world.pause)
            groups = self.rng.choice((1, 1, 1, 2, 3))
            for left in reversed(range(groups)):
                if not self._group(stay=left > 0):
                    break
            if self.rng.random() < 0.02:
                self.intent.leave()

    def _group(self, *, stay: bool) -> bool:
        group = self.hands = self.world.requests()
        if not group:
            return False
        try:
            seqs = self._stored(group, stay)
        except StoreUnavailable as fault:
            self.intent.withdraw()
            self.world.note(f"{self.name}: {group} {fault}")
            self.world.unanswered += group
            self.hands = []
            return False
        self.world.note(f"{self.name}: stored {list(zip(group, seqs, strict=True))}")
        self.world.watch.acknowledge(group, seqs)
        self.hands = []
        return True

    def _stored(self, group: Sequence[str], stay: bool) -> list[int]:
        """What `lrs.store.mongo.commit` does with a group."""
        end = self.world.true + PATIENCE
        while True:
            self.intent.open()
            try:
                seqs, low = self._written(group, stay)
            except Fenced:
                self.world.note(f"{self.name}: fenced")
                self.intent.lost()
                if self.world.true > end:
                    raise StoreUnavailable("other processes take this writer's place again and again") from None
                continue
            self.intent.stood(low)
            return seqs

    def _written(self, group: Sequence[str], stay: bool) -> tuple[list[int], int]:
        """What `lrs.store.mongo.database` does with a transaction."""
        began, server, pause = self.world.true, self.world.server, 1_000
        while True:
            transaction = server.begin(self.token)
            try:
                done = self._attempt(transaction, group, stay)
                self._commit(transaction)
                return done
            except Conflict:
                server.undo(self.token)
                if self.world.true > began + PATIENCE:
                    raise StoreUnavailable("conflict after conflict") from None
                if self.world.true > began + HELD_UP:
                    self._end_abandoned()
            except (Fenced, StoreUnavailable):
                server.undo(self.token)
                raise
            self.sleep(pause)
            pause = min(100_000, 2 * pause)

    def _end_abandoned(self) -> None:
        """What `lrs.store.mongo.abandoned` does for who is held up: a place's document has only the session of who holds it now."""
        there = {process.token for process in self.world.processes}
        for one in list(self.world.server.open.values()):
            if one.session not in there and one.begun + ENDED_AFTER < self.world.true:
                self.world.server.undo(one.session)

    def _attempt(self, transaction: Transaction, group: Sequence[str], stay: bool) -> tuple[list[int], int]:
        server, table = self.world.server, Documents(self, self.world.server, transaction)
        seqs: list[int] = []
        after, referring = self.intent.draw(table), 0
        for statement in group:
            self.point()
            known = server.seq_of(transaction, statement)
            seqs.append(after if known is None else known)
            if known is None:
                server.add(transaction, after, statement)
                referring = after if refers(statement) else referring
                after += PLACES
        return seqs, self.intent.settle(table, after, stay=stay, referring=referring)

    def _commit(self, transaction: Transaction) -> None:
        end = self.world.true + PATIENCE
        self.point()
        self.world.server.ask(transaction)
        while transaction.state == "committing":
            if self.world.true > end:
                raise StoreUnavailable("no answer to COMMIT")
            self.wake = min(transaction.due, end) + self.rng.randrange(1, 3_000)
            self.task.point()
        if transaction.state == "undone":
            raise Conflict
        self.point()


@dataclass(eq=False)
class Reader(Process):
    """A process that readers ask. `through`: what it said last, of what time it was then (µs, by its clock)."""

    promise: Promise = field(init=False)
    through: int = 0
    asked: int = 0

    def prepare(self) -> None:
        """Nothing has been promised by this process."""
        self.promise = Promise(self.clock.now)
        self.through = self.asked = 0

    def run(self) -> None:
        """Ask for what is new since the last time."""
        while True:
            self.sleep(self.world.pause)
            try:
                asked = self.clock.now()
                through = self.promise.through(Documents(self, self.world.server, patience=100_000))
                self.world.watch.promise(self.name, self.through, through, self.promise.referring)
                self.through, self.asked = through, asked
                self.point()
            except StoreUnavailable as fault:
                self.world.note(f"{self.name}: {fault}")
                continue
            self.world.watch.page(through)
