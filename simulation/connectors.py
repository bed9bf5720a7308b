"""Two kinds of vendors beside the product's own webhook: one that must be asked what it has, one that takes many rows."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import orjson

from workers.connectors.base import Answer, Connector, Delivered, Delivery, Parked, Rejected, Retry, Target
from workers.connectors.http import ExchangeFailed, sent
from workers.connectors.webhook.connector import WebhookConnector
from workers.limits import Pace


@dataclass(frozen=True)
class LedgerConnector:
    """A system that keeps every row it is sent, twice if sent twice, and knows people by an id of its own."""

    client: Any
    name: ClassVar[str] = "ledger"
    dedupes: ClassVar[bool] = False
    pace: ClassVar[Pace] = Pace(rate_per_second=2.0, burst=3, in_flight=2)

    def send(self, delivery: Delivery, target: Target) -> Answer:
        """Write the row."""
        if not (delivery.payload.get("user") or {}).get("hrisId"):
            return Answer(Parked("the person has no HRIS id"))
        body = orjson.dumps([{"key": delivery.id, "event": dict(delivery.payload)}])
        return sent(self.client, target, "POST", "https://ledger.example/rows", {}, body)[0]

    def find(self, delivery: Delivery, target: Target) -> bool | None:
        """Whether the row is there."""
        try:
            found = self.client.exchange(target, "GET", f"https://ledger.example/rows/{delivery.id}", {})
        except ExchangeFailed:
            return None
        return found.body == b"yes" if found.status == 200 else None

    def probe(self, target: Target) -> Answer:
        """Nothing is asked."""
        return Answer(Delivered())


@dataclass(frozen=True)
class BulkConnector:
    """A system that takes several rows in a call, and answers for each."""

    client: Any
    name: ClassVar[str] = "bulk"
    dedupes: ClassVar[bool] = True
    batch_max: ClassVar[int] = 4
    pace: ClassVar[Pace] = Pace(rate_per_second=5.0, burst=4, in_flight=2, batch_max=4)

    def send(self, delivery: Delivery, target: Target) -> Answer:
        """One row."""
        return self.send_batch([delivery], target)[0]

    def send_batch(self, deliveries: Sequence[Delivery], target: Target) -> list[Answer]:
        """Several rows; a row that it says is bad is refused, one of them for now."""
        body = orjson.dumps([{"key": one.id, "event": dict(one.payload)} for one in deliveries])
        answer, exchange = sent(self.client, target, "POST", "https://bulk.example/rows", {}, body)
        if exchange is None or exchange.status != 200:
            return [answer for _ in deliveries]
        answers = []
        for place, row in enumerate(orjson.loads(exchange.body)):
            bad = Retry("row refused for now") if place == 0 else Rejected("row refused")
            answers.append(Answer(Delivered() if row == "ok" else bad, 200, answer.milliseconds))
        return answers

    def batch_key(self, delivery: Delivery, target: Target) -> str:
        """Any rows go together."""
        return ""

    def find(self, delivery: Delivery, target: Target) -> bool | None:
        """It cannot be asked."""
        return None

    def probe(self, target: Target) -> Answer:
        """Nothing is asked."""
        return Answer(Delivered())


def connectors(network: Any) -> dict[str, Connector]:
    """The connectors of a worker in the simulation, by name."""
    return {"webhook": WebhookConnector(network, network.now_us), "ledger": LedgerConnector(network), "bulk": BulkConnector(network)}
