"""Zoom's API as far as reports need it: a token for the account, pages of rows, and why there are none."""
from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from lrs.sources.zoom.report import in_path
from lrs.statements.instants import instant
from lrs.store.protocols.connections import Connection
from workers.connectors.base import Target
from workers.connectors.egress import EgressRefused
from workers.connectors.http import ExchangeFailed, GuardedClient
from workers.schedule import retry_after

PAGE_SIZE = 300
PAGES_MAX = 200
"""More pages than that are a target that pages in circles."""
ANSWER_MAX = 4_000_000
GONE = (400, 401, 403, 404)
"""Answers of the report after which the same is asked of past meetings: not written yet, no such plan, no such scope."""


class Unanswered(Exception):
    """There are no rows now. `after`: seconds after which Zoom wants to be asked again, None if it did not say.
    `status` of the answer, 0 where there was none."""

    def __init__(self, why: str, status: int = 0, after: float | None = None) -> None:
        super().__init__(why)
        self.why, self.status, self.after = why, status, after


@dataclass
class ZoomApi:
    """One connection's account. Every method may raise `Unanswered`."""

    connection: Connection
    client: GuardedClient
    now_us: int
    until: float = float("inf")
    """The client's monotonic seconds after which nothing more is asked."""
    _token: str = field(default="", repr=False)

    def participants(self, uuid: str) -> list[Any]:
        """Every row of a run's report; of its past meeting where there is no report for us (another scope, all plans)."""
        try:
            report = f"/v2/report/meetings/{in_path(uuid)}/participants"
            return list(self._rows(report, "participants", {"include_fields": "registrant_id"}))
        except Unanswered as unanswered:
            if unanswered.status not in GONE:
                raise
            first = unanswered
        try:
            return list(self._rows(f"/v2/past_meetings/{in_path(uuid)}/participants", "participants", {}))
        except Unanswered as second:
            raise Unanswered(f"report: {first.why}; past meeting: {second.why}", second.status, second.after) from second

    def hosts(self, first: str, last: str) -> list[str]:
        """The ids of who hosted meetings from one day to another (yyyy-mm-dd)."""
        rows = self._rows("/v2/report/users", "users", {"type": "active", "from": first, "to": last})
        return [str(row["id"]) for row in rows if isinstance(row, dict) and row.get("id")]

    def meetings(self, host: str, first: str, last: str) -> Iterator[Any]:
        """The rows of the meetings that a host had (Zoom leaves out those with fewer than two participants)."""
        return self._rows(f"/v2/report/users/{quote(host, safe='')}/meetings", "meetings", {"type": "past", "from": first, "to": last})

    def _rows(self, path: str, name: str, query: dict[str, str]) -> Iterator[Any]:
        token: Any = ""
        for _ in range(PAGES_MAX):
            page = self._get(path, {**query, "page_size": str(PAGE_SIZE), **({"next_page_token": token} if token else {})})
            rows = page.get(name)
            if not isinstance(rows, list):
                raise Unanswered(f"{path} answered without {name}", 200)
            yield from rows
            token = page.get("next_page_token")
            if not isinstance(token, str) or not token:
                return
        raise Unanswered(f"{path} has more than {PAGES_MAX} pages", 200)

    def _get(self, path: str, query: dict[str, str]) -> dict[str, Any]:
        url = f"{_base(self.connection, 'url', 'https://api.zoom.us')}{path}?{urlencode(query)}"
        for fresh in (False, True):
            if fresh or not self._token:
                self._token = self._new_token()
            status, page, after = self._exchange("GET", url, f"Bearer {self._token}")
            # a token dies after an hour, or when another worker's new one replaced it
            if status == 401 and not fresh:
                continue
            if status != 200:
                raise Unanswered(f"{status} {_said(page)}", status, after)
            return page
        raise AssertionError("unreachable")

    def _new_token(self) -> str:
        settings = self.connection.settings
        pair = f"{settings['client_id']}:{settings['client_secret']}".encode()
        query = urlencode({"grant_type": "account_credentials", "account_id": settings["account_id"]})
        url = f"{_base(self.connection, 'auth_url', 'https://zoom.us')}/oauth/token?{query}"
        status, answer, after = self._exchange("POST", url, "Basic " + base64.b64encode(pair).decode())
        token = answer.get("access_token")
        if status != 200 or not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise Unanswered(f"no token: {status} {_said(answer)}", 0 if status in GONE else status, after)
        return token

    def _exchange(self, method: str, url: str, authorization: str) -> tuple[int, dict[str, Any], float | None]:
        if self.client.monotonic() > self.until:
            raise Unanswered("it takes too long for one turn")
        target = Target(self.connection.name, "zoom", self.connection.settings)
        try:
            exchange = self.client.exchange(target, method, url, {"authorization": authorization, "accept": "application/json"},
                                            answer_max=ANSWER_MAX)
        except (EgressRefused, ExchangeFailed) as fault:
            raise Unanswered(str(fault)) from fault
        if exchange.cut:
            raise Unanswered(f"the answer is longer than {ANSWER_MAX} bytes", exchange.status)
        try:
            answer = json.loads(exchange.body)
        except (ValueError, RecursionError):
            answer = None
        if exchange.status == 200 and not isinstance(answer, dict):
            raise Unanswered("answered 200 with what is no JSON object", 200)
        after = _wait(exchange.headers.get("retry-after"), self.now_us) if exchange.status != 200 else None
        return exchange.status, answer if isinstance(answer, dict) else {}, after


def _wait(header: str | None, now_us: int) -> float | None:
    """Seconds to wait: of the daily limit Zoom writes the time from which it answers again, ISO 8601."""
    at = instant(header) if header and "T" in header else None
    return max(0.0, (at.micros - now_us) / 1_000_000) if at else retry_after(header, now_us)


def _said(answer: dict[str, Any]) -> str:
    """What Zoom says of an error; its messages name codes and scopes, and no secret."""
    words = [str(answer[key])[:300] for key in ("code", "message", "error", "reason") if answer.get(key)]
    return " ".join(words) or "without a reason"


def _base(connection: Connection, name: str, default: str) -> str:
    return str(connection.settings.get(name) or default).rstrip("/")
