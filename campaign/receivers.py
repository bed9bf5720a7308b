"""Receivers that misbehave: every delivery ends delivered once in effect, or dead with a reason a person can act on."""
from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import random
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from campaign.receiver import MISBEHAVIOURS, RETRY_AFTER, TAKEN, Came, Plan, Receiver
from campaign.served import free_port, must
from campaign.servers import Mongo
from lrs.config import Settings
from lrs.errors import StoreUnavailable
from lrs.services import Services
from lrs.store.open_store import Store, open_store
from lrs.store.protocols.work import Cursor, DeliveryRow, Output, Published, TargetRow, Wanted
from workers.connectors.registry import connectors, new_secret, settings_for
from workers.deliver import Deliverer
from workers.schedule import JITTER, STEPS, THROTTLED_WAIT

SHARE = 0.3
"""Of the answers misbehave so many."""
CURSED = 0.01
"""Of the deliveries meet nothing but misbehaviour."""
TIMEOUT = 1.0
OPENS_AFTER = 3 * 3600.0
"""Seconds of the campaign's clock until somebody listens at the target whose door is closed."""
FLAKY, CLOSED = [f"flaky-{n}" for n in range(6)], "closed"
LATE = 3600.0
"""Seconds that an attempt may come after its time: the target rests, others are before it, it was asked to be left alone."""
UNANSWERED_MOST = 50
"""Turns to which the store may not answer in time, on a machine that others are busy on."""
REASONS = ("answered ", "Timeout", "Error", "refused")


class Time:
    """A clock that runs, and can be put on: the schedule's days pass in minutes, and nothing of the schedule is changed."""

    def __init__(self) -> None:
        self._put_on = 0

    def us(self) -> int:
        """µs since 1970."""
        return time.time_ns() // 1000 + self._put_on

    def seconds(self) -> float:
        """Seconds since 1970."""
        return self.us() / 1e6

    def to(self, at: int) -> None:
        """Put it on to this time (µs); never back."""
        self._put_on += max(0, at - self.us())


def chance(seed: int, *what: object) -> random.Random:
    """Chance that depends on the seed and on what it is for, not on the order of asking."""
    return random.Random(hashlib.sha256(repr((seed, *what)).encode()).digest())


def plan(seed: int) -> Plan:
    """`SHARE` of the answers misbehave, each kind as often as another; to a few ids all do."""
    def does(name: str, times: int) -> str:
        draw = chance(seed, name, times)
        cursed = chance(seed, name).random() < CURSED
        return draw.choice(MISBEHAVIOURS) if cursed or draw.random() < SHARE else "good"
    # a receipt is a receipt, also to one that is cursed: it would end, delivered
    return lambda name, times: "500" if (it := does(name, times)) in TAKEN and chance(seed, name).random() < CURSED else it


def run(folder: Path, seed: int, cycles: int = 10_000, *, mongo: bool = False) -> str:
    """So many deliveries to targets of which six misbehave and one refuses connections at first, then a healthy target
    beside a sick one, which is always on files. What was seen, as a sentence. `mongo`: on a MongoDB. Raises `Broken`."""
    with contextlib.ExitStack() as stack:
        place = ""
        if mongo:
            log = stack.enter_context((folder / "mongo.log").open("ab"))
            server = Mongo(folder / "mongo", log)
            stack.callback(server.kill)
            place = server.url
        ended = deliver(folder / "faults", seed, cycles, place)
    return f"{ended}; {neighbours(folder / 'neighbours', max(100, min(1000, cycles // 10)))}"


def deliver(folder: Path, seed: int, n: int, place: str = "") -> str:
    """`n` deliveries end as they should, on the store in the folder or at this place."""
    clock = Time()
    closed = free_port()
    began = clock.seconds()
    receivers = {name: Receiver(plan(seed), clock.seconds) for name in FLAKY}
    with contextlib.ExitStack() as stack:
        for one in receivers.values():
            stack.callback(one.close)
        store = stack.enter_context(contextlib.closing(open_store(place or folder)))
        hands = stack.enter_context(contextlib.closing(_hands(store, folder, clock)))
        for name in (*FLAKY, CLOSED):
            _target(store, name, receivers[name].port if name in receivers else closed, timeout=TIMEOUT)
        owe(store, seed, n, (*FLAKY, CLOSED))
        unanswered = 0
        while (ahead := _next(store, clock)) is not None:
            unanswered += _turns(hands)
            must(unanswered < UNANSWERED_MOST, f"the store did not answer in time in {unanswered} turns")
            if CLOSED not in receivers and clock.seconds() - began > OPENS_AFTER:
                receivers[CLOSED] = Receiver(clock=clock.seconds, port=closed)
                stack.callback(receivers[CLOSED].close)
            clock.to(ahead)
        told = _audit(store, n, receivers, (clock.seconds() - began) / 3600)
        return told + (f", {unanswered} turns to which the store did not answer in time" if unanswered else "")


