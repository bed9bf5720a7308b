"""The id of a delivery, which is its webhook-id: of what is owed to whom, and the same in every store."""
from __future__ import annotations

import hashlib
import uuid

NAMESPACE = uuid.UUID("b4c1f6de-8a0e-5d52-9c33-1f0c7d2f9a10")
_NAMESPACE = NAMESPACE.bytes


def webhook_id(target: str, event_id: str, revision: int) -> str:
    """The delivery's id, the same whenever it is computed: a UUID of version 5 (RFC 9562), without its dashes."""
    made = bytearray(hashlib.sha1(_NAMESPACE + f"{target}\n{event_id}\n{revision}".encode(), usedforsecurity=False).digest()[:16])
    made[6] = made[6] & 0x0F | 0x50
    made[8] = made[8] & 0x3F | 0x80
    return "msg_" + made.hex()
