"""Fetches the vendor's report after each meeting, and once a day the meetings of which nothing was heard."""
from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from lrs.errors import Conflict, Forbidden, Invalid, TooLarge
from lrs.ingest.batch import accept
from lrs.ingest.prepare import Provider
from lrs.services import Services
from lrs.sources.sessions import Said, statement
from lrs.sources.zoom.report import meeting_of, of_meeting, of_row
from lrs.store.protocols.connections import Connection
from lrs.store.protocols.sessions import SessionRow
from workers.connectors.http import GuardedClient
from workers.sessions.follow import MINUTE, Senders, follow
from workers.sessions.zoom_api import Unanswered, ZoomApi

log = logging.getLogger("workers.sessions")
STEPS = (10, 30, 60, 180, 360, 720, 1440, 1440, 1440)
"""Minutes after a report that was not to be had until it is asked for again; after the last (four days) no more."""
GIVEN_UP = "given up"
CLAIM = 10 * MINUTE
"""While one worker asks, others leave the session alone; if it dies, another asks after this."""
AT_ONCE = 10
TURN_SECONDS = 240.0
"""A turn asks for nothing more after this: well before `CLAIM`, and before a task is killed."""
DAY = 24 * 60 * MINUTE
BACK_DAYS = 2
BATCH = 500


def poll_due(services: Services, now_us: int, client: GuardedClient | None = None) -> int:
    """Fetch the reports that are due by `now_us` (µs since 1970 UTC) and store what webhooks missed; look once a day for
    meetings of which none came. Returns how much was done. Network faults are written down and tried again later;
    several workers at once ask for each report once."""
    follow(services, now_us)
    senders, client, done = Senders(services), client or GuardedClient(), 0
    apis: dict[str, ZoomApi] = {}
    until = client.monotonic() + TURN_SECONDS
    for row in services.store.sessions.poll_due(now_us, AT_ONCE):
        if client.monotonic() > until:
            return done
        connection = senders.connections.get(row.connection)
        provider = senders.provider(connection) if connection else None
        claimed = replace(row, poll_due=now_us + CLAIM, polls=row.polls + 1)
        if not services.store.sessions.put(claimed):
            continue
        if connection is None or provider is None or connection.state != "active" or not senders.polls(row.connection):
            _settle(services, row, polls=row.polls, due=now_us + DAY, why="its connection is gone, paused, or may not write or poll")
            continue
        api = apis.setdefault(connection.name, ZoomApi(connection, client, now_us, until))
        done += _poll(services, row, api, provider, now_us)
    for connection in senders.connections.values():
        provider = senders.provider(connection)
        if connection.source == "zoom" and connection.state == "active" and provider is not None and senders.polls(connection.name):
            api = apis.get(connection.name) or ZoomApi(connection, client, now_us, until)
            done += _search(services, connection, provider, api, now_us)
    return done


def _poll(services: Services, row: SessionRow, api: ZoomApi, provider: Provider, now_us: int) -> int:
    tries = row.polls + 1
    try:
        rows = api.participants(row.run)
        if not rows:
            raise Unanswered("the report is empty")
        meeting = meeting_of(row.series, row.run, row.title)
        said = [of_row(each, meeting, row.connection, services.store.directory.person_by_identifier) for each in rows]
        _store(services, provider, [one for each in said for one in each])
    except (Unanswered, Forbidden, Invalid, TooLarge) as fault:
        after = fault.after if isinstance(fault, Unanswered) else None
        throttled = isinstance(fault, Unanswered) and fault.status == 429
        if tries > len(STEPS) and not throttled:
            log.warning("%s of %s: its report is given up: %s", row.instance, row.connection, fault)
            _settle(services, row, polls=tries, due=None, why=f"{GIVEN_UP}: {fault}")
            return 0
        wait = min(after, 86_400.0) if after is not None else STEPS[min(tries, len(STEPS)) - 1] * 60
        _settle(services, row, polls=row.polls if throttled and row.polls else tries, due=now_us + int(wait * 1_000_000), why=str(fault))
        return 0
    nameless = sum(not each for each in said)
    _settle(services, row, polls=tries, due=None, why=f"{nameless} of {len(rows)} rows name nobody or have no time" if nameless else "")
    return 1


def _settle(services: Services, row: SessionRow, *, polls: int, due: int | None, why: str) -> None:
    """Write down what came of it, whatever was heard of the session meanwhile."""
    key = row.connection, row.instance
    for _ in range(100):
        now = services.store.sessions.rows([key])[key]
        if services.store.sessions.put(replace(now, polls=polls, poll_due=due, poll_why=why[:500])):
            return


def _search(services: Services, connection: Connection, provider: Provider, api: ZoomApi, now_us: int) -> int:
    """Once a day: that meetings started and ended of which no webhook told. Their reports are then due like any other's."""
    sessions = services.store.sessions
    was = sessions.search_due(connection.name)
    if was > now_us or not sessions.searched(connection.name, was, now_us + DAY):
        return 0
    today = datetime.fromtimestamp(now_us / 1_000_000, UTC).date()
    days = (today - timedelta(days=BACK_DAYS)).isoformat(), today.isoformat()
    missed = 0
    try:
        hosts = api.hosts(*days)
        # where one turn does not reach all of them, the next one begins with others
        first = now_us // (60 * MINUTE) * 97 % max(1, len(hosts))
        for host in hosts[first:] + hosts[:first]:
            found = [one for row in api.meetings(host, *days) if (one := of_meeting(row, connection.name, services.settings.public_url))]
            there = sessions.rows((connection.name, meeting.instance) for meeting, _ in found)
            new = [said for meeting, said in found
                   if (known := there.get((connection.name, meeting.instance))) is None or known.ended is None]
            _store(services, provider, [one for said in new for one in said])
            missed += len(new)
    except (Unanswered, Forbidden, Invalid, TooLarge) as fault:
        log.warning("%s: its meetings cannot be listed: %s", connection.name, fault)
        after = fault.after if isinstance(fault, Unanswered) and fault.after is not None else 3600.0
        sessions.searched(connection.name, now_us + DAY, now_us + int(min(after, 86_400.0) * 1_000_000), str(fault)[:500])
    return missed


def _store(services: Services, provider: Provider, said: Sequence[Said]) -> None:
    """Store what was said; what was said before with other words stays as it was (the directory has learned since)."""
    values = list({one["id"]: one for one in map(statement, said)}.values())
    while values:
        try:
            accept(services, json.dumps(values[:BATCH]).encode(), provider)
        except Conflict as conflict:
            del values[conflict.index]
            continue
        del values[:BATCH]
