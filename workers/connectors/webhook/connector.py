"""Sends the flat event to any URL, signed by Standard Webhooks 1.0."""
from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import ClassVar

import orjson

from lrs.schema import COMMON, Setting
from workers.connectors.base import Answer, Delivery, Target
from workers.connectors.http import GuardedClient, sent
from workers.limits import Pace, pace_settings


def secret_complaint(text: str) -> str:
    """What is wrong with a list of secrets, '' if nothing (Standard Webhooks: `whsec_` + base64 of 24 to 64 bytes)."""
    for secret in text.split():
        try:
            key = _key(secret)
        except (ValueError, binascii.Error):
            return "each secret must be whsec_ followed by base64"
        if not secret.startswith("whsec_") or not 24 <= len(key) <= 64:
            return "each secret must be whsec_ followed by base64 of 24 to 64 bytes"
    return ""


def signatures(secrets: Iterable[str], message_id: str, timestamp: int, body: bytes) -> str:
    """The `webhook-signature` header: one `v1,<base64 HMAC-SHA256 of id.timestamp.body>` a secret, space-separated."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    return " ".join("v1," + base64.b64encode(hmac.digest(_key(s), signed, "sha256")).decode()
                    for s in secrets)


@dataclass(frozen=True)
class WebhookConnector:
    """A receiver of Standard Webhooks; it drops a repeated `webhook-id`."""

    client: GuardedClient
    now_us: Callable[[], int]
    name: ClassVar[str] = "webhook"
    dedupes: ClassVar[bool] = True
    pace: ClassVar[Pace] = Pace(rate_per_second=500.0, burst=500, in_flight=4)  # how long it takes to answer slows us down
    schema: ClassVar[tuple[Setting, ...]] = (
        Setting("url", "Where events are POSTed.", "url", required=True),
        Setting("secret", "Signing secret, whsec_…; several with spaces between while rotating.", "secret",
                required=True, check=secret_complaint),
        *pace_settings(pace),
        *COMMON,
    )

    def send(self, delivery: Delivery, target: Target) -> Answer:
        """POST the event; a 2xx is a receipt."""
        return self._post(delivery.id, dict(delivery.payload), target)

    def find(self, delivery: Delivery, target: Target) -> bool | None:
        """A webhook cannot be asked; it need not be, as it drops what it has."""
        return None

    def probe(self, target: Target) -> Answer:
        """Send a `target.test` event."""
        at = self.now_us()
        return self._post(f"test-{at}", {"event": "target.test", "id": f"test-{at}", "revision": 1}, target)

    def _post(self, message_id: str, payload: dict[str, object], target: Target) -> Answer:
        body = orjson.dumps(payload)
        timestamp, secrets = self.now_us() // 1_000_000, tuple(str(target.settings["secret"]).split())
        headers = {"content-type": "application/json", "webhook-id": message_id, "webhook-timestamp": str(timestamp),
                   "webhook-signature": signatures(secrets, message_id, timestamp, body)}
        return sent(self.client, target, "POST", str(target.settings["url"]), headers, body, secrets=secrets)[0]


def _key(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
