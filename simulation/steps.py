"""The steps of the simulation: each calls what the product calls at that place, once."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lrs.errors import Conflict, Forbidden, Invalid, WrongState
from lrs.ingest.batch import accept
from lrs.management import maps
from lrs.statements.record import Query
from lrs.store.protocols.work import Claimed, Wanted
from simulation.clocks import BEGIN, HOUR, SECOND
from simulation.disk import Crash
from simulation.receivers import MOODS
from simulation.scenario import NAMES as PEOPLE
from simulation.scenario import body
from simulation.watch import must
from workers.partitions import lay_out
from workers.reread import reread_once
from workers.route import route_once

if TYPE_CHECKING:
    from simulation.world import Worker, World

__all__ = ["BEGIN", "NAMES", "OF_WORKERS", "PEOPLE", "READERS", "STEPS", "WEIGHTS", "Follower", "Reader"]


LEASE = (3 * 5 + 30) * SECOND
"""µs: three exchanges with a target, and what is beside them."""


@dataclass
class Follower:
    """A client that follows the statements by X-Experience-API-Consistent-Through only."""

    since: int = 0
    seen: set[str] = field(default_factory=set)


@dataclass
class Reader:
    """A client of the feed."""

    after: int = 0


def think(world: World, _: Worker | None) -> None:
    """A client has another request."""
    if len(world.senders.queue) < 8:
        world.senders.think(world.clocks.true)


def send(world: World, _: Worker | None) -> None:
    """A client sends a request, and again until it is answered."""
    queue = world.senders.queue
    if not queue:
        return
    place = world.rng.randrange(min(3, len(queue)))
    request = queue[place]
    provider, statements = request
    try:
        added = accept(world.services, body(statements), provider)
    except (Conflict, Forbidden):
        _drop(queue, request)
        raise
    world.note(lambda: f"statements {[(one.seq, one.id[:4], 'again' if one.repeated else 'new') for one in added]}")
    must(len(added) == len(statements), "every statement of a request is answered for", added)
    for one in added:
        world.watch.acknowledge(one.id, one.seq)
    _drop(queue, request)


def _drop(queue: list[Any], request: Any) -> None:
    place = next((n for n, one in enumerate(queue) if one is request), None)
    if place is not None:
        del queue[place]


def route(world: World, worker: Worker | None) -> None:
    """A round of routing and reading again."""
    partition = world.numbers.choice(world.partitions())
    if partition.of > 1 and not world.depth:  # rounds of several partitions meet
        world.disk.left = min(world.disk.left, world.numbers.randint(4, 40))
    done = route_once(world.services, world.rng.choice((1, 2, 5, 500)), partition)
    if done.statements or done.changes or done.lost:
        world.note(f"{partition.consumer}: {done}")


def repartition(world: World, _: Worker | None) -> None:
    """A worker with another number of partitions in its settings begins."""
    if world.partitioned:
        of = world.numbers.randint(1, 4)
        world.note(f"{of} partitions: {lay_out(world.services.store, of)}")


def reread(world: World, worker: Worker | None) -> None:
    """A round of reading again alone: the worker was killed before, or another one routes."""
    done = reread_once(world.services, world.rng.choice((1, 2, None)))
    if done.slices:
        world.note(f"reread: {done}")


def turn(world: World, worker: Worker | None) -> None:
    """A deliverer records what ended and claims for its free hands."""
    assert worker is not None
    ended, wall, true = worker.ended, world.clocks.wall(), world.clocks.true
    hands, eased, heard = worker.hands, dict(world.watch.eased) if ended else {}, world.watch.heard()
    calls: list[list[Claimed]] = []
    try:
        calls = hands.turn(ended, world.rng.randrange(9))
    finally:
        overtaken = {name for name, count in world.watch.heard().items() if count != heard.get(name, 0)} if calls else set()
        world.watch.recorded(ended, eased)  # what was written stands, whatever became of the writer
    worker.ended = worker.ended[len(ended):]
    for one in (one for call in calls for one in call):
        for other in world.workers:
            before = other.since.get(one.id)
            must(before is None or world.clocks.true - before >= LEASE, "what somebody is sending is given to nobody else before its lease "
                 "is over", one.id, other.name)
    worker.since |= {one.id: true for call in calls for one in call}
    worker.calls += calls
    if ended or calls:
        name, count = worker.name, len(ended)
        world.note(lambda: f"turn {name}: {count} ended, claimed "
                           f"{[(call[0].target, [(one.id[4:8], one.revision) for one in call]) for call in calls]}")
    world.watch.claimed(calls, wall, overtaken)
    world.poison(calls)


def exchange(world: World, worker: Worker | None) -> None:
    """A call goes over the network, late perhaps."""
    assert worker is not None
    if not worker.calls:
        return
    call = worker.calls.pop(world.rng.randrange(len(worker.calls)))
    for one in call:
        worker.since.pop(one.id, None)
    network = world.network
    network.elapsed, network.answers = 0, []
    try:
        ended = worker.hands.exchange(call)
    except Crash:
        world.note(f"{worker.name} is killed by what it sends to {call[0].target}: {[one.id[4:8] for one in call]}")
        raise
    world.watch.ended(call[0].target, network.answers, ended)
    name, answers = worker.name, network.answers
    world.note(lambda: f"call {name} → {call[0].target}: {answers or 'too late'} → "
                       f"{[(one.claimed.id[4:8], one.attempt and one.attempt.state) for one in ended]}")
    network.elapsed = 0
    worker.ended = [*worker.ended, *ended]


def follow(world: World, _: Worker | None) -> None:
    """A follower reads on."""
    follower, after, through = world.follower, None, None
    seen: set[str] = set()
    while True:
        page = world.services.store.statements.page(Query(since=follower.since, after=after, ascending=True, limit=3))
        through = through or page.consistent_through
        world.watch.promise(page.consistent_through)
        seen |= {record.id for record in page.records}
        if page.more is None:
            break
        after = page.more
    follower.seen |= seen
    follower.since = through
    log = world.store.log.now
    missed = [key for key in log.ids.keys() - follower.seen if log.ids[key] <= follower.since and not log.rows[log.ids[key]].record.voided]
    must(not missed, "a follower by consistent-through misses nothing", missed)


def read_feed(world: World, _: Worker | None) -> None:
    """A reader of the feed reads on, or reads again."""
    reader, work = world.reader, world.services.store.work
    after = reader.after if world.rng.random() < 0.7 else world.rng.randrange(reader.after + 1)
    rows = work.feed(after, 3)
    world.watch.check()
    world.watch.feed_read(after, rows)
    reader.after = max([reader.after, *(row.n for row in rows)])


def learn(world: World, _: Worker | None) -> None:
    """The directory learns of somebody."""
    if people := world.administration.learn():
        world.services.store.directory.put_people(people)
        world.watch.ease()
        world.note(f"learns {people}")


def catalogue(world: World, _: Worker | None) -> None:
    """A course is put into the catalogue."""
    if course := world.administration.next_course():
        refused = world.services.store.directory.put_courses([course])
        world.watch.ease()
        world.note(f"catalogue: {course} {refused}")


def apply(world: World, _: Worker | None) -> None:
    """A version of the verb map is applied, or rolled back."""
    store = world.services.store
    if world.wild and world.rng.random() < 0.3:
        try:
            maps.rollback(store, "verbs", who="admin")
            world.note("map rolled back")
        except (Invalid, WrongState):
            pass
        return
    if given := world.administration.next_map():
        try:
            made = maps.propose(store, "verbs", given, who="admin", note="", detail={})
            maps.apply(store, "verbs", made.number, who="admin")
            world.note(f"map {made.number} applied: {given[:200]!r}")
        except (Invalid, WrongState) as why:
            world.note(f"map: {why}")


def target(world: World, _: Worker | None) -> None:
    """A target is paused or resumed, what is parked is released, what is finished is replayed."""
    rng, name = world.rng, world.rng.choice(list(world.receivers))
    what = rng.choice(("pause", "resume", "resume", "release", "replay"))
    world.watch.operated(name, what)
    try:
        _operate(world, name, what)
    finally:  # what was written stands, whatever became of the writer; and others may have seen it before he knew
        world.watch.operated(name, what)
    world.note(f"{what} {name}")


def _operate(world: World, name: str, what: str) -> None:
    work = world.services.store.work
    if what == "pause":
        work.set_target_state(name, "paused", "by hand")
    elif what == "resume":
        work.set_target_state(name, "active")
    elif what == "release":
        work.release(Wanted(target=name), now=world.clocks.wall())
    else:
        wanted = Wanted(target=name, state=world.rng.choice(("dead", "delivered", "")))
        work.replay(wanted, now=world.clocks.wall(), dry=False)


def rotate(world: World, _: Worker | None) -> None:
    """A step in the change of a webhook's secret: the sender signs with both, the receiver changes, the sender drops the old."""
    world.rotation()


