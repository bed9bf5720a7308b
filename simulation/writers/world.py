"""One seed of a log that many processes write at once: intents, promises and clocks, with stalls, kills and late writes."""
from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from simulation.clocks import BEGIN, HOUR, SECOND
from simulation.watch import must
from simulation.writers.processes import PATIENCE, Machine, Process, Reader, Writer
from simulation.writers.server import OPEN_US, Server, Transaction, refers

STEPS = 1_500
STALL = 20 * SECOND
"""The longest that a process stands still and does not know it."""
SETTLED = OPEN_US + 15 * SECOND
"""µs after the last fault in which everything that stood open is ended."""
FRESH = SECOND
"""How far what a reader is promised is behind, at most, where nothing fails."""
PRIMARY = (0, 0, 0, HOUR, -HOUR, 2 * SECOND, -2 * SECOND, 50_000, -50_000)
"""How wrong the clock of a primary may be."""


@dataclass
class Watch:
    """What must hold whenever something is committed, promised or read."""

    world: Writing

    def __post_init__(self) -> None:
        self.acknowledged: dict[str, int] = {}
        self.promised = self.since = 0
        self.seen: set[int] = set()

    def stands(self, transaction: Transaction) -> None:
        """Statements are about to be there."""
        rows = self.world.server.rows
        for seq, statement in transaction.added:
            must(seq not in rows, "no two statements share a seq", seq, statement, rows.get(seq))
            must(seq > self.promised, "nothing appears at or before a given consistent-through", seq, statement, self.promised)

    def acknowledge(self, statements: list[str], seqs: list[int]) -> None:
        """A client was told that these are stored."""
        for statement, seq in zip(statements, seqs, strict=True):
            must(self.acknowledged.setdefault(statement, seq) == seq, "a statement that is sent again has its first place", statement)
            must(self.world.server.rows.get(seq, ("",))[0] == statement, "what was acknowledged is in the log", statement, seq)

    def promise(self, name: str, before: int, through: int, referring: int) -> None:
        """A process said that everything up to here is there, and that nothing of it above `referring` refers to another."""
        must(through >= before, "a process never says less than it said", name, before, through)
        unmarked = [seq for seq, (statement, _) in self.world.server.rows.items() if referring < seq <= through and refers(statement)]
        must(not unmarked, "who was promised what refers to another knows that it does", name, unmarked, referring)
        self.promised = max(self.promised, through)

    def page(self, through: int) -> None:
        """A follower reads on up to what it was promised, and goes on from there."""
        rows = self.world.server.rows
        self.seen |= {seq for seq in rows if self.since < seq <= through}
        self.since = max(self.since, through)
        missed = [seq for seq in rows if seq <= self.since and seq not in self.seen]
        must(not missed, "a follower by consistent-through misses nothing", missed)


class Writing:
    """Everything of one seed."""

    def __init__(self, seed: int, say: Callable[[str], None] | None = None) -> None:
        self.seed, self.say = seed, say
        self.rng = rng = random.Random(seed)
        self.true = self.begun = BEGIN
        self.taken = 0
        self.trace: list[str] = []
        self.wild = rng.random() < 0.5
        """Whether clocks are further apart than a bound would allow: the primary's steps, machines' stand still."""
        self.primary = 0
        self.faults = rng.choice((0.0, 0.005, 0.02, 0.05))
        self.stalls = rng.choice((0.0, 0.002, 0.01))
        self.kills = rng.choice((0.0, 0.001, 0.004))
        self.pause = rng.choice((20_000, 200_000, 2 * SECOND))
        self.quiet = False
        self.unanswered: list[str] = []
        self.sent = 0
        self.watch = Watch(self)
        self.server = Server(lambda: self.true, self.watch.stands, rng)
        drift = 0.05 if self.wild else 50e-6
        writers = 18 if rng.random() < 0.03 else rng.choice((2, 3, 4))
        self.processes: list[Process] = [kind(self, f"{kind.__name__.lower()} {n}", Machine(self, rng.uniform(-drift, drift)))
                                         for kind, count in ((Writer, writers), (Reader, rng.choice((1, 2)))) for n in range(count)]
        for process in self.processes:
            process.start()

    def now(self) -> int:
        """True time, µs."""
        return self.true

    def wall(self) -> int:
        """µs since 1970, as the primary has them."""
        return self.true + self.primary

    def requests(self) -> list[str]:
        """What a client sends next: what was not answered, or something new."""
        if self.unanswered and (self.quiet or self.rng.random() < 0.5):
            found = self.unanswered[:3]
            del self.unanswered[:3]
            return found
        if self.quiet:
            return []
        count = self.rng.choice((1, 1, 2, 3))
        self.sent += count
        return [f"s{n}" for n in range(self.sent - count + 1, self.sent + 1)]

    def note(self, text: str) -> None:
        """Remember what happened, for the last steps of a failing seed."""
        line = f"{self.taken:5} {(self.true - BEGIN) / SECOND:10.4f}s {text}"
        self.trace.append(line)
        if self.say:
            self.say(line)

    def run(self) -> None:
        """Some thousand steps of everything; raises `Broken`."""
        try:
            for _ in range(STEPS):
                self._happening()
                self._step()
            self._settle()
        finally:
            for process in self.processes:
                process.task.kill()

    def _happening(self) -> None:
        rng = self.rng
        if rng.random() < self.kills:
            process = rng.choice(self.processes)
            self.note(f"kill -9 {process.name}")
            process.task.kill()
            process.start()
        if rng.random() < self.stalls:
            process = rng.choice(self.processes)
            process.wake = self.true + rng.randrange(STALL)
            self.note(f"{process.name} stands still for {(process.wake - self.true) / SECOND:.1f} s")
            if self.wild and rng.random() < 0.3:
                process.machine.behind += process.wake - self.true  # so does the clock of its machine
        if self.wild and rng.random() < 0.001:
            self.primary = rng.choice(PRIMARY)
            self.note(f"a new primary, whose clock is {self.primary / SECOND:+.2f} s wrong")
        if self.server.late and rng.random() < 0.05:
            self.server.late.pop(rng.randrange(len(self.server.late)))()

    def _step(self) -> None:
        self.taken += 1
        self.true += self.rng.randrange(2_000)
        ready = [one for one in self.processes if one.wake <= self.true]
        if not ready:
            self.true = min([*(one.wake for one in self.processes), *self.server.dues()])
        self.server.go_on()
        if ready:
            self.rng.choice(ready).task.go_on()

    def _settle(self) -> None:
        """No faults any more: what stood open is ended, what was not answered is sent again, readers are up to date."""
        self.note("all faults are gone")
        self.faults, self.quiet, self.server.late = 0.0, True, []
        for process in self.processes:
            process.wake = min(process.wake, self.true + PATIENCE)
        self.pause, end = 8 * SECOND, self.true + SETTLED
        while self.true < end or self.unanswered:
            self._step()
            must(self.true < end + SETTLED, "what is sent again is stored", self.unanswered)
        rows, acknowledged = self.server.rows, set(self.watch.acknowledged)
        newest = max(rows, default=0)
        must(acknowledged == set(self.server.ids), "the log has what was acknowledged, once", acknowledged ^ set(self.server.ids))
        for process in self.processes:
            if isinstance(process, Reader):
                behind = process.asked - process.through
                must(process.through >= newest, "what is stored is promised", process.name, newest - process.through)
                must(behind <= FRESH, "readers are not held up", process.name, behind)
        missed = set(rows) - self.watch.seen
        must(not missed, "a follower by consistent-through has seen every statement", missed)
