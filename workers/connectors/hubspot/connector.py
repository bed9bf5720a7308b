"""Writes the latest completion of a learner onto the contact in HubSpot, by upsert on a unique property."""
from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from lrs.schema import COMMON, Setting
from workers.connectors.base import (
    Answer,
    Delivered,
    Delivery,
    Outcome,
    Parked,
    Rejected,
    Retry,
    Target,
    Throttled,
)
from workers.connectors.fieldmap import field_map, mapped, value_at
from workers.connectors.http import Exchange, GuardedClient, outcome_of, sent
from workers.schedule import SECOND, retry_after

ROLLING_WAIT = 10.0
"""Seconds of HubSpot's rolling limit."""


def _zone_complaint(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return "must be a time zone such as Europe/Oslo"
    return ""


@dataclass(frozen=True)
class HubSpotConnector:
    """Upserts are idempotent: sending the same again changes nothing, so an unclear attempt is simply repeated."""

    client: GuardedClient
    name: ClassVar[str] = "hubspot"
    dedupes: ClassVar[bool] = True
    schema: ClassVar[tuple[Setting, ...]] = (
        Setting("token", "Access token of a private app with crm.objects.contacts.write.", "secret", required=True),
        Setting("url", "Base of the API.", "url", default="https://api.hubapi.com"),
        Setting("id_property", "Unique property of contacts to match: email, or your own that holds the employee id.",
                default="email"),
        Setting("timezone", "The account's time zone, in which the daily limit ends at midnight.", default="UTC",
                check=_zone_complaint),
        *COMMON,
    )

    def send(self, delivery: Delivery, target: Target) -> Answer:
        """Upsert one contact."""
        prop = str(target.settings.get("id_property") or "email")
        ids = self._map["id"]
        value = value_at(delivery.payload, ids.get(prop, ids["other"]))
        if not value:
            return Answer(Parked(f"the event holds nothing for the contact's {prop}"))
        rules = dict(self._map["properties"])
        if delivery.event == "learning.revoked":
            rules.update(self._map["revoked"])
        row = {"id": str(value), "idProperty": prop, "properties": mapped(rules, delivery.payload),
               "objectWriteTraceId": delivery.id}

        def classify(exchange: Exchange, now_us: int) -> Outcome:
            return _classify(exchange, now_us, delivery.id, str(target.settings.get("timezone") or "UTC"))

        return self._call(target, "POST", "/crm/v3/objects/contacts/batch/upsert",
                          json.dumps({"inputs": [row]}, ensure_ascii=False).encode(), classify)

    def find(self, delivery: Delivery, target: Target) -> bool | None:
        """Never needed: the upsert may be repeated."""
        return None

    def probe(self, target: Target) -> Answer:
        """Read one contact, to see that the token is good."""
        return self._call(target, "GET", "/crm/v3/objects/contacts?limit=1")

    @cached_property
    def _map(self) -> dict[str, Any]:
        return field_map("hubspot")

    def _call(self, target: Target, method: str, path: str, content: bytes = b"", classify: Any = outcome_of) -> Answer:
        base, token = str(target.settings.get("url") or "https://api.hubapi.com"), str(target.settings["token"])
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        return sent(self.client, target, method, base.rstrip("/") + path, headers, content, classify, (token,))[0]


def _classify(exchange: Exchange, now_us: int, trace: str, timezone: str) -> Outcome:
    try:
        body = json.loads(exchange.body or b"{}")
    except ValueError:
        body = {}
    body = body if isinstance(body, Mapping) else {}
    if exchange.status == 429:
        if body.get("policyName") == "DAILY":
            return Throttled("HubSpot's daily limit is used up", until_midnight(now_us, timezone))
        asked = retry_after(exchange.headers.get("retry-after"), now_us)
        return Throttled(f"HubSpot's rolling limit ({body.get('policyName', 'unnamed')})",
                         ROLLING_WAIT if asked is None else asked)
    generic = outcome_of(exchange, now_us)
    if not isinstance(generic, Delivered):
        return Rejected(f"{generic.why}: {str(body.get('message', ''))[:300]}") if isinstance(generic, Rejected) else generic
    for error in body.get("errors") or []:
        if trace in json.dumps(error) or len(body.get("errors") or []) == 1:
            return Rejected(f"HubSpot refused the row: {str(error.get('message', error))[:300]}")
    rows = body.get("results")
    if not isinstance(rows, list) or not rows:
        return Retry(f"answered {exchange.status} without a result for the row")
    return Delivered(str(rows[0].get("id") or ""))


def until_midnight(now_us: int, timezone: str) -> float:
    """Seconds until the day ends in a time zone."""
    now = datetime.fromtimestamp(now_us / SECOND, UTC).astimezone(ZoneInfo(timezone))
    midnight = datetime.combine(now.date() + timedelta(days=1), datetime.min.time(), now.tzinfo)
    return (midnight.astimezone(UTC) - now.astimezone(UTC)).total_seconds()
