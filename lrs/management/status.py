"""The figures of one screen: what arrived, what was refused, what waits, what went out, and whether anybody works on it."""
from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from lrs.management import verbs
from lrs.statements.instants import printed
from lrs.store.open_store import Store
from workers import partitions

STATES = ("pending", "leased", "waiting", "delivered", "dead", "cancelled")
LATELY = 7 * 86_400 * 1_000_000
"""Unmapped verbs are counted of the last 7 days, µs,"""
LOOKED_AT = 10_000
"""and of this many statements at most: the screen answers in a tenth of a second."""
SESSIONS_MOST = 1000
STALLED = 60 * 1_000_000
"""A statement that waits for a worker longer than this, µs, says that none is at work."""


def gather(store: Store, data: Path, facts: Path | None = None) -> dict[str, Any]:
    """The figures as plain data; times are ISO 8601, None for never; seconds where the name says so. `facts`: the
    folder of the table of facts."""
    now = time.time_ns() // 1000
    states = store.work.count_by_state()
    cursor, last = partitions.routed(store), store.statements.last_seq()
    behind = store.statements.count_after(cursor.seq)
    return {
        "accepted": store.statements.count(),
        "last_stored": printed(last) if last else None,
        "refused": store.rejections.count(),
        "behind": behind,
        "events": store.work.feed_length(),
        "parked": store.work.count_held(),
        "parked_deliveries": states.get("parked", 0),
        **{state: states.get(state, 0) for state in STATES},
        "targets": {target.name: target.state for target in store.work.targets()},
        **_targets(store, now),
        "connections": {one.name: one.state for one in store.connections.list()},
        "sessions_waiting": len(store.sessions.due(2**62, SESSIONS_MOST)),
        "unmapped_verbs": _unmapped(store, now),
        "worker": _worker(store, cursor.seq, behind, now),
        "facts_behind": _facts_behind(store, facts) if facts else None,
        "last_export": _last_export(data),
        "at": printed(now),
    }


def _targets(store: Store, now: int) -> dict[str, Any]:
    """Targets whose breaker is open, and how long the longest due delivery of an active target has been due."""
    targets = store.work.targets()
    due = [at for one in targets if one.state == "active" and (at := store.work.oldest_due(one.name, now)) is not None]
    return {"breakers_open": {one.name: printed(one.health.open_until) for one in targets if one.health.open_until > now},
            "oldest_due_seconds": (now - min(due)) // 1_000_000 if due else None}


def _unmapped(store: Store, now: int) -> int:
    """How many verbs came lately that the map does not know."""
    last = store.statements.last_seq()
    if not last:
        return 0
    rows, _ = verbs.unmapped(store, max(0, now - LATELY), LOOKED_AT)
    return len(rows)


def _worker(store: Store, routed: int, behind: int, now: int) -> dict[str, Any]:
    """Whether a worker keeps up: `idle` (nothing to do), `working`, or `not seen` where the oldest statement that waits for
    one has waited too long. `last_call`: when a target was called last."""
    first = store.statements.follow(routed, 1) if behind else []
    age = (now - first[0].seq) // 1_000_000 if first else None
    called = max((one.health.served_at for one in store.work.targets()), default=0)
    return {"state": "idle" if age is None else "not seen" if age * 1_000_000 > STALLED else "working", "oldest_unrouted_seconds": age,
            "last_call": printed(called) if called else None}


def _facts_behind(store: Store, folder: Path) -> int | None:
    """How many statements and rewritten readings the table of facts lacks; None where there is no table of this store."""
    if not folder.is_dir():
        return None
    from analytics import table  # Delta Lake is 20 MB of memory: none for a web process that nobody asks

    try:
        found = table.opened(folder, store.statements.term_key)
    except table.AnotherStore:
        return None
    if found is None:
        return None
    seq, done = table.cursor(found)
    return store.statements.count_after(seq) + len(store.mappings.rewritten(done, LOOKED_AT))


def _last_export(data: Path) -> Any:
    try:
        return json.loads((data / "last-export.json").read_text())["told"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
