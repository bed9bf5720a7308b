"""Writes the latest completion of a learner onto the contact in HubSpot, by upsert on a unique property."""
from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
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
    Skipped,
    Target,
    Throttled,
)
from workers.connectors.fieldmap import field_map, mapped, value_at
from workers.connectors.http import Exchange, GuardedClient, outcome_of, sent
from workers.limits import Pace, pace_settings
from workers.schedule import SECOND, retry_after

ROLLING_WAIT = 10.0
"""Seconds of HubSpot's rolling limit."""

BATCH_ANSWER_MAX = 1_000_000
"""Bytes read of an answer: a hundred contacts with what they hold."""


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
    batch_max: ClassVar[int] = 100
    # 20 + 10 × 8 = 100 calls in any 10 s; one at a time, so that of two events of a contact the later is written last
    pace: ClassVar[Pace] = Pace(rate_per_second=8.0, burst=20, in_flight=1)
    schema: ClassVar[tuple[Setting, ...]] = (
        Setting("token", "Access token of a private app with crm.objects.contacts.write.", "secret", required=True),
        Setting("url", "Base of the API.", "url", default="https://api.hubapi.com"),
        Setting("id_property", "Unique property of contacts to match: email, or your own that holds the employee id.",
                default="email"),
        Setting("timezone", "The account's time zone, in which the daily limit ends at midnight.", default="UTC",
                check=_zone_complaint),
        *pace_settings(pace),
        *COMMON,
    )

    def send(self, delivery: Delivery, target: Target) -> Answer:
        """Upsert one contact."""
        return self.send_batch([delivery], target)[0]

    def send_batch(self, deliveries: Sequence[Delivery], target: Target) -> list[Answer]:
        """Upsert up to 100 contacts in one call; those that have no row there are answered without it."""
        rows = [self._row(one, target) for one in deliveries]
        ready = [row for row in rows if isinstance(row, dict)]
        answers: dict[str, Answer] = {}
        if ready:
            traces = [row["objectWriteTraceId"] for row in ready]
            timezone = str(target.settings.get("timezone") or "UTC")
            answer, exchange = self._call(target, "POST", "/crm/v3/objects/contacts/batch/upsert",
                                          json.dumps({"inputs": ready}, ensure_ascii=False).encode(),
                                          lambda got, now_us: _whole(got, now_us, timezone))
            outcomes = (_by_row(exchange, ready) if exchange is not None and isinstance(answer.outcome, Delivered)
                        else dict.fromkeys(traces, answer.outcome))
            answers = {trace: replace(answer, outcome=outcomes[trace]) for trace in traces}
        return [answers[row["objectWriteTraceId"]] if isinstance(row, dict) else Answer(row) for row in rows]

    def batch_key(self, delivery: Delivery, target: Target) -> str:
        """The contact: HubSpot refuses a batch that names one twice."""
        return self._contact(delivery, target)[1].lower()

    def _contact(self, delivery: Delivery, target: Target) -> tuple[str, str]:
        prop = str(target.settings.get("id_property") or "email")
        ids = self._map["id"]
        return prop, str(value_at(delivery.payload, ids.get(prop, ids["other"])) or "")

    def _row(self, delivery: Delivery, target: Target) -> dict[str, Any] | Outcome:
        """The input for one delivery, or why there is none."""
        family = delivery.event.partition(".")[0]
        rules = self._map.get("properties" if family == "learning" else family)
        if rules is None:
            return Skipped(f"{delivery.event} has no properties in the field map")
        prop, value = self._contact(delivery, target)
        if not value:
            return Parked(f"the event holds nothing for the contact's {prop}")
        if delivery.event.endswith(".revoked"):
            rules = {**rules, **self._map.get("revoked" if family == "learning" else f"{family}_revoked", {})}
        return {"id": value, "idProperty": prop, "properties": mapped(rules, delivery.payload), "objectWriteTraceId": delivery.id}

    def find(self, delivery: Delivery, target: Target) -> bool | None:
        """Never needed: the upsert may be repeated."""
        return None

    def probe(self, target: Target) -> Answer:
        """Read one contact, to see that the token is good."""
        return self._call(target, "GET", "/crm/v3/objects/contacts?limit=1")[0]

    @cached_property
    def _map(self) -> dict[str, Any]:
        return field_map("hubspot")

    def _call(self, target: Target, method: str, path: str, content: bytes = b"",
              classify: Callable[[Exchange, int], Outcome] = outcome_of) -> tuple[Answer, Exchange | None]:
        base, token = str(target.settings.get("url") or "https://api.hubapi.com"), str(target.settings["token"])
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        return sent(self.client, target, method, base.rstrip("/") + path, headers, content, classify, (token,), BATCH_ANSWER_MAX)


