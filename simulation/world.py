"""One seed: processes whose steps a seeded scheduler takes in any order, interrupts, overtakes and kills."""
from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from lrs.config import Settings
from lrs.errors import Conflict, Forbidden, StoreUnavailable
from lrs.metrics import Metrics
from lrs.services import Services
from lrs.store.protocols.credentials import Credential
from lrs.store.protocols.work import Claimed, TargetRow
from lrs.store.sqlite.clock import Ticks
from simulation import steps
from simulation.chance import Chance, Weighted
from simulation.clocks import DAY, HOUR, Clocks
from simulation.connectors import connectors
from simulation.disk import NEVER, Blocked, Crash, Disk
from simulation.ending import settle
from simulation.receivers import Network, Receiver
from simulation.scenario import CATALOGUE, LATENESS, PROVIDERS, Administration, Senders
from simulation.store import ModelCredentials, ModelStore
from simulation.watch import Watch
from workers.deliver import Deliverer, Ended
from workers.partitions import Partition, Standing, lay_out

SETTINGS, METRICS = Settings(), Metrics()
TARGETS = {"lms": "webhook", "hook": "webhook", "hris": "ledger", "crm": "bulk"}
CREDENTIALS = tuple(Credential(one.credential_id, one.provider, one.provider, one.scopes, b"", b"{}", 0) for one in PROVIDERS)
OLD_SECRET, NEW_SECRET = "whsec_" + "b2xk" * 10, "whsec_" + "bmV3" * 10
POISONS = 2
"""The most deliveries of a seed that kill their worker."""
IDLE = 30 * 1_000_000
"""µs after which a call that is under way has ended."""
LATE = Weighted([most for _, most in LATENESS], [share for share, _ in LATENESS])
FAULTS = Weighted(("crash", "fault", "step"), (1.0, 1.0, 3.0))
READING = Weighted(steps.READERS, (1.0,) * len(steps.READERS))
ONLY = {name: Weighted((name,), (1.0,)) for name in steps.NAMES}


@dataclass
class Worker:
    """A worker process: what is in its memory, and gone when it is killed."""

    name: str
    services: Services
    network: Network
    alone: bool = False
    hands: Deliverer = field(init=False)
    calls: list[list[Claimed]] = field(default_factory=list)
    ended: list[Ended] = field(default_factory=list)
    since: dict[str, int] = field(default_factory=dict)
    lives: int = 0

    def __post_init__(self) -> None:
        self.connectors = connectors(self.network)

    def start(self, rng: random.Random) -> None:
        """A new process, with nothing in its hands."""
        self.lives += 1
        self.calls, self.ended, self.since = [], [], {}
        self.hands = Deliverer(self.services, f"{self.name}-{self.lives}", self.network.now_us, self.connectors, rng.random,
                               uptime=self.network.monotonic, alone=self.alone)


