"""Stores under test: factories that open the same store again, as another process would."""
from __future__ import annotations

import sys
import uuid
from pathlib import Path

import pytest

from lrs.statements.record import Prepared
from lrs.store.mongo.statements import MongoStatements

sys.path.insert(0, str(Path(__file__).parents[1] / "parts"))

from real_mongo import Mongo
from store_openers import opened, opened_part


def same(stored: bytes, received: bytes) -> bool:
    """Equality for tests: the body after the printed time."""
    return stored.partition(b"|")[2] == received


def prepared(statement_id: str | None = None, terms: tuple[int, ...] = (1,), *, body: bytes = b"body", target: str | None = None,
             void: bool = False, provider: str = "acme", credential: str = "key", may_void_any: bool = False) -> Prepared:
    """A statement ready to be stored, whose text is `<stored>|<body>`."""
    return Prepared(statement_id or str(uuid.uuid4()), (b"", b"|" + body), body, terms, b"{}", credential, provider, target,
                    target if void else None, may_void_any)


@pytest.fixture(scope="session")
def mongo_server(tmp_path_factory):
    """One server for all tests of a run; each test has a database of its own."""
    server = Mongo(tmp_path_factory.mktemp("mongo"))
    print("MongoDB cases run on", server.name)
    yield server
    server.stop()


@pytest.fixture
def mongo_place(mongo_server):
    """The URL of an empty database."""
    name = f"lrs_{uuid.uuid4().hex}"
    yield mongo_server.url(name)
    mongo_server.drop(name)


@pytest.fixture
def sqlite_place(tmp_path):
    """A folder."""
    return str(tmp_path)


@pytest.fixture(params=["mongo", "sqlite"])
def place(request):
    """Where a store of each kind is opened."""
    return request.getfixturevalue(f"{request.param}_place")


def opener(place):
    """A function that opens the store at this place, and what closes all that it opened."""
    stores = []

    def open_one(**options):
        stores.append(opened(place, **options))
        return stores[-1][0]

    def close():
        for store, database in stores:
            if isinstance(store, MongoStatements):
                store.close()
            database.close()

    return open_one, close


@pytest.fixture
def open_statements(place):
    """Opens the same store again, of each kind."""
    open_one, close = opener(place)
    yield open_one
    close()


@pytest.fixture
def open_sqlite(sqlite_place):
    """Opens the same files again: for what is promised of files only."""
    open_one, close = opener(sqlite_place)
    yield open_one
    close()


@pytest.fixture
def open_mongo(mongo_place):
    """Opens the same database again: for what is promised of MongoDB only."""
    open_one, close = opener(mongo_place)
    yield open_one
    close()


@pytest.fixture
def open_part(place):
    """Opens a part of the store by its name, of each kind; twice is what two processes have."""
    databases = []

    def open_one(name):
        part, database = opened_part(place, name)
        databases.append(database)
        return part

    yield open_one
    for database in databases:
        database.close()


@pytest.fixture
def statements_store(open_statements):
    return open_statements()


@pytest.fixture
def make():
    return prepared


@pytest.fixture
def equal():
    return same
