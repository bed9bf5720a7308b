"""The one table of background work: what the embedded loop and the Celery worker both run."""
from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from analytics.build import Builder
from lrs.services import Services, now_us
from lrs.sources.retention import purge
from lrs.store.protocols.rejections import KEPT_US
from workers.alone import Apart, Hands
from workers.connectors.http import GuardedClient
from workers.connectors.registry import connectors
from workers.definitions import Definitions
from workers.deliver import Deliverer
from workers.indexing import Indexing
from workers.route import Routing
from workers.sessions.conclude import conclude_due
from workers.sessions.poll import poll_due

Work = Callable[[], int]
"""One slice of work; how much was done, 0 when nothing is left for now. Raises `StoreUnavailable`."""

Told = Callable[[], bool]

DELIVER_SLICE = 32
"""Calls started by one slice, which waits for none that takes long: it ends well before `broker.HARD_LIMIT`."""

CHECKPOINT_SECONDS, SOONER_SECONDS, LOG_BYTES = 5.0, 1.0, 128 * 2**20
"""How often the write-ahead logs are moved into their files, and how often where one of them is larger than so many bytes."""


@dataclass(frozen=True, slots=True)
class Consumer:
    """One kind of work. `start(services, owner, told)` makes the function that does a slice of it; a process makes it once.
    `told()`: whether this worker was told to stop, so that a slice begins nothing more.

    `every`: the longest pause between two looks, seconds: what comes due by time is late by no more. `slots`: how many
    processes may be at it at once. `rings`: the kind that has work when this one did something. `woken`: whether a
    write to the store is a reason to look at once. `lingers`: whether, having done something, more may come due in a moment.
    `gathers`: a slice that did less than this lets more gather for a moment: each slice is a commit, however little it does.
    """

    name: str
    start: Callable[[Services, str, Told], Work]
    every: float = 1.0
    slots: int = 1
    rings: str = ""
    woken: bool = True
    lingers: bool = False
    gathers: int = 0


def _route(services: Services, owner: str, told: Told) -> Work:
    return Routing(services)


def _deliver(services: Services, owner: str, told: Told) -> Work:
    hands = Deliverer(services, owner, now_us, connectors(now_us), slice=DELIVER_SLICE, told=told)
    return Hands(hands, Apart(services, hands))


def _sessions(services: Services, owner: str, told: Told) -> Work:
    """Take in what came about live sessions, and conclude those whose time has come."""
    return lambda: conclude_due(services, now_us())


def _reports(services: Services, owner: str, told: Told) -> Work:
    """Ask the sources of live sessions for what their webhooks missed. Apart from concluding: a source may be slow."""
    client = GuardedClient()

    def slice_() -> int:
        done = poll_due(services, now_us(), client)
        client.close_idle()
        return done
    return slice_


def _upkeep(services: Services, owner: str, told: Told) -> Work:
    """Index new statements, write left-over reference rows and learn definitions in short slices; now and then checkpoint."""
    statements, define, index = services.store.statements, Definitions(services), Indexing(services.store.statements)
    checkpointed = time.monotonic()

    def slice_() -> int:
        nonlocal checkpointed
        done = statements.do_shadow_todo() + define() + index()
        since = time.monotonic() - checkpointed
        if since > CHECKPOINT_SECONDS or (since > SOONER_SECONDS and any(file.log_bytes() > LOG_BYTES for file in services.store.files)):
            checkpointed = time.monotonic()
            for file in services.store.files:
                file.checkpoint()
        return done
    return slice_


def _facts(services: Services, owner: str, told: Told) -> Work:
    """Follow the log into the table of facts."""
    return Builder(services)


def _retention(services: Services, owner: str, told: Told) -> Work:
    """Forget webhooks and refusals whose time is over."""
    def slice_() -> int:
        purge(services.store, now_us())
        services.store.rejections.purge(now_us() - KEPT_US)
        return 0  # whatever was removed, there is no more of it until the next look
    return slice_


def places(consumer: Consumer, partitions: int) -> int:
    """How many processes may be at this kind of work at once, where routing has so many partitions."""
    return partitions if consumer.name == "route" else consumer.slots


#: Two may deliver at once: while one waits for a slow target, the other serves the rest.
CONSUMERS: dict[str, Consumer] = {consumer.name: consumer for consumer in (
    Consumer("route", _route, rings="deliver", gathers=100),
    Consumer("deliver", _deliver, slots=2, lingers=True),
    # what is concluded is over since minutes: a second more is nothing, and a commit for each write of others is much
    Consumer("sessions", _sessions, rings="route", woken=False),
    Consumer("reports", _reports, every=5.0, rings="route", woken=False),
    Consumer("upkeep", _upkeep, woken=False),
    Consumer("facts", _facts, woken=False),
    Consumer("retention", _retention, every=3600.0, woken=False),
)}
