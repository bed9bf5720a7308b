"""The management API on a real store, and clients of it with this or that scope."""
from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient

from lrs.app import create_app
from lrs.auth import credentials
from lrs.config import load
from lrs.services import Services
from lrs.store.open_store import Store, open_store

API = "/api/v1"
PUBLIC = "https://lrs.example"
ZOOM = {"name": "academy", "source": "zoom", "settings": {"secret_token": "first-secret-token"}}


@dataclass(slots=True)
class Site:
    """A store, its services, and clients."""

    store: Store
    services: Services

    def client(self, *scopes: str, name: str = "Somebody") -> tuple[FlaskClient, str]:
        """A client with a new credential of these scopes, and the credential's key."""
        made = credentials.create(self.store.credentials, name=name, public_url=PUBLIC, scopes=scopes)
        client = create_app(self.services).test_client()
        token = base64.b64encode(f"{made.credential.key}:{made.secret}".encode()).decode()
        client.environ_base["HTTP_AUTHORIZATION"] = f"Basic {token}"
        client.environ_base["HTTP_X_EXPERIENCE_API_VERSION"] = "1.0.3"
        return client, made.credential.key


def site(folder: Path) -> Site:
    """A site on a new store in this folder."""
    store = open_store(folder)
    return Site(store, Services(load({"LRS_DATA": str(folder), "LRS_PUBLIC_URL": PUBLIC}), store))


def all_pages(client: FlaskClient, path: str, **query: Any) -> list[dict[str, Any]]:
    """The items of every page."""
    items: list[dict[str, Any]] = []
    cursor = ""
    while True:
        answer = client.get(path, query_string={**query, "cursor": cursor})
        assert answer.status_code == 200, answer.json
        items += answer.json["items"]
        cursor = answer.json["next"]
        if cursor is None:
            return items
