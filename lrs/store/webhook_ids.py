"""The id of a delivery, which is its webhook-id: of what is owed to whom, and the same in every store."""
from __future__ import annotations

import uuid

from lrs import named_uuids

NAMESPACE = uuid.UUID("b4c1f6de-8a0e-5d52-9c33-1f0c7d2f9a10").bytes


def webhook_id(target: str, event_id: str, revision: int) -> str:
    """The delivery's id, the same whenever it is computed."""
    return "msg_" + named_uuids.digits(NAMESPACE, f"{target}\n{event_id}\n{revision}")
