"""Follows the log of statements and keeps a row for each run of a meeting: what is known of it, and what is due."""
from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace

from lrs.auth import scopes
from lrs.ingest.prepare import Provider
from lrs.services import Services
from lrs.sources.sessions import ATTENDED, ENDED, JOINED, LEFT
from lrs.store.protocols.connections import Connection
from lrs.store.protocols.sessions import SessionRow
from workers.sessions.told import Told, of_connection, told

MINUTE = 60_000_000
AFTER_END = 5 * MINUTE
"""After the end: the last leaves come late."""
AFTER_SCHEDULE = 120 * MINUTE
"""After the scheduled end, where no end was told."""
AFTER_SILENCE = 24 * 60 * MINUTE
"""After the last that was heard, where there is neither an end nor a schedule."""
REPORT_AFTER = 10 * MINUTE
"""After the end, the vendor needs some minutes to write its report."""
SLICE = 500


def follow(services: Services, now_us: int, slices: int = 20) -> int:
    """Take in what was stored since the last time, at most `slices` × 500 statements; how many were about sessions.

    Rows and cursor are one write. Where another worker was faster nothing is written, and the next call goes on.
    """
    store, found = services.store, 0
    connections = Senders(services)
    for _ in range(slices):
        was = store.sessions.cursor()
        records = store.statements.follow(was, SLICE)
        if not records:
            break
        about: list[Told] = []
        for record in records:
            target = record if record.voids is None else store.statements.get(record.voids, voided=True)
            one = told(target) if target is not None else None
            # what was concluded is no news
            if one is not None and one.verb != ATTENDED and connections.sent(one):
                about.append(one)
        if not store.sessions.advance(was, records[-1].seq, _rows(services, connections, about, now_us)):
            break
        found += len(about)
    return found


class Senders:
    """The connections as they are now, and the providers of their credentials."""

    def __init__(self, services: Services) -> None:
        self.connections = {one.name: one for one in services.store.connections.list()}
        self._credentials = services.store.credentials

    def provider(self, connection: Connection) -> Provider | None:
        """Who the connection's statements come from; None where its credential is gone, revoked or may not write."""
        found = self._credentials.by_key(connection.credential)
        if found is None or found.revoked or not scopes.allowed(found.scopes, "statements/write"):
            return None
        return Provider(found.key, found.scopes, found.provider, json.loads(found.authority))

    def sent(self, one: Told) -> bool:
        """Whether the connection that the statement names sent it."""
        connection = self.connections.get(one.connection)
        if connection is None:
            return False
        credential = self._credentials.by_key(connection.credential)
        return of_connection(one, connection, credential.provider if credential else "")

    def polls(self, name: str) -> bool:
        """Whether the connection can fetch reports."""
        connection = self.connections.get(name)
        return connection is not None and all(connection.settings.get(key) for key in ("account_id", "client_id", "client_secret"))


def _rows(services: Services, connections: Senders, about: Iterable[Told], now_us: int) -> list[SessionRow]:
    about = list(about)
    known = services.store.sessions.rows((one.connection, one.instance) for one in about)
    touched: dict[tuple[str, str], SessionRow] = {}
    for one in about:
        key = one.connection, one.instance
        row = touched.get(key) or known.get(key) or SessionRow(*key)
        touched[key] = _learned(row, one)
    return [_timed(row, connections.polls(row.connection), now_us) for row in touched.values()]


def _learned(row: SessionRow, one: Told) -> SessionRow:
    ended = [at for at in (row.ended, one.at if one.verb == ENDED else None) if at is not None]
    return replace(
        row, series=row.series or one.series, title=row.title or one.title, run=row.run or str(one.session.get("instance", "")),
        scheduled_start=row.scheduled_start or one.scheduled_start, scheduled_seconds=row.scheduled_seconds or one.scheduled_seconds,
        first=one.at if row.first is None else min(row.first, one.at), last=one.at if row.last is None else max(row.last, one.at),
        ended=max(ended, default=None), reported=row.reported or (one.verb in (JOINED, LEFT) and one.session.get("report") is True))


def _timed(row: SessionRow, polls: bool, now_us: int) -> SessionRow:
    rule = due_by_rule(row)
    poll_due = row.poll_due
    if polls and not row.reported and not row.poll_why.startswith("given up"):
        # an end that is told brings forward what was planned for the scheduled end
        planned = row.ended + REPORT_AFTER if row.ended is not None else rule
        poll_due = planned if row.polls == 0 else row.poll_due
    # what was concluded is looked at again at once
    return replace(row, due=max(rule, now_us) if row.concluded else rule, poll_due=poll_due)


def scheduled_end(row: SessionRow) -> int | None:
    """When the session should have ended: its scheduled length after the scheduled start, or after its own first event
    where that is later. The scheduled start alone is no clock: in a recurring room the next one may be weeks away."""
    if row.scheduled_seconds is None or row.first is None:
        return None
    start = row.scheduled_start if row.scheduled_start and row.scheduled_start - row.first <= AFTER_SILENCE else row.first
    return max(row.first, start) + row.scheduled_seconds * 1_000_000


def due_by_rule(row: SessionRow) -> int:
    """When to conclude: 5 minutes after the end; 2 hours after the scheduled end, or after the last that was heard if
    that is later; 24 hours after the last that was heard where there is neither. A report tells the end too."""
    last = row.last or 0
    if row.ended is not None:
        return row.ended + AFTER_END
    if row.reported:
        return last + AFTER_END
    planned = scheduled_end(row)
    return last + AFTER_SILENCE if planned is None else max(planned, last) + AFTER_SCHEDULE
