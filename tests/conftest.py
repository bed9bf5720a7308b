"""What tests of several folders share: a MongoDB server a run, and the place of a store of either kind."""
from __future__ import annotations

import gc
import signal
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "parts"))

from real_mongo import Mongo

# a shell without job control starts what is in its background with SIGINT ignored, and every process of a test would inherit that
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """Thousands of collected tests are no garbage, and are not looked through for some after each few requests."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def mongo_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mongo]:
    """One server for all tests of a process of pytest; each test has a database of its own."""
    server = Mongo(tmp_path_factory.mktemp("mongo"))
    print("MongoDB cases run on", server.name)
    yield server
    server.stop()


@pytest.fixture
def mongo_place(mongo_server: Mongo) -> Iterator[str]:
    """The URL of an empty database."""
    name = f"lrs_{uuid.uuid4().hex}"
    yield mongo_server.url(name)
    mongo_server.drop(name)


@pytest.fixture
def place(request: pytest.FixtureRequest) -> str:
    """Where the store of a test is: '' for files in its data folder, the URL of a database where the test says so
    (`every_store`)."""
    return request.getfixturevalue("mongo_place") if getattr(request, "param", "sqlite") == "mongo" else ""
