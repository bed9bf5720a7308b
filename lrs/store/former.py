"""Under which name stands what was owed to a target that was removed, once its name is another's."""
from __future__ import annotations

from lrs.statements.instants import printed

AT_ONCE = 5_000
"""Deliveries renamed in one transaction, so that a long history holds nobody up."""


def former_name(name: str, now_us: int) -> str:
    """Of a target whose name was given away at this time. No target can be called so: a name has no `~`."""
    return f"{name}~{printed(now_us)}"