@dataclass
class World:
    """Everything of one seed."""

    seed: int
    days: float = 2.0
    say: Callable[[str], None] | None = None

    def __post_init__(self) -> None:
        self.rng = rng = Chance(self.seed)
        self.clocks = Clocks()
        self.wild, self.steady = rng.random() < 0.25, rng.random() < 0.5
        self.disk = Disk(self.act)
        self.store = ModelStore(self.disk, Ticks(self.clocks.wall, self.clocks.uptime, self.clocks.boot), ModelCredentials(CREDENTIALS))
        services: Any = Services(SETTINGS, self.store, now_us=self.clocks.wall, metrics=METRICS)  # type: ignore[arg-type]
        self.services: Services = services
        self.watch = Watch(self.store, dict(TARGETS), self.steady)
        self.receivers = {name: Receiver(name, kind != "ledger", rng, self.watch.told, secrets=(OLD_SECRET,),
                                         rows_max=3 if kind == "bulk" else 1) for name, kind in TARGETS.items()}
        self.network = Network(self.receivers, self.clocks.wall, self.clocks.uptime, rng)
        self.workers = [Worker(name, services, self.network) for name in ("a", "b")[:1 + (rng.random() < 0.5)]]
        self.only_one = len(self.workers) == 1
        self.workers.append(Worker("apart", services, self.network, alone=True))
        self.poisonous = rng.random() < 0.25
        self.numbers = Chance(f"partitions {self.seed}")
        self.partitioned = self.numbers.random() < 0.5
        self.senders = Senders(rng, self.wild, 2 if self.partitioned else 4)
        self.administration = Administration(rng, self.wild)
        self.follower, self.reader = steps.Follower(), steps.Reader()
        self._trace: list[tuple[int, int, int, str | Callable[[], str]]] = []
        # each seed does some things much more often than others: what is rare together is so in every seed else
        weights = [weight * rng.choice((0.2, 1, 1, 4)) for weight in steps.WEIGHTS]
        racy = {**steps.RACY, **(steps.RACY_PARTITIONS if self.partitioned else {})}
        if self.partitioned:  # statements wait for several rounds, so that two take those of one person at once
            weights = [weight * (0.2 if name == "route" else 1) for name, weight in zip(steps.NAMES, weights, strict=True)]
        self.usual = Weighted(steps.NAMES, weights)
        self.racy = Weighted(steps.NAMES, [weight * racy.get(name, 1.0) for name, weight in zip(steps.NAMES, weights, strict=True)])
        self.depth, self.rotated = 0, (0, 0)
        self.taken = 0
        self.held: set[str] = set()
        for name, kind in TARGETS.items():
            secret = {"url": f"https://{name}.example/", "secret": OLD_SECRET} if kind == "webhook" else {}
            self.store.work.add_target(TargetRow(name, kind, {"timeout": 5, **secret}))
        if self.partitioned:
            lay_out(self.services.store, self.numbers.randint(2, 4))
        self.store.directory.put_courses(CATALOGUE[:1])
        self.store.directory.put_people(self.administration.everybody())
        for worker in self.workers:
            worker.start(rng)

    def now(self) -> int:
        """True time, µs."""
        return self.clocks.true

    def partitions(self) -> Sequence[Partition]:
        """Those in force."""
        return Standing(self.store.outgoing.now.cursors).partitions

    def poison(self, calls: Sequence[Sequence[Claimed]]) -> None:
        """Of what was claimed, one may kill whoever sends it, now and in all time."""
        keys = [one.id for call in calls for one in call]
        if self.poisonous and keys and len(self.network.poison) < POISONS and self.rng.random() < 0.05:
            self.network.poison.add(self.rng.choice(keys))

    def note(self, text: str | Callable[[], str]) -> None:
        """Remember what happened, for the last steps of a failing seed. A text that takes long to print is given as who prints it."""
        self._trace.append((self.taken, self.depth, self.clocks.true, text))
        if self.say:
            self.say(_line(*self._trace[-1]))

    @property
    def trace(self) -> list[str]:
        """Everything that happened, a line each."""
        return [_line(*one) for one in self._trace]

    def run(self) -> None:
        """Some days of everything; raises `Broken`."""
        until = self.clocks.true + round(self.days * DAY)
        self._draw()
        while self.clocks.true < until:
            self.clocks.true += self._lateness()
            self.step()
            self.watch.check()
        settle(self)

    def only(self, name: str) -> None:
        """One step of this kind, by nobody in particular."""
        self.step(ONLY[name])

    def step(self, chances: Weighted[str] | None = None) -> None:
        """One step of somebody; a process that is killed in it is started anew."""
        self.taken += 1
        name = (chances or (self.racy if self.depth else self.usual)).draw(self.rng)
        worker = self.rng.choice(self.workers) if name in steps.OF_WORKERS else None
        who = worker.name if worker else name
        if who in self.held:
            return  # it is in the middle of a step, further down
        self.held.add(who)
        try:
            steps.STEPS[name](self, worker)
        except Crash as crash:
            self.note(f"{name} {worker.name if worker else ''} killed{' while it waited for a lock' if isinstance(crash, Blocked) else ''}")
            self.network.elapsed = 0
            if worker:
                self.restart(worker)
        except StoreUnavailable as fault:
            self.note(f"{name}: {fault}")
        except (Conflict, Forbidden) as refusal:
            self.note(f"{name}: {type(refusal).__name__}")
        finally:
            self.held.discard(who)

    def restart(self, worker: Worker) -> None:
        """The process is gone; another takes its place. The only worker of a store takes over the leases of its predecessor."""
        worker.start(self.rng)
        if worker.alone or not self.only_one:
            return
        apart = self.workers[-1]
        if apart.name in self.held:
            return  # it is in the middle of a step: nobody takes over before it has seen that its worker is gone
        apart.start(self.rng)  # it ends with the process that started it
        if self.rng.random() < 0.5:
            left, self.disk.left = self.disk.left, NEVER
            repeatable = [name for name, kind in TARGETS.items() if kind != "ledger"]
            try:
                self.store.work.expire_leases(repeatable, worker.hands.owner, self.clocks.wall())
                self.watch.ease(*repeatable)
            except Blocked:
                pass
            self.disk.left = left

    def rotation(self) -> None:
        """The next step of the change of a secret."""
        name, receiver = "hook", self.receivers["hook"]
        step, at = self.rotated
        secrets = ((OLD_SECRET, NEW_SECRET), (NEW_SECRET,), (NEW_SECRET,))[step % 3] if step < 3 else ()
        if not secrets or self.clocks.true < at:
            return
        if step == 1:
            receiver.secrets = secrets
        else:
            self.store.work.change_target(name, {**self.store.outgoing.now.targets[name].settings, "secret": " ".join(secrets)})
        self.rotated = step + 1, self.clocks.true + HOUR
        self.note(f"secret of {name}: step {step}")

    def act(self, where: str) -> None:
        """What happens at a point of the disk: the process is killed, the disk fails, or another process takes a step."""
        self._draw()
        what = FAULTS.draw(self.rng)
        if what == "crash":
            self.note(f"kill -9 at {where}")
            raise Crash
        if what == "fault":
            self.note(f"the disk fails at {where}")
            raise StoreUnavailable(OSError(28, "No space left on device"))
        if self.depth < 2:
            self.depth += 1
            self.clocks.true += self.rng.randrange(5_000)
            try:
                if where == "commit":
                    self.step(READING)
                else:
                    for _ in range(self.rng.choice((1, 1, 2, 4))):
                        self.step()
            finally:
                self.depth -= 1

    def _draw(self) -> None:
        self.disk.left = 1 + int(self.rng.expovariate(1 / 25))

    def _lateness(self) -> int:
        most = LATE.draw(self.rng)
        if most > IDLE and self.rng.random() < 0.8:
            self._finish()
        return self.rng.randrange(most)

    def _finish(self) -> None:
        """Before a long time goes by, calls that are under way end, mostly."""
        for worker in self.workers:
            for _ in range(2 * len(worker.calls)):
                self.only("exchange")
            self.only("turn")


def _line(taken: int, depth: int, true: int, text: str | Callable[[], str]) -> str:
    return f"{taken:4} {'  ' * depth}{(true - steps.BEGIN) / DAY:8.4f}d {text if isinstance(text, str) else text()}"
