"""Stores under test: a factory that opens the same files again, as another process would."""
from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from lrs.statements.record import Prepared
from lrs.store.sqlite.database import Database
from lrs.store.sqlite.statements import SqliteStatements


def same(stored: bytes, received: bytes) -> bool:
    """Equality for tests: the body after the printed time."""
    return stored.partition(b"|")[2] == received


def prepared(statement_id: str | None = None, terms: tuple[int, ...] = (1,), *, body: bytes = b"body", target: str | None = None,
             void: bool = False, provider: str = "acme", credential: str = "key", may_void_any: bool = False) -> Prepared:
    """A statement ready to be stored, whose text is `<stored>|<body>`."""
    return Prepared(statement_id or str(uuid.uuid4()), (b"", b"|" + body), body, terms, b"{}", credential, provider, target,
                    target if void else None, may_void_any)


def open_sqlite(folder: Path, ticks=None) -> tuple[SqliteStatements, Database]:
    """A second opening of the same file is a second Database: what another process has."""
    database = Database(folder / "statements.db")
    store = SqliteStatements(database, ticks)
    store.migrate()
    return store, database


OPENERS = {"sqlite": open_sqlite}


@pytest.fixture(params=sorted(OPENERS))
def open_statements(request, tmp_path):
    opened = []

    def open_one(**options):
        store, database = OPENERS[request.param](tmp_path, **options)
        opened.append(database)
        return store

    yield open_one
    for database in opened:
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
