"""The application on a real SQLite store, and clients that bring a credential."""
from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from lrs.app import create_app
from lrs.auth import credentials
from lrs.config import Settings
from lrs.services import Services
from lrs.store.open_store import open_store

ClientOf = Callable[..., FlaskClient]


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    store = open_store(tmp_path)
    yield Services(Settings(data=tmp_path, public_url="http://lrs.example"), store)
    store.close()


@pytest.fixture
def client_of(services: Services) -> ClientOf:
    """Makes a client with a new credential of these scopes, which speaks 1.0.3."""

    def make(*scopes: str, provider: str = "acme", settings: Settings | None = None) -> FlaskClient:
        made = credentials.create(
            services.store.credentials, name="Test", public_url="http://lrs.example", provider=provider, scopes=scopes
        )
        app = create_app(services if settings is None else Services(settings, services.store))
        client = app.test_client()
        token = base64.b64encode(f"{made.credential.key}:{made.secret}".encode()).decode()
        client.environ_base.update(HTTP_AUTHORIZATION=f"Basic {token}", HTTP_X_EXPERIENCE_API_VERSION="1.0.3")
        return client

    return make


@pytest.fixture
def client(client_of: ClientOf) -> FlaskClient:
    """A client that may do everything."""
    return client_of("all")