def _turns(hands: Deliverer) -> int:
    """Deliver until nothing is due. A store that does not answer in time ends a turn, and is asked again, as by a worker; how often."""
    unanswered = 0
    while unanswered < UNANSWERED_MOST:
        try:
            if not hands.deliver_due():
                break
        except StoreUnavailable:
            unanswered += 1
    return unanswered


def owe(store: Store, seed: int, n: int, targets: Sequence[str]) -> None:
    """`n` deliveries are owed, of achievements with one to three revisions."""
    events: list[tuple[Published, str]] = []
    while len(events) < n:
        achievement = f"achievement-{len(events)}"
        draw = chance(seed, achievement)
        target = draw.choice(list(targets))
        for revision in range(1, draw.randint(1, 3) + 1):
            event = "learning.completed" if revision == 1 else "learning.updated"
            body = {"event": event, "id": achievement, "revision": revision, "user": {"externalId": "1"}, "course": {"id": "https://c.example"}}
            events.append((Published(event, achievement, revision, json.dumps(body).encode()), target))
    events = events[:n]
    was = Cursor()
    for start in range(0, n, 500):
        some = events[start:start + 500]
        now = Cursor(start + len(some), 0)
        output = Output(published=[event for event, _ in some], owed=[(k, target) for k, (_, target) in enumerate(some)])
        must(store.work.advance("campaign", was, now, output), "deliveries are owed")
        was = now


def _hands(store: Store, folder: Path, clock: Time) -> Deliverer:
    return Deliverer(Services(Settings(data=folder), store), "campaign", clock.us, connectors(clock.us))


def _target(store: Store, name: str, port: int, **more: object) -> None:
    given = {"url": f"http://127.0.0.1:{port}/", "secret": new_secret(), "allow_private": "true"}
    store.work.add_target(TargetRow(name, "webhook", {**settings_for("webhook", given), **more}))


def _next(store: Store, clock: Time) -> int | None:
    """When something can happen next (µs); None when every delivery has ended."""
    times = []
    first: dict[str, dict[str, DeliveryRow]] = defaultdict(dict)
    for state in ("pending", "waiting", "leased"):
        for row in store.work.deliveries(Wanted(state=state), 10**6):
            # a later revision waits for the earlier one
            known = first[row.target]
            known[row.event_id] = min(row, known.get(row.event_id, row), key=lambda one: one.revision)
    for target in store.work.targets():
        must(target.state == "active", f"target {target.name} is {target.state}: {target.why}")
        due = [row.due for row in first[target.name].values() if row.due is not None]
        if due:
            times.append(max(min(due), target.health.open_until, target.health.not_before))
    return min(times) + 1000 if times else None


def _audit(store: Store, n: int, receivers: Mapping[str, Receiver], hours: float) -> str:
    rows = store.work.deliveries(Wanted(), n + 1)
    must(len(rows) == n, f"{len(rows)} deliveries of {n}")
    states = Counter(row.state for row in rows)
    must(states.keys() <= {"delivered", "dead"}, f"not all ended: {states}")
    came: dict[str, list[Came]] = defaultdict(list)
    kinds: Counter[str] = Counter()
    for receiver in receivers.values():
        order: dict[str, list[int]] = defaultdict(list)
        for one in receiver.came:
            came[one.id].append(one)
            kinds[one.did] += 1
            if one.body is not None:
                order[one.body["id"]].append(one.body["revision"])
        for achievement, revisions in order.items():
            must(revisions == sorted(revisions), f"{achievement} came out of order: {revisions}")
    ids = {(row.event_id, row.revision): row.id for row in rows}
    for name, requests in came.items():
        for one in requests:
            must(ids[one.body["id"], one.body["revision"]] == name, f"{one} came under another webhook-id")  # type: ignore[index]
    for row in rows:
        _ended(store, row, came[row.id])
    dead = sum(Counter(_reason(row) for row in rows if row.state == "dead").values())
    misbehaved = sum(count for kind, count in kinds.items() if kind != "good")
    return (f"{n} deliveries, {sum(kinds.values())} requests of which {misbehaved} met {len(kinds) - 1} kinds of misbehaviour, over "
            f"{hours:.0f} hours of the schedule's clock: {states['delivered']} delivered once in effect, {dead} dead with a reason")


