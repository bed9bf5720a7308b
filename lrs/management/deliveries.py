"""Deliveries as an administrator meets them: what was sent and what was not, and sending it again."""
from __future__ import annotations

import dataclasses
import json
from typing import Any

from lrs.errors import Finding, Invalid, NotFound
from lrs.management.audit import audited
from lrs.statements.instants import printed
from lrs.store.open_store import Store
from lrs.store.protocols.work import DeliveryRow, Wanted

STATES = ("pending", "leased", "waiting", "parked", "delivered", "dead", "cancelled")
FINISHED = ("delivered", "dead", "cancelled")
UNSENT = ("pending", "waiting", "parked")


def shown(row: DeliveryRow) -> dict[str, Any]:
    """A delivery without its payload; times in ISO 8601 UTC."""
    return {**dataclasses.asdict(row), "due": None if row.due is None else printed(row.due), "created": printed(row.created)}


def listed(store: Store, wanted: Wanted, limit: int, cursor: str = "") -> list[dict[str, Any]]:
    """The newest first, those behind the cursor (see `cursor_of`). Raises `Invalid` for one that no page gave."""
    return [shown(row) for row in store.work.deliveries(wanted, limit, before=_position(cursor))]


def rows(store: Store, wanted: Wanted, limit: int, cursor: str = "") -> list[DeliveryRow]:
    """As `listed`, as the store has them."""
    return store.work.deliveries(wanted, limit, before=_position(cursor))


def cursor_of(row: DeliveryRow) -> str:
    """The cursor of the page behind this row."""
    return f"{row.created}-{row.id}"


def show(store: Store, delivery_id: str) -> dict[str, Any]:
    """One delivery: its event (`payload`) and every attempt (`tries`). Raises `NotFound`."""
    row = next(iter(store.work.deliveries(Wanted((delivery_id,)), 1)), None) if "\0" not in delivery_id else None
    if row is None:
        raise NotFound(f'there is no delivery "{delivery_id}"; see: lrs deliveries list')
    body = store.work.payload(delivery_id)
    tries = [{"at": printed(one.at), "state": one.state, "attempts": one.attempts, "why": one.why, "status": one.status,
              "milliseconds": one.milliseconds, "body": one.body} for one in store.work.attempts(delivery_id)]
    return {**shown(row), "payload": json.loads(body) if body else None, "tries": tries}


def passed_over(store: Store, wanted: Wanted, states: tuple[str, ...]) -> list[str]:
    """A sentence for each delivery that is named by its id and is in none of these states: why nothing will be done to it."""
    told = []
    for name in dict.fromkeys(wanted.ids):
        row = next(iter(store.work.deliveries(Wanted((name,)), 1)), None) if "\0" not in name else None
        if row is None:
            told.append(f'there is no delivery "{name}"')
        elif store.work.target(row.target) is None:
            told.append(f"{name} was owed to {row.target}, and there is no such target any more")
        elif row.state not in states:
            due = f", due {printed(row.due)}" if row.state in UNSENT and row.due is not None else ""
            told.append(f"{name} is {row.state}{due}; meant are those that are {' or '.join(states)}")
    return told


def replay(store: Store, wanted: Wanted, *, who: str, now_us: int, dry: bool) -> int:
    """Send finished deliveries again under the same webhook-id; how many. `dry` only counts them. Raises `Invalid` where
    nothing says which."""
    if wanted == Wanted():
        raise Invalid([Finding("", "name deliveries, or say which: target, state, event, person, course, since, until",
                               "delivery.replay", "")])
    if wanted.state and wanted.state not in FINISHED:
        why = f"only finished deliveries are sent again: {', '.join(FINISHED)}"
        raise Invalid([Finding("/state", why, "delivery.replay", "", wanted.state)])
    if dry:
        return store.work.replay(wanted, now=now_us, dry=True)
    with audited(store, who, "deliveries.replay", _thing(wanted), **_told(wanted)):
        return store.work.replay(wanted, now=now_us, dry=False)


def release(store: Store, wanted: Wanted, *, who: str, now_us: int) -> int:
    """Try parked deliveries again now, without waiting for what they lack to come in; how many."""
    with audited(store, who, "deliveries.release", _thing(wanted), **_told(wanted)):
        return store.work.release(dataclasses.replace(wanted, state=""), now=now_us)


def cancel(store: Store, wanted: Wanted, *, who: str, why: str = "", dry: bool) -> int:
    """Never send what was not sent yet (one that is being sent at this moment is not touched); how many. `dry` only counts
    them. A replay by state `cancelled` takes it back. Raises `Invalid` where nothing says which."""
    if wanted == Wanted():
        raise Invalid([Finding("", "name deliveries, or say which: target, state, event, person, course, since, until",
                               "delivery.cancel", "")])
    if wanted.state and wanted.state not in UNSENT:
        why_not = f"only what was not sent yet can be cancelled: {', '.join(UNSENT)}"
        raise Invalid([Finding("/state", why_not, "delivery.cancel", "", wanted.state)])
    why = why or "cancelled by hand"
    if dry:
        return store.work.cancel(wanted, why=why, dry=True)
    with audited(store, who, "deliveries.cancel", _thing(wanted), **_told(wanted), why=why):
        return store.work.cancel(wanted, why=why, dry=False)


def _thing(wanted: Wanted) -> str:
    return wanted.ids[0] if len(wanted.ids) == 1 else wanted.target or "deliveries"


def _told(wanted: Wanted) -> dict[str, Any]:
    told = {name: value for name, value in dataclasses.asdict(wanted).items() if value}
    return {name: list(value)[:100] if name == "ids" else printed(value) if name in ("since", "until") else value
            for name, value in told.items()}


def _position(cursor: str) -> tuple[int, str] | None:
    if not cursor:
        return None
    created, dash, name = cursor.partition("-")
    if not (dash and name and created.isascii() and created.isdigit() and len(created) < 19):
        raise Invalid([Finding("?cursor", "this is the cursor of no page", "api.cursor", "", cursor[:100])])
    return int(created), name
