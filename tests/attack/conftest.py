"""A stranger with a credential that may do everything, in front of the application on a real store."""
from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from lrs.app import create_app
from lrs.auth import credentials
from lrs.config import Settings
from lrs.services import Services
from lrs.store.open_store import open_store


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    store = open_store(tmp_path)
    yield Services(Settings(data=tmp_path, public_url="http://lrs.example"), store)
    store.close()


@pytest.fixture
def client(services: Services) -> FlaskClient:
    made = credentials.create(services.store.credentials, name="Stranger", public_url="http://lrs.example",
                              key="stranger", scopes=("all",))
    client = create_app(services).test_client()
    token = base64.b64encode(f"{made.credential.key}:{made.secret}".encode()).decode()
    client.environ_base.update(HTTP_AUTHORIZATION=f"Basic {token}", HTTP_X_EXPERIENCE_API_VERSION="1.0.3")
    return client
