"""Changes a webhook's signing secret without a gap: both sign until the receiver knows the new one."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workers.connectors.registry import new_secret


def rotate(settings: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """(settings that sign with a new secret and with the newest old one, the new secret). Raises ValueError where the
    target signs with no secret."""
    made = new_secret()
    return {**settings, "secret": f"{made} {_secrets(settings)[0]}"}, made


def retire(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings that sign with the newest secret only. Raises ValueError where the target signs with no secret."""
    return {**settings, "secret": _secrets(settings)[0]}


def _secrets(settings: Mapping[str, Any]) -> list[str]:
    secrets = str(settings.get("secret") or "").split()
    if not secrets:
        raise ValueError("this target signs with no secret: there is nothing to rotate")
    return secrets