def mood(world: World, _: Worker | None) -> None:
    """A receiver begins to answer otherwise."""
    receiver = world.rng.choice(list(world.receivers.values()))
    receiver.mood = world.rng.choice(("well", "well", "well", *MOODS))
    world.note(f"{receiver.name} is {receiver.mood}")


def clock(world: World, _: Worker | None) -> None:
    """Somebody sets the wall clock, forth or back, also while calls are under way."""
    if not world.steady:
        world.clocks.ahead = world.rng.choice((0, -HOUR, HOUR, -3 * SECOND, 40 * SECOND))
        world.note(f"the wall clock is {world.clocks.ahead / SECOND:+.0f} s wrong")


def power(world: World, _: Worker | None) -> None:
    """Power is lost: every process is gone, and another boot begins."""
    if world.depth:
        return
    world.clocks.reboot(world.rng.randrange(600) * SECOND)
    world.note("power lost, and back")
    for worker in world.workers:
        world.restart(worker)


Step = Callable[["World", "Worker | None"], None]
_TABLE: tuple[tuple[str, Step, float], ...] = (
    ("think", think, 14), ("send", send, 16), ("route", route, 14), ("reread", reread, 4), ("turn", turn, 16),
    ("exchange", exchange, 20), ("follow", follow, 4),
    ("feed", read_feed, 4), ("learn", learn, 3), ("catalogue", catalogue, 1.5), ("apply", apply, 1), ("target", target, 2),
    ("repartition", repartition, 0.7), ("rotate", rotate, 1), ("mood", mood, 3), ("clock", clock, 1), ("power", power, 0.5))
STEPS: dict[str, Step] = {name: step for name, step, _ in _TABLE}
NAMES, WEIGHTS = tuple(name for name, _, _ in _TABLE), tuple(weight for _, _, weight in _TABLE)
OF_WORKERS = frozenset({"route", "reread", "turn", "exchange"})
RACY = {"reread": 4.0, "route": 2.0, "repartition": 4.0, "learn": 3.0, "catalogue": 4.0, "apply": 4.0}
"""What happens more often in the middle of another step."""
RACY_PARTITIONS = {"route": 40.0}
"""And where routing has several partitions."""
READERS = ("follow", "feed")