def _reason(row: DeliveryRow) -> str:
    must(row.attempts == len(STEPS) and any(word in row.why for word in REASONS) and "Traceback" not in row.why,
         f"{row.id} is dead after {row.attempts} attempts, because: {row.why!r}")
    return row.why


def _ended(store: Store, row: DeliveryRow, requests: list[Came]) -> None:
    """It was taken once, after which nothing came, or never; and no request came before its time, or long after."""
    taken = [k for k, one in enumerate(requests) if one.did in TAKEN]
    must(len(taken) == (row.state == "delivered"), f"{row.id} is {row.state} and was taken {len(taken)} times")
    must(not taken or taken[0] == len(requests) - 1, f"{row.id} came again after it was taken")
    attempts = store.work.attempts(row.id)
    if row.target != CLOSED:
        must(len(attempts) == len(requests), f"{row.id}: noted {[one.why for one in attempts]}, came {[one.did for one in requests]}")
    used = 0
    for one, after in itertools.pairwise(requests):
        used += not one.did.startswith("429")
        exact = RETRY_AFTER if "Retry-After" in one.did else 0
        wait = exact or (THROTTLED_WAIT if one.did == "429" else STEPS[used])
        least, most = (wait, wait) if exact else (wait * (1 - JITTER), wait * (1 + JITTER))
        took = after.at - one.at
        must(least - 0.01 <= took <= most + LATE, f"{row.id}: {took:.1f} s after {one.did!r}, not {least:.0f} to {most:.0f}")


def neighbours(folder: Path, n: int) -> str:
    """A healthy target gets its deliveries as fast beside a sick one (all its calls hang) as alone."""
    took: dict[str, list[float]] = {"alone": [], "beside": []}
    for round_ in range(3):
        for name in took:
            took[name].append(_race(folder / f"{name}-{round_}", n, sick=name == "beside"))
    alone, beside = (sorted(took[name])[1] for name in ("alone", "beside"))
    must(beside < 2 * alone + 0.5, f"{n} deliveries took {alone:.2f} s alone and {beside:.2f} s beside a sick target")
    return f"{n} deliveries to a healthy target took {alone:.2f} s, beside one that hangs {beside:.2f} s (ratio {beside / alone:.2f})"


def _race(folder: Path, n: int, *, sick: bool) -> float:
    clock = Time()
    with contextlib.ExitStack() as stack:
        healthy, hangs = Receiver(), Receiver(lambda name, times: "silence")
        stack.callback(healthy.close)
        stack.callback(hangs.close)
        store = stack.enter_context(contextlib.closing(open_store(folder)))
        hands = stack.enter_context(contextlib.closing(_hands(store, folder, clock)))
        _target(store, "healthy", healthy.port, rate_per_second=10_000, burst=10_000)
        _target(store, "sick", hangs.port, rate_per_second=10_000, burst=10_000, timeout=10, in_flight=16)
        owe(store, 1, n, ["healthy"])
        if sick:
            _owe_sick(store)
        began = time.monotonic()
        while len(healthy.came) < n:
            must(time.monotonic() < began + 60, f"only {len(healthy.came)} of {n} came within 60 s")
            hands()
        took = time.monotonic() - began
        hangs.close()
        return took


def _owe_sick(store: Store) -> None:
    """The sick target is owed more than it can be given at once, and all of it is due."""
    events = [Published("learning.completed", f"sick-{k}", 1, json.dumps({"id": f"sick-{k}", "revision": 1}).encode()) for k in range(200)]
    must(store.work.advance("sick", Cursor(), Cursor(1, 0), Output(published=events, owed=[(k, "sick") for k in range(200)])), "owed")
