"""Writes completions as training records of BambooHR, each found again by the event id in its notes."""
from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar
from urllib.parse import quote

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
)
from workers.connectors.fieldmap import field_map, mapped, value_at
from workers.connectors.http import Exchange, GuardedClient, outcome_of, sent
from workers.limits import Pace, pace_settings

LIST_MAX = 5_000_000
"""Bytes read of an employee's list of records."""

_MARK = re.compile(r"\[concord (\S+) r(\d+)\]")


@dataclass(frozen=True)
class BambooHrConnector:
    """Knows no idempotency key: an attempt whose end is unknown is looked up before anything is sent again."""

    client: GuardedClient
    name: ClassVar[str] = "bamboohr"
    dedupes: ClassVar[bool] = False
    pace: ClassVar[Pace] = Pace(rate_per_second=5.0, burst=10, in_flight=2)  # the vendor names no figure
    schema: ClassVar[tuple[Setting, ...]] = (
        Setting("url", "https://<company>.bamboohr.com", "url", required=True),
        Setting("api_key", "API key; its owner must be allowed to add trainings.", "secret", required=True),
        Setting("training_type", "Existing trainingTypeId for courses without an hris_type of their own.", "int"),
        *pace_settings(pace),
        *COMMON,
    )

    def send(self, delivery: Delivery, target: Target) -> Answer:
        """Create, change or delete the achievement's record. The date is the UTC day of the completion."""
        event = delivery.payload
        if delivery.event.startswith("credential."):
            return Answer(Skipped("a training record says that a course was completed, not that a credential was awarded"))
        employee = self._employee(event)
        if not employee:
            return Answer(Parked("the event names no employee id"))
        if delivery.event == "learning.revoked":
            return self._withdraw(delivery, target, employee)
        rule = self._map["status"].get(value_at(event, "result.status"))
        if rule is None:
            return Answer(Rejected(f"status {value_at(event, 'result.status')!r} is not in the field map"))
        if "skip" in rule:
            return Answer(Skipped(rule["skip"]))
        kind = _first(event, self._map["training_type"]) or target.settings.get("training_type")
        if kind is None:
            return Answer(Parked(f"course {value_at(event, 'course.id')} has no training type: give it an hris_type, "
                                 "or the target a training_type"))
        record = {**mapped(self._map["fields"], event), "type": int(kind), "notes": _notes(delivery, rule["note"])}
        if delivery.event == "learning.updated" or delivery.unclear or delivery.attempts:
            fault, held = self._records(delivery, target, employee)
            if fault is not None:
                return fault
            if held:
                return self._call(target, "PUT", f"record/{quote(held[0][0], safe='')}", record)
        return self._call(target, "POST", f"record/{quote(employee, safe='')}", record)

    def find(self, delivery: Delivery, target: Target) -> bool | None:
        """Whether a record bears this event's id in at least this revision (for a revoke: whether none does)."""
        employee = self._employee(delivery.payload)
        if not employee or delivery.event.startswith("credential."):
            return False
        fault, held = self._records(delivery, target, employee)
        if fault is not None:
            return None
        if delivery.event == "learning.revoked":
            return not held
        return any(revision >= delivery.revision for _, revision in held)

    def probe(self, target: Target) -> Answer:
        """Read the training types; fails where the configured one is not among them."""
        answer, exchange = self._ask(target, "type")
        wanted = target.settings.get("training_type")
        if exchange is None or not isinstance(answer.outcome, Delivered) or wanted is None:
            return answer
        if str(wanted) not in {str(row.get("id")) for row in _rows(exchange.body) or []}:
            return Answer(Rejected(f"there is no training type {wanted} in BambooHR"), answer.status,
                          answer.milliseconds, answer.body)
        return answer

    @cached_property
    def _map(self) -> dict[str, Any]:
        return field_map("bamboohr")

    def _employee(self, event: Mapping[str, Any]) -> str:
        return str(_first(event, self._map["employee"]) or "")

    def _withdraw(self, delivery: Delivery, target: Target, employee: str) -> Answer:
        fault, held = self._records(delivery, target, employee)
        if fault is not None:
            return fault
        answer = Answer(Delivered(), body="no record bears this event's id: nothing to delete")
        for record, _ in held:
            answer = self._call(target, "DELETE", f"record/{quote(record, safe='')}")
            if not isinstance(answer.outcome, Delivered):
                return answer
        return answer

    def _records(self, delivery: Delivery, target: Target, employee: str) -> tuple[Answer | None, list[tuple[str, int]]]:
        """(fault, [(record id, revision in its notes)]) of the records that bear the achievement's id."""
        wanted = str(delivery.payload.get("id") or delivery.event_id)
        answer, exchange = self._ask(target, f"record/{quote(employee, safe='')}")
        if exchange is None or not isinstance(answer.outcome, Delivered):
            return answer, []
        rows = None if exchange.cut else _rows(exchange.body)
        if rows is None:
            return Answer(Retry("the list of training records cannot be read"), answer.status, answer.milliseconds,
                          answer.body), []
        marks = ((str(row.get("id")), _MARK.search(str(row.get("notes") or ""))) for row in rows)
        return None, [(record, int(mark[2])) for record, mark in marks if mark and mark[1] == wanted]

    def _ask(self, target: Target, path: str) -> tuple[Answer, Exchange | None]:
        return sent(self.client, target, "GET", _url(target, path), _headers(target),
                    secrets=(str(target.settings["api_key"]),), answer_max=LIST_MAX)

    def _call(self, target: Target, method: str, path: str, record: Mapping[str, Any] | None = None) -> Answer:
        content = b"" if record is None else json.dumps(record, ensure_ascii=False).encode()

        def classify(exchange: Exchange, now_us: int) -> Outcome:
            outcome = outcome_of(exchange, now_us)
            if isinstance(outcome, Delivered):
                return Delivered(_remote_id(exchange.body) or (path.rpartition("/")[2] if method != "POST" else ""))
            if method == "DELETE" and exchange.status == 404:
                return Delivered()  # gone is what was wanted
            return outcome

        return sent(self.client, target, method, _url(target, path), _headers(target), content, classify,
                    (str(target.settings["api_key"]),))[0]


def _url(target: Target, path: str) -> str:
    return f"{str(target.settings['url']).rstrip('/')}/api/v1/training/{path}"


def _headers(target: Target) -> dict[str, str]:
    basic = base64.b64encode(f"{target.settings['api_key']}:x".encode()).decode()
    return {"authorization": f"Basic {basic}", "accept": "application/json", "content-type": "application/json"}


def _notes(delivery: Delivery, note: str) -> str:
    event = delivery.payload
    score = value_at(event, "result.score")
    said = f"{value_at(event, 'course.title') or value_at(event, 'course.id')}: {note}"
    said += f", score {score:g} %" if isinstance(score, int | float) else ""
    return f"{said} [concord {event.get('id') or delivery.event_id} r{delivery.revision}]"


def _first(event: Mapping[str, Any], paths: list[str]) -> Any:
    return next((value for value in (value_at(event, path) for path in paths) if value), None)


def _rows(body: bytes) -> list[dict[str, Any]] | None:
    """The records of a list, which BambooHR sends as an array or as an object keyed by id."""
    try:
        value = json.loads(body or b"[]")
    except ValueError:
        return None
    rows = list(value.values()) if isinstance(value, dict) else value
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else None


def _remote_id(body: bytes) -> str:
    try:
        value = json.loads(body)
    except ValueError:
        return ""
    return str(value.get("id") or "") if isinstance(value, dict) else ""
