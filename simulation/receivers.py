"""Receivers of completions behind a network: they answer in every way, and remember what they were told."""
from __future__ import annotations

import base64
import hmac
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from simulation.chance import Weighted
from simulation.disk import Crash
from workers.connectors.base import Target
from workers.connectors.http import Exchange, ExchangeFailed, timeout_of

SECOND = 1_000_000

STATUSES: Mapping[str, int] = {
    "ok": 200, "refused": 400, "error": 500, "error_after": 502, "busy": 503, "slow_down": 429, "slow_down_silent": 429,
    "unauthorised": 401, "forbidden": 403, "gone": 410, "moved": 302}
"""Answers with a status; those in `TAKEN` were acted on."""
BROKEN = ("unreachable", "lost", "torn")
"""Exchanges without one: nothing was sent; sent, and nothing done; done, and the answer is lost."""
TAKEN = frozenset({"ok", "error_after", "torn"})
WAITS: Mapping[str, int] = {"busy": 120, "slow_down": 45}
"""Seconds in `Retry-After`."""
MOODS: Mapping[str, Mapping[str, float]] = {
    "well": {"ok": 1},
    "shaky": {"ok": 8, "lost": 1, "torn": 1.5, "error": 1, "error_after": 1, "unreachable": 1, "busy": 0.7, "slow_down": 0.7,
              "slow_down_silent": 0.7, "refused": 0.2, "moved": 0.2},
    "torn": {"torn": 3, "ok": 1},
    "down": {"unreachable": 2, "lost": 1, "error": 1},
    "busy": {"slow_down": 2, "slow_down_silent": 2, "busy": 1, "ok": 1},
    "refusing": {"refused": 1, "ok": 2},
    "unauthorised": {"unauthorised": 2, "forbidden": 1},
    "gone": {"gone": 1},
}
"""How a receiver answers for a while: answers with their weights."""
ANSWERS = {mood: Weighted(list(weights), list(weights.values())) for mood, weights in MOODS.items()}


@dataclass
class Held:
    """What a receiver knows of an achievement: the last event that it took."""

    revision: int
    event: str
    body: dict[str, Any]


@dataclass
class Receiver:
    """A target's other end. `dedupes`: it drops a repeated id. `told(receiver, id, event, new)` is called for each event that
    reaches it; `said(receiver, answer, ids)` for each exchange."""

    name: str
    dedupes: bool
    rng: random.Random
    told: Callable[[Receiver, str, dict[str, Any], bool], None]
    mood: str = "well"
    secrets: tuple[str, ...] = ()
    rows_max: int = 1
    seen: dict[str, dict[str, Any]] = field(default_factory=dict)
    held: dict[str, Held] = field(default_factory=dict)

    def answer(self) -> str:
        """How it answers now."""
        return "ok" if self.mood == "well" else ANSWERS[self.mood].draw(self.rng)

    def take(self, key: str, event: dict[str, Any]) -> None:
        """Act on an event under this id."""
        new = key not in self.seen
        self.told(self, key, event, new)
        if not new and self.dedupes:
            return
        self.seen.setdefault(key, event)
        there = self.held.get(event["id"])
        if there is None or there.revision <= event["revision"]:
            self.held[event["id"]] = Held(event["revision"], event["event"], event)

    def signed(self, headers: Mapping[str, str], content: bytes) -> bool:
        """Whether a signature of one of its secrets is there (Standard Webhooks)."""
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + content
        wanted = {"v1," + base64.b64encode(hmac.digest(base64.b64decode(one.removeprefix("whsec_")), signed, "sha256")).decode()
                  for one in self.secrets}
        return not wanted.isdisjoint(headers["webhook-signature"].split())


@dataclass
class Network:
    """What `workers.connectors.http.GuardedClient` is to connectors. `elapsed`: µs that the exchanges of the running call
    took; the clock of the worker that calls is ahead by them."""

    receivers: dict[str, Receiver]
    wall: Callable[[], int]
    uptime: Callable[[], int]
    rng: random.Random
    elapsed: int = 0
    answers: list[str] = field(default_factory=list)
    poison: set[str] = field(default_factory=set)
    """Deliveries that kill whoever sends them."""
    badly_signed: list[str] = field(default_factory=list)

    def now_us(self) -> int:
        """The worker's clock."""
        return self.wall() + self.elapsed

    def monotonic(self) -> float:
        """Seconds of the worker's clock that nobody sets."""
        return (self.uptime() + self.elapsed) / SECOND

    def close_idle(self) -> None:
        """There is nothing to close."""

    def exchange(self, target: Target, method: str, url: str, headers: Mapping[str, str], content: bytes = b"",
                 answer_max: int = 20_000) -> Exchange:
        """Send, and be answered, or not."""
        receiver = self.receivers[target.name]
        answer = receiver.answer()
        self.answers.append(answer)
        took = timeout_of(target) * (1.0 if answer in ("lost", "torn") else self.rng.random() ** 4)
        self.elapsed += round(took * SECOND)
        if answer == "unreachable":
            raise ExchangeFailed("ConnectError: refused", took * 1000, False)
        if method == "GET":
            return self._looked_up(receiver, answer, url.rpartition("/")[2], took)
        rows = orjson.loads(content)
        rows = rows if isinstance(rows, list) else [{"key": headers.get("webhook-id", ""), "event": rows}]
        if any(row["key"] in self.poison for row in rows):
            raise Crash
        if "webhook-signature" in headers and not receiver.signed(headers, content):
            self.badly_signed.append(target.name)
            answer = "unauthorised"
        if len(rows) > 1 and answer == "ok" and len(rows) > receiver.rows_max:
            return Exchange(413, {}, b"", took * 1000)
        body: list[str] = []
        for row in rows:
            bad = len(rows) > 1 and receiver.mood != "well" and self.rng.random() < 0.1
            if answer in TAKEN and not bad:
                receiver.take(row["key"], row["event"])
            body.append("bad" if bad else "ok")
        if answer in BROKEN:
            raise ExchangeFailed(f"ReadTimeout: {answer}", took * 1000, True)
        wait = {"retry-after": str(WAITS[answer])} if answer in WAITS else {}
        return Exchange(STATUSES[answer], wait, orjson.dumps(body), took * 1000)

    def _looked_up(self, receiver: Receiver, answer: str, key: str, took: float) -> Exchange:
        if answer in BROKEN:
            raise ExchangeFailed(f"ReadTimeout: {answer}", took * 1000, True)
        if answer not in ("ok", "error_after"):
            return Exchange(STATUSES[answer], {}, b"", took * 1000)
        return Exchange(200, {}, b"yes" if key in receiver.seen else b"no", took * 1000)
