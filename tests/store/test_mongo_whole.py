"""A MongoDB database as a whole: made ready where it is empty, refused with what to do where it is of another version."""
from __future__ import annotations

import threading
from contextlib import closing

import pytest

from lrs.errors import NotFound, WrongState
from lrs.store.mongo import schema
from lrs.store.mongo.whole import LAYOUTS, migrate
from lrs.store.open_store import open_store
from lrs.store.protocols.connections import Connection


@pytest.fixture
def database(mongo_server, mongo_place):
    """The database as the driver has it."""
    return mongo_server.client.get_database(mongo_place.rpartition("/")[2].partition("?")[0])


def layout(database):
    return {name: sorted(index["name"] for index in database[name].list_indexes()) for name in database.list_collection_names()}


def test_an_empty_database_is_made_ready_by_the_first_that_opens_it(mongo_place, database):
    with pytest.raises(NotFound):
        open_store(mongo_place, first=False)
    assert database.list_collection_names() == []
    with closing(open_store(mongo_place)) as store:
        assert store.connections.create(Connection("live", "zoom", "key"))
    made = layout(database)
    assert {name for one in LAYOUTS for name in one.indexes} <= set(made)
    with closing(open_store(mongo_place, first=False)) as store:
        assert store.connections.by_name("live") is not None
        key = store.statements.term_key
    told = []
    migrate(mongo_place, lambda what, share: told.append(share))
    assert (layout(database), told == sorted(told), told[-1] < 1) == (made, True, True)
    with closing(open_store(mongo_place)) as store:
        assert store.statements.term_key == key


def test_a_database_of_something_else_is_made_ready_by_migrate_only_and_keeps_what_it_has(mongo_place, database):
    database["invoices"].insert_one({"_id": 1})
    with pytest.raises(WrongState, match="lrs migrate"):
        open_store(mongo_place)
    assert database.list_collection_names() == ["invoices"]
    migrate(mongo_place)
    open_store(mongo_place).close()
    assert database["invoices"].find_one() == {"_id": 1}


def test_a_later_version_is_refused_and_stays_what_it_is(mongo_place, database):
    open_store(mongo_place).close()
    database[schema.NAME].update_one({}, {"$set": {"version": schema.VERSION + 1}})
    for refused in (open_store, migrate):
        with pytest.raises(WrongState, match="later version"):
            refused(mongo_place)
    assert database[schema.NAME].find_one()["version"] == schema.VERSION + 1


def test_an_earlier_version_is_migrated_beside_those_who_use_it(mongo_place, database, monkeypatch):
    with closing(open_store(mongo_place)) as running:
        monkeypatch.setattr(schema, "VERSION", schema.VERSION + 1)
        with pytest.raises(WrongState, match="earlier version"):
            open_store(mongo_place)
        database["deliveries"].drop_index("by_newest")
        migrate(mongo_place)
        assert "by_newest" in layout(database)["deliveries"]
        assert running.connections.create(Connection("live", "zoom", "key"))
        open_store(mongo_place).close()


def test_a_first_migration_that_was_broken_off_is_finished_by_whoever_opens_it(mongo_place, database):
    database[schema.NAME].insert_one({"_id": 1, "version": schema.BEGUN})
    database["statements"].create_index([("seq", 1)], name="by_seq", sparse=True)
    with closing(open_store(mongo_place)) as store:
        assert store.statements.count() == 0
    assert database[schema.NAME].find_one()["version"] == schema.VERSION


def test_an_index_that_is_another_one_is_named(mongo_place, database):
    open_store(mongo_place).close()
    database["feed"].drop_index("by_n")
    database["feed"].create_index([("body", 1)], name="by_n")
    with pytest.raises(WrongState, match="by_n of feed"):
        migrate(mongo_place)


def test_many_may_open_an_empty_database_at_once(mongo_place, database):
    start, keys, faults = threading.Barrier(3), set(), []

    def open_it():
        start.wait()
        try:
            with closing(open_store(mongo_place)) as store:
                keys.add((store.statements.term_key, store.credentials.secret_key))
        except Exception as fault:
            faults.append(fault)

    threads = [threading.Thread(target=open_it) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (faults, len(keys)) == ([], 1)
    assert database["writers"].count_documents({}) == 17
