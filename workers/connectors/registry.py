"""The table of connectors: by name, with their settings."""
from __future__ import annotations

import secrets as _secrets
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Any

from lrs.schema import Setting, SettingsInvalid, checked, masked
from workers.connectors.bamboohr.connector import BambooHrConnector
from workers.connectors.base import Connector
from workers.connectors.http import GuardedClient
from workers.connectors.hubspot.connector import HubSpotConnector
from workers.connectors.webhook.connector import WebhookConnector

SCHEMAS: Mapping[str, tuple[Setting, ...]] = {
    WebhookConnector.name: WebhookConnector.schema,
    BambooHrConnector.name: BambooHrConnector.schema,
    HubSpotConnector.name: HubSpotConnector.schema,
}


def connectors(now_us: Callable[[], int], client: GuardedClient | None = None) -> dict[str, Connector]:
    """Every connector, ready to send, over one guarded client. `now_us` gives µs since 1970."""
    client = client or GuardedClient(now_us=now_us)
    return {"webhook": WebhookConnector(client, now_us), "bamboohr": BambooHrConnector(client),
            "hubspot": HubSpotConnector(client)}


def settings_for(connector: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Checked settings of a target, typed and with defaults. Raises `SettingsInvalid` naming every problem."""
    if connector not in SCHEMAS:
        raise SettingsInvalid([f"there is no connector {connector!r}; there are: {', '.join(SCHEMAS)}"])
    return checked(connector, SCHEMAS[connector], given)


def shown(connector: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """A target's settings with every secret hidden."""
    return masked(SCHEMAS.get(connector, ()), settings)


def new_secret() -> str:
    """A signing secret by Standard Webhooks: `whsec_` + base64 of 32 random bytes."""
    return "whsec_" + b64encode(_secrets.token_bytes(32)).decode()
