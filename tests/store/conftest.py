"""Stores under test: factories that open the same store again, as another process would."""
from __future__ import annotations

import uuid

import pytest
from store_openers import opened, opened_part

from lrs.statements.record import Prepared
from lrs.store.mongo.statements import MongoStatements


def same(stored: bytes, received: bytes) -> bool:
    """Equality for tests: the body after the printed time."""
    return stored.partition(b"|")[2] == received


def prepared(statement_id: str | None = None, terms: tuple[int, ...] = (1,), *, body: bytes = b"body", target: str | None = None,
             void: bool = False, provider: str = "acme", credential: str = "key", may_void_any: bool = False) -> Prepared:
    """A statement ready to be stored, whose text is `<stored>|<body>`."""
    return Prepared(statement_id or str(uuid.uuid4()), (b"", b"|" + body), body, terms, b"{}", credential, provider, target,
                    target if void else None, may_void_any)


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
