"""The routing consumer: statements and directory changes in, achievements, events and deliveries out, in one write.

A course or a map that changed makes statements of the past count, or count no longer: `workers.reread` reads those
again. The two never work on one state at once (each writes only if the other's cursor stands still), and together they
miss nothing: this consumer reads statements first and catalogue and map afterwards, so a statement it judges by what
was in force before a change was stored before that change, and lies at or before this cursor when the change is read
again.
"""
from __future__ import annotations

import time
from dataclasses import dataclass

from lrs.services import Services
from lrs.store.protocols.work import Cursor
from lrs.traces import REQUEST, ROUTE
from workers import reread
from workers.attempts import cause_of
from workers.round import Round

CONSUMER = reread.ROUTE
SLICE = 500
"""Statements a round: a round is one write, and a write should not hold the lock for long."""


@dataclass(frozen=True, slots=True)
class Routed:
    """What one round did; `changes` counts a slice of statements read again as one. `lost`: another worker had moved
    the cursor; nothing was written."""

    statements: int = 0
    changes: int = 0
    published: int = 0
    owed: int = 0
    lost: bool = False


def route_once(services: Services, n: int = SLICE) -> Routed:
    """Route at most n statements and n directory changes, then read again one slice of what a changed course or map
    touches; of each, output and cursor are one write.

    Changes are read before people are looked up: what is learned later has a later number and is met in the next
    round, so that nobody stays parked. Run by two workers at once, one of them wins and the other writes nothing.
    """
    routed = _route(services, n)
    if routed.lost:
        return routed
    again = reread.reread_once(services)
    return Routed(routed.statements, routed.changes + again.slices, routed.published + again.published, routed.owed + again.owed)


def _route(services: Services, n: int) -> Routed:
    store = services.store
    was, reading_again = store.work.cursor(CONSUMER), store.work.cursor(reread.CONSUMER)
    changes = store.directory.changes(was.change, n)
    records = store.statements.follow(was.seq, n)
    if not changes and not records:
        return Routed()
    began = time.monotonic()
    round_ = Round(store, now=services.now_us())
    for change in changes:
        round_.learn(change)
    for record in records:
        round_.take(record)
    output = round_.output(fences=[(reread.CONSUMER, reading_again)])
    now = Cursor(records[-1].seq if records else was.seq, changes[-1].n if changes else was.change)
    for start in range(0, len(round_.readings), reread.SLICE):
        # stored by a process that had not yet heard of the map in force
        if not store.mappings.put_readings(round_.installation, round_.readings[start : start + reread.SLICE]):
            return Routed(lost=True)
    if not store.work.advance(CONSUMER, was, now, output):
        return Routed(lost=True)
    if services.traces:
        for one in output.published:
            said = {"event": one.event, "achievement": one.event_id, "revision": one.revision}
            services.traces.span(cause_of(one.body), ROUTE, time.monotonic() - began, said, parent=REQUEST)
    return Routed(len(records), len(changes), len(output.published), len(output.owed))
