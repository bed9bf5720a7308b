"""The routing consumer: statements and directory changes in, achievements, events and deliveries out, in one write.

A course or a map that changed makes statements of the past count, or count no longer: `workers.reread` reads those
again. The two never work on one state at once (each writes only if the other's cursor stands still), and together they
miss nothing: this consumer reads statements first and catalogue and map afterwards, so a statement it judges by what
was in force before a change was stored before that change, and lies at or before this cursor when the change is read
again.
"""
from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from lrs.services import Services
from lrs.store.protocols.work import BEGINNING, Cursor
from lrs.traces import REQUEST
from lrs.traces import ROUTE as SPAN
from workers import reread
from workers.attempts import cause_of
from workers.partitions import LAYOUT, ROUTE, Partition, lay_out, standing
from workers.round import Round

CONSUMER = ROUTE
SLICE = 500
"""Statements a round: a round is one write, and a write should not hold the lock for long."""
READ_MOST = 4_000
"""Statements that a round of a partition reads, its own and those of others."""
STAY_SECONDS = 5.0
"""For so long a process goes on with one partition; then it looks whether another one is left alone."""
LOOK_SECONDS = 60.0
"""How often a process changes the number of partitions back, where another changes it, too."""
WHOLE = Partition()
"""The only one, where there are no others."""


@dataclass(frozen=True, slots=True)
class Routed:
    """What one round did; `changes` counts a slice of statements read again as one. `lost`: another worker had moved
    the cursor; nothing was written."""

    statements: int = 0
    changes: int = 0
    published: int = 0
    owed: int = 0
    lost: bool = False


_NOTHING = Routed()


def route_once(services: Services, n: int = SLICE, partition: Partition = WHOLE) -> Routed:
    """Route at most n statements and n directory changes, then read again one slice of what a changed course or map
    touches; of each, output and cursor are one write. Of several partitions the first one reads again.

    Changes are read before people are looked up: what is learned later has a later number and is met in the next
    round, so that nobody stays parked. Each partition reads all of them: it learns itself what it did not know when it judged.
    Run by two workers at once, one of them wins and the other writes nothing; so does who routes a partition of a number that is
    not in force.
    """
    routed = _route(services, n, partition)
    if routed.lost or partition.number > 1:
        return routed
    again = reread.reread_once(services)
    if not again.slices:
        return routed
    return Routed(routed.statements, routed.changes + again.slices, routed.published + again.published, routed.owed + again.owed)


def _route(services: Services, n: int, partition: Partition = WHOLE) -> Routed:
    store, shared = services.store, partition.of > 1
    at = standing(store)
    if partition not in at.partitions:
        return Routed(lost=True)
    was, again = at.of(partition), reread.BEGAN if shared else reread.CONSUMER
    changes = store.directory.changes(was.change, n)
    records = store.statements.follow(was.seq, min(n * partition.of, max(n, READ_MOST)))
    if not changes and not records:
        return _NOTHING
    began = time.monotonic()
    round_ = Round(store, now=services.now_us(), shared=shared)
    for change in changes:
        if partition.number == 1 or change.kind == "identifier":
            round_.learn(change)
    own = [record for record in records if partition.has(store, record)]
    for record in own:
        # what was judged before, in partitions of another number, must say nothing twice though the map be another one by now
        (round_.take_again if record.seq <= at.before and record.voids is None else round_.take)(record)
    output = round_.output([(LAYOUT, at.layout), (again, at.cursors.get(again, BEGINNING))])
    now = Cursor(records[-1].seq if records else was.seq, changes[-1].n if changes else was.change)
    for start in range(0, len(round_.readings), reread.SLICE):
        # stored by a process that had not yet heard of the map in force
        if not store.mappings.put_readings(round_.installation, round_.readings[start : start + reread.SLICE]):
            return Routed(lost=True)
    if not store.work.advance(partition.consumer, was, now, output):
        return Routed(lost=True)
    if services.traces:
        for one in output.published:
            said = {"event": one.event, "achievement": one.event_id, "revision": one.revision}
            services.traces.span(cause_of(one.body), SPAN, time.monotonic() - began, said, parent=REQUEST)
    return Routed(len(records), len(changes), len(output.published), len(output.owed))


class Routing:
    """The routing of one process: of all partitions, one after the other, those that nobody else is at.

    Nobody is told what the others do. One whose cursor has moved since the last look is somebody's; who loses a round to
    another goes on to the next partition.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._partitions: Sequence[Partition] = ()
        self._at = 0
        self._stay = self._look = 0.0
        self._seen: dict[str, Cursor] = {}

    def __call__(self) -> int:
        """One round; how much was done. Raises `StoreUnavailable`."""
        wanted = self._services.settings.route_partitions
        if not self._partitions or (len(self._partitions) != wanted and time.monotonic() > self._look):
            self._lay_out(wanted)
        if time.monotonic() > self._stay:
            self._next()
        lost = 0
        for _ in self._partitions:
            partition = self._partitions[self._at % len(self._partitions)]
            if self._is_free(partition):
                routed = route_once(self._services, SLICE, partition)
                if done := routed.statements + routed.changes:
                    self._is_free(partition)
                    return done
                lost += routed.lost
            self._next()
        if lost:
            self._partitions = ()  # the number may be another one now
        return lost

    def _lay_out(self, wanted: int) -> None:
        """Change the number of partitions to the one in the settings. A process that has another setting may change it back,
        and this one would again: not more often than each `LOOK_SECONDS`, and meanwhile both work with the number in force."""
        store, now = self._services.store, time.monotonic()
        if now > self._look:
            lay_out(store, wanted)
            self._look = now + LOOK_SECONDS
        self._partitions = standing(store).partitions

    def _next(self) -> None:
        self._at, self._stay = self._at + 1, time.monotonic() + STAY_SECONDS

    def _is_free(self, partition: Partition) -> bool:
        """Whether its cursor has not moved since the last look."""
        if partition.of == 1:
            return True
        now = self._services.store.work.cursor(partition.consumer)
        was, self._seen[partition.consumer] = self._seen.get(partition.consumer, now), now
        return was == now
