"""Standard Webhooks signatures of inbound hooks, verified (Standard Webhooks 1.0.0)."""
from __future__ import annotations

import base64
import hashlib
import hmac

TOLERANCE = 300
"""Seconds that a signed message may be old or early."""


def verify(body: bytes, *, message_id: str, timestamp: str, signature: str, secret: str, now: float) -> str:
    """'' if one of the space-separated `v1` signatures is right and fresh, else a sentence that says what is wrong.
    `secret` is `whsec_` + base64; `now` is seconds since 1970."""
    if not (message_id and timestamp and signature):
        return "webhook-id, webhook-timestamp and webhook-signature are needed"
    if not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > 12:
        return "webhook-timestamp is not seconds since 1970"
    if abs(now - int(timestamp)) > TOLERANCE:
        return f"webhook-timestamp is more than {TOLERANCE} s from now"
    key = base64.b64decode(secret.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.digest(key, b"%s.%s.%s" % (message_id.encode(), timestamp.encode(), body), hashlib.sha256))
    for part in signature.split(" "):
        version, _, given = part.partition(",")
        if version == "v1" and hmac.compare_digest(given.encode(), expected):
            return ""
    return "no v1 signature fits"
