"""What the log says of an attempt: the delivery, the statements that caused it, and the requests that brought them."""
from __future__ import annotations

import contextlib
import json
from typing import Any

from lrs.errors import StoreUnavailable
from lrs.services import Services
from lrs.store.protocols.work import Attempt, Claimed

STATEMENTS_MOST = 20
"""Statements named, the newest: an achievement may rest on hundreds."""


def cause_of(payload: bytes) -> str:
    """The statement (its id) in whose trace an event stands: the last of its evidence; '' where it has none."""
    return str((json.loads(payload).get("evidence") or [""])[-1])


def told(services: Services, claimed: Claimed, attempt: Attempt) -> dict[str, Any]:
    """The members of the log line. `request_id` is that of the newest statement; `requests` those of all that are named."""
    payload = json.loads(claimed.payload)
    statements = [str(one) for one in payload.get("evidence") or ()][-STATEMENTS_MOST:]
    known: dict[str, str] = {}
    with contextlib.suppress(StoreUnavailable):
        known = services.store.statements.requests(statements)
    requests = list(dict.fromkeys(known.values()))
    said: dict[str, Any] = {
        "delivery": claimed.id, "target": claimed.target, "event": claimed.event, "achievement": claimed.event_id,
        "revision": claimed.revision, "outcome": attempt.state, "status": attempt.status, "milliseconds": round(attempt.milliseconds, 3),
        "attempts": attempt.attempts, "statements": statements, "requests": requests,
    }
    return {**said, "request_id": requests[-1]} if requests else said
