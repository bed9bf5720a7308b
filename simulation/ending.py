"""The end of a seed: all faults are gone, time moves on, and nothing may be owed any more."""
from __future__ import annotations

from typing import TYPE_CHECKING

from lrs.store.protocols.work import Wanted
from lrs.store.sqlite.clock import advanced
from simulation import oracle, steps
from simulation.clocks import SECOND
from simulation.disk import NEVER, Crash
from simulation.store.content import Owed
from simulation.store.deliveries import before
from simulation.watch import must
from workers.route import route_once

if TYPE_CHECKING:
    from simulation.world import World

OPEN = ("pending", "leased", "waiting")


def settle(world: World) -> None:
    """Let everything end, and compare it with what follows from the statements alone."""
    store, watch = world.store, world.watch
    world.note("all faults are gone")
    world.disk.left, world.poisonous = NEVER, False
    for receiver in world.receivers.values():
        receiver.mood = "well"
    while world.senders.queue:
        world.only("send")
    _resume(world)
    _deliver(world)
    for row in store.outgoing.now.owed.values():
        must(row.state not in OPEN or _waits_for_parked(world, row), "nothing is owed for ever", row)
        must(row.why or row.state not in ("dead", "parked", "cancelled"), "what is not delivered has a reason", row)
        must(row.id not in world.network.poison or row.state != "delivered" or row.id in world.receivers[row.target].seen,
             "a poison delivery ends dead", row)
    world.network.poison.clear()
    _given_what_was_missing(world)
    watch.replayed |= {row.id for row in store.outgoing.now.owed.values()}
    store.work.replay(Wanted(state="dead"), now=world.clocks.wall(), dry=False)
    watch.ease()
    _deliver(world)
    for row in store.outgoing.now.owed.values():
        must(row.state in ("delivered", "cancelled"), "with everything mended, everything is delivered or cancelled", row)
    world.only("follow")
    missed = [row.record.id for row in store.log.now.rows.values() if not row.record.voided and row.record.id not in world.follower.seen]
    must(not missed, "a follower by consistent-through has seen every statement", missed)
    must(not world.network.badly_signed, "a secret is changed without a gap", world.network.badly_signed)
    _compare(world)


def _resume(world: World) -> None:
    for name in world.receivers:
        world.store.work.set_target_state(name, "active")
        world.watch.resumed(name)


def _given_what_was_missing(world: World) -> None:
    world.administration.hris = set(steps.PEOPLE)
    world.store.directory.put_people([one for one in world.administration.everybody() if one.employee_id in world.store.log.now.people])
    world.watch.ease()
    _deliver(world)


def _waits_for_parked(world: World, row: Owed) -> bool:
    return any(one.state == "parked" for one in before(world.store.outgoing.now, row.target, row.event_id, row.revision))


def _deliver(world: World) -> None:
    """Until nothing happens any more however much time goes by."""
    for _ in range(3000):
        done = [route_once(world.services, partition=one) for one in world.partitions()]
        world.watch.check()
        if any(one.statements or one.changes or one.lost for one in done):
            continue
        busy = sum(len(worker.calls) + len(worker.ended) for worker in world.workers)
        for worker in world.workers:
            while worker.calls:
                try:
                    steps.exchange(world, worker)
                except Crash:
                    world.network.elapsed = 0
                    worker.start(world.rng)
            steps.turn(world, worker)
        if busy or any(worker.calls for worker in world.workers):
            continue
        out = world.store.outgoing.now
        wall, leases = world.clocks.wall(), store_time(world)
        due = [row.due + (wall - leases if row.state == "leased" else 0)
               for row in out.owed.values() if row.due is not None and row.state in OPEN and not _waits_for_parked(world, row)]
        if not due:
            return
        if any(one.state != "active" for one in out.targets.values()):
            _resume(world)  # what was under way when the faults ended may have stopped it again
        world.clocks.true += min([3600 * SECOND, *(at - wall for at in due if at > wall)])
    must(False, "everything ends", *[row for row in world.store.outgoing.now.owed.values() if row.state in OPEN][:3])


def store_time(world: World) -> int:
    """The time by which leases go now, whether it may be given or not."""
    return advanced(world.store.outgoing.now.clock, world.store.ticks, 0, follows=False)[0]


def _compare(world: World) -> None:
    store = world.store
    last = oracle.last_of_feed(store)
    for name, receiver in world.receivers.items():
        held = {key: one for key, one in receiver.held.items() if not one.event.endswith(".revoked")}
        told = {key: one for key, one in last.items() if not one["event"].endswith(".revoked")}
        must(held.keys() == told.keys(), "a target holds what stands in the feed", name, sorted(held.keys() ^ told.keys()))
        for key, one in told.items():
            there = held[key].body
            must(all(there[part] == one[part] for part in ("revision", "result")), "a target holds the last revision", name, there, one)
    for subject, achievement in oracle.believed(store):
        said = last[achievement]
        must(not said["event"].endswith(".revoked"), "what the worker has to stand stands in the feed", subject, achievement, said)
    if not world.wild:
        expected, there = oracle.expected(store, world.clocks.wall()), oracle.holding(store, last.values())
        must(expected == there, "what stands is what follows from the statements", "missing", sorted(expected - there, key=str), "too much",
             sorted(there - expected, key=str))