def _body(exchange: Exchange) -> Mapping[str, Any]:
    try:
        body = json.loads(exchange.body or b"{}")
    except ValueError:
        return {}
    return body if isinstance(body, Mapping) else {}


def _whole(exchange: Exchange, now_us: int, timezone: str) -> Outcome:
    """What the answer says of the call as a whole; `Delivered` where each row has to be looked at."""
    if exchange.status == 429:
        policy = _body(exchange).get("policyName", "unnamed")
        if policy == "DAILY":
            return Throttled("HubSpot's daily limit is used up", until_midnight(now_us, timezone))
        asked = retry_after(exchange.headers.get("retry-after"), now_us)
        return Throttled(f"HubSpot's rolling limit ({policy})", ROLLING_WAIT if asked is None else asked)
    generic = outcome_of(exchange, now_us)
    if isinstance(generic, Rejected):
        return Rejected(f"{generic.why}: {str(_body(exchange).get('message', ''))[:300]}")
    return generic


def _by_row(exchange: Exchange, rows: Sequence[Mapping[str, Any]]) -> dict[str, Outcome]:
    """The outcome of each row by its trace id: an error that names it, else a result that is its own. A row that the
    answer does not mention goes again, which an upsert bears."""
    errors, results = (found if isinstance(found := _body(exchange).get(name), list) else [] for name in ("errors", "results"))
    refused = {trace: str(error.get("message", error))[:300] for error in errors if isinstance(error, Mapping)
               for trace in _traces(error) or ([rows[0]["objectWriteTraceId"]] if len(rows) == 1 else [])}
    remote: dict[str, str] = {}
    for result in results:
        if isinstance(result, Mapping):
            properties = result.get("properties") if isinstance(result.get("properties"), Mapping) else {}
            for name in (*_traces(result), *(f"{k}={str(v).lower()}" for k, v in (properties or {}).items())):
                remote[name] = str(result.get("id") or "")
    outcomes: dict[str, Outcome] = {}
    for row in rows:
        trace, own = row["objectWriteTraceId"], f"{row['idProperty']}={row['id'].lower()}"
        if trace in refused:
            outcomes[trace] = Rejected(f"HubSpot refused the row: {refused[trace]}")
        elif trace in remote or own in remote:
            outcomes[trace] = Delivered(remote.get(trace) or remote.get(own, ""))
        elif len(rows) == len(results) == 1:
            outcomes[trace] = Delivered(str(results[0].get("id") or "") if isinstance(results[0], Mapping) else "")
        else:
            outcomes[trace] = Retry(f"answered {exchange.status} without a result for the row")
    return outcomes


def _traces(said: Mapping[str, Any]) -> list[str]:
    """The trace ids that an error or a result names, by itself or in its context."""
    context = said.get("context")
    named = [said.get("objectWriteTraceId"), context.get("objectWriteTraceId") if isinstance(context, Mapping) else None]
    return [str(one) for value in named if value for one in (value if isinstance(value, list) else [value])]


def until_midnight(now_us: int, timezone: str) -> float:
    """Seconds until the day ends in a time zone."""
    now = datetime.fromtimestamp(now_us / SECOND, UTC).astimezone(ZoneInfo(timezone))
    midnight = datetime.combine(now.date() + timedelta(days=1), datetime.min.time(), now.tzinfo)
    return (midnight.astimezone(UTC) - now.astimezone(UTC)).total_seconds()
