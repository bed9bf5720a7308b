"""A receiver of Standard Webhooks, to rehearse against: it verifies, drops repeats and keeps what came."""
from __future__ import annotations

import base64
import hashlib
import hmac
import json
import sqlite3
import threading
import time
from collections.abc import Mapping
from typing import Any

from lrs.sandbox.shell import Reply, Request, main

TOLERANCE = 300


class Received:
    """Every request that was accepted, repeats too, in a file."""

    def __init__(self, path: str) -> None:
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute("CREATE TABLE IF NOT EXISTS received (n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT, body TEXT)")
        self._lock = threading.Lock()

    def add(self, message_id: str, body: str) -> None:
        """Keep one request."""
        with self._lock:
            self._db.execute("INSERT INTO received (id, body) VALUES (?, ?)", (message_id, body))

    def all(self) -> list[dict[str, Any]]:
        """One row a webhook-id, in order of arrival: `id`, `event`, and how many `times` it came."""
        with self._lock:
            rows = self._db.execute("SELECT id, body, count(*) FROM received GROUP BY id ORDER BY min(n)").fetchall()
        return [{"id": i, "event": json.loads(b), "times": t} for i, b, t in rows]


def complaint(headers: Mapping[str, str], body: bytes, secret: str, now: float) -> str:
    """Why a request is not a webhook signed with `secret`; '' if it is."""
    message_id, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not message_id or not stamp.isdigit():
        return "webhook-id and webhook-timestamp are required"
    if abs(now - int(stamp)) > TOLERANCE:
        return "webhook-timestamp is too far from now"
    if not secret:
        return ""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    mine = base64.b64encode(hmac.new(key, f"{message_id}.{stamp}.".encode() + body, hashlib.sha256).digest()).decode()
    given = [s.removeprefix("v1,") for s in headers.get("webhook-signature", "").split() if s.startswith("v1,")]
    return "" if any(hmac.compare_digest(mine, one) for one in given) else "no signature matches"


class Webhook:
    """The twin: what is signed with the key is kept and acknowledged."""

    def __init__(self, data: str, key: str) -> None:
        self._received, self._secret = Received(data), key

    def answer(self, request: Request) -> Reply:
        """Verify, keep, acknowledge."""
        if request.method == "GET":
            return Reply(200, self._received.all() if request.path == "/sandbox/received" else {"sandbox": "webhook"})
        if wrong := complaint(request.headers, request.body, self._secret, time.time()):
            return Reply(401, {"error": wrong})
        try:
            json.loads(request.body)
        except ValueError:
            return Reply(400, {"error": "the body is not JSON"})
        self._received.add(request.headers["webhook-id"], request.body.decode())
        return Reply(200, {"received": request.headers["webhook-id"]})

    def refusal(self, status: int) -> Reply:
        """A receiver's own words."""
        return Reply(status, {"error": f"fault on demand: {status}"})


if __name__ == "__main__":
    main(Webhook, __doc__, "The signing secret, whsec_…; unsigned requests pass if empty.")
