"""Zoom's proof that a webhook is its own, and our proof to Zoom that we know the same secret."""
from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Any

TOLERANCE = 300
"""Seconds that a signed message may be old or early."""
VALIDATION = "endpoint.url_validation"
SIGNATURE, TIMESTAMP = "x-zm-signature", "x-zm-request-timestamp"

# Zoom signs events with the same secret and function that the handshake applies to a text of the caller's choice. A
# colon, a brace or a quote in that text would let a stranger have `v0:<timestamp>:<forged event>` signed for him.
_TOKEN = re.compile(r"[A-Za-z0-9_-]{8,64}", re.ASCII)
_DIGITS = re.compile(r"[0-9]{1,12}", re.ASCII)


def sign(body: bytes, timestamp: str, secret: str) -> str:
    """The value of `x-zm-signature` for a body: `v0=` and the hex HMAC-SHA256 of `v0:<timestamp>:<body>`
    (developers.zoom.us/docs/api/webhooks, "Verify webhook events")."""
    return "v0=" + hmac.new(secret.encode(), b"v0:%s:%s" % (timestamp.encode(), body), hashlib.sha256).hexdigest()


def verify(headers: Mapping[str, str], body: bytes, secret: str, now: float) -> str:
    """'' if the body is signed by (one of) the secret(s) and its timestamp is within 5 minutes of `now` (seconds since
    1970), else a sentence that says what is wrong.

    `secret` may hold several, separated by spaces, while they are rotated. The names of `headers` are those
    of this module, in lower case.
    """
    given, timestamp = headers.get(SIGNATURE, ""), headers.get(TIMESTAMP, "")
    if not (given and timestamp):
        return f"{SIGNATURE} and {TIMESTAMP} are needed"
    if not _DIGITS.fullmatch(timestamp):
        return f"{TIMESTAMP} is not seconds since 1970"
    if abs(now - int(timestamp)) > TOLERANCE:
        return f"{TIMESTAMP} is more than {TOLERANCE} s from now"
    # all are compared, so that the time taken does not tell which one fits
    fits = [hmac.compare_digest(given.encode("utf-8", "replace"), sign(body, timestamp, one).encode()) for one in secret.split()]
    return "" if any(fits) else "the signature fits no secret token of this connection"


def handshake(payload: Any, secret: str) -> dict[str, str] | None:
    """The answer to a parsed `endpoint.url_validation` ("Validate your webhook endpoint"); None if its `plainToken` is
    not 8 to 64 letters, digits, `_` or `-`, since nothing else may be signed. The first of several secrets signs."""
    inner = payload.get("payload") if isinstance(payload, Mapping) else None
    token = inner.get("plainToken") if isinstance(inner, Mapping) else None
    if not isinstance(token, str) or not _TOKEN.fullmatch(token) or not secret.split():
        return None
    digest = hmac.new(secret.split()[0].encode(), token.encode(), hashlib.sha256).hexdigest()
    return {"plainToken": token, "encryptedToken": digest}
