"""One MongoDB database: a replica set or nothing, every call durable and under a deadline, indexes by migrate only."""
from __future__ import annotations

import time

import pytest
from pymongo.monitoring import CommandListener
from real_mongo import Mongo
from real_parts import free_port
from test_work_deliveries import LATER

from lrs.errors import StoreUnavailable
from lrs.statements.record import Query
from lrs.store.intents import PLACES
from lrs.store.mongo.claims import TURN
from lrs.store.mongo.database import Database, Standalone
from lrs.store.mongo.statements import LAYOUT, MongoStatements
from lrs.store.mongo.work import MongoWork
from lrs.store.protocols.work import Attempt, Cursor, Output, Published, TargetRow

WRITES = {"insert", "update", "delete"}
READS = {"find", "aggregate", "count"}


class Heard(CommandListener):
    def __init__(self):
        self.commands = []

    def started(self, event):
        self.commands.append((event.command_name, dict(event.command)))

    def succeeded(self, event):
        pass

    def failed(self, event):
        pass


def indexes(server, place):
    database = server.client.get_database(place.rpartition("/")[2].partition("?")[0])
    return {name: {index["name"]: list(index["key"].items()) for index in database[name].list_indexes()}
            for name in database.list_collection_names()}


def test_what_is_sent_is_durable_and_has_a_deadline(mongo_place, make, equal):
    heard = Heard()
    database = Database(mongo_place, [heard])
    store = MongoStatements(database)
    store.migrate()
    heard.commands.clear()
    one = make()
    store.add([one, make(target=one.id), make(target=make().id, void=True)], equal)
    store.page(Query((1,)))
    store.get(one.id)
    store.count()
    store.consistent_through()
    store.do_shadow_todo()
    store.close()
    database.close()
    names = {name for name, _ in heard.commands}
    assert WRITES - {"delete"} | {"find", "aggregate", "commitTransaction"} <= names
    for name, command in heard.commands:
        inside = "txnNumber" in command and command.get("autocommit") is False
        if (name in WRITES and not inside) or name == "commitTransaction":
            assert command["writeConcern"] == {"w": "majority", "j": True}, command
        if name in READS and not inside:
            assert command["readConcern"]["level"] == "majority", command
        if name in WRITES | READS | {"commitTransaction"}:
            assert 0 < command["maxTimeMS"] <= (60_000 if name == "aggregate" else 5_000), command  # it counts
    assert any(command.get("readConcern", {}).get("level") == "snapshot" for _, command in heard.commands)


def test_a_page_looks_for_what_refers_to_another_only_where_something_may(mongo_place, make, equal):
    heard = Heard()
    database = Database(mongo_place, [heard])
    store = MongoStatements(database)
    store.migrate()

    def asked(**how):
        heard.commands.clear()
        found = [one.id for one in store.page(Query((1,), **how)).records]
        return found, [command["find"] for name, command in heard.commands if name == "find"][-2:]

    old, new = make(), [make() for _ in range(5)]
    referring = make(terms=(2,), target=old.id)
    store.add([old], equal)
    assert asked() == ([old.id], ["writers", "statements"])
    store.add([referring], equal)
    assert asked() == ([referring.id, old.id], ["shadows", "statements"]), "and the statement that refers, by its seq"
    store.add(new, equal)
    newest = [one.id for one in reversed(new)]
    assert asked(limit=4) == (newest[:4], ["writers", "statements"])
    assert asked(limit=100)[0] == [*newest, referring.id, old.id]
    assert asked(limit=1, ascending=True) == ([old.id], ["shadows", "statements"])
    after = store.page(Query((1,), ascending=True, limit=2)).more
    assert asked(ascending=True, after=after) == (newest[::-1], ["writers", "statements"])
    store.close()
    database.close()


@pytest.mark.parametrize("lost", [lambda places: places.update_many({}, {"$unset": {"referring": 1}}), lambda places: places.drop(),
                                  lambda places: places.delete_one({"_id": 3})], ids=["the marks", "the collection", "a place"])
@pytest.mark.parametrize("absent", [False, True], ids=["", "whose statement comes later"])
def test_whose_writers_were_lost_finds_what_refers_to_another_all_the_same(mongo_place, mongo_server, make, equal, lost, absent):
    database = Database(mongo_place)
    store = MongoStatements(database)
    store.migrate()
    one = make()
    referring = make(terms=(2,), target=one.id)
    store.add([referring] if absent else [one, referring], equal)
    store.close()
    lost(mongo_server.client[mongo_place.rpartition("/")[2].partition("?")[0]]["writers"])
    store = MongoStatements(database)
    store.migrate()
    store.add([one] if absent else [make(terms=(3,))], equal)
    assert {found.id for found in store.page(Query((1,))).records} == {referring.id, one.id}
    with database.read() as calls:
        marks = [one["referring"] for one in calls.find("writers", {"_id": {"$gte": 0}})]
    assert len(marks) == PLACES
    assert max(marks) == store.get(referring.id).seq
    store.close()
    database.close()


def test_a_database_that_does_not_say_what_refers_is_looked_through_as_before(mongo_place, mongo_server, make, equal):
    database = Database(mongo_place)
    store = MongoStatements(database)
    store.migrate()
    one = make()
    referring = make(terms=(2,), target=one.id)
    store.add([one, referring], equal)
    name = mongo_place.rpartition("/")[2].partition("?")[0]
    mongo_server.client[name]["writers"].update_many({}, {"$unset": {"referring": 1}})
    store.close()
    store = MongoStatements(database)
    store.add([make(terms=(3,))], equal)
    assert [found.id for found in store.page(Query((1,))).records] == [referring.id, one.id]
    store.close()
    database.close()


def test_only_migrate_makes_collections_and_indexes_and_again_changes_nothing(mongo_place, mongo_server, make, equal):
    database = Database(mongo_place)
    store = MongoStatements(database)
    store.migrate()
    made = indexes(mongo_server, mongo_place)
    for name, wanted in LAYOUT.indexes.items():
        assert {key: list(keys) for key, keys in wanted.items()}.items() <= made[name].items()
    key = store.term_key
    store.add([make(), make(target=make().id)], equal)
    store.page(Query((1,)))
    store.migrate()
    assert indexes(mongo_server, mongo_place) == made
    assert MongoStatements(database).term_key == key
    assert store.count() == 2
    store.close()
    database.close()


def test_a_server_without_a_replica_set_is_refused_with_what_mends_it(tmp_path):
    server = Mongo(tmp_path, standalone=True)
    try:
        database = Database(server.url("alone"))
        with pytest.raises(Standalone, match=r"mongod --replSet rs0[^$]*rs\.initiate\(\)"):
            MongoStatements(database).migrate()
        database.close()
        assert "alone" not in server.client.list_database_names()
    finally:
        server.stop()


@pytest.mark.parametrize("url", ["mongodb://", "mongodb://127.0.0.1:99999999/", "mongodb://127.0.0.1/?replicaSet="])
def test_a_url_that_cannot_be_is_unavailable_and_no_traceback_of_the_driver(url):
    with pytest.raises((StoreUnavailable, ValueError)):
        Database(url).check()


def test_a_server_that_is_not_there_is_unavailable_in_time(monkeypatch):
    monkeypatch.setattr("lrs.store.mongo.database.PATIENCE", 0.5)
    database = Database(f"mongodb://127.0.0.1:{free_port()}/lrs?replicaSet=rs0")
    start = time.monotonic()
    with pytest.raises(StoreUnavailable):
        MongoStatements(database).consistent_through()
    assert time.monotonic() - start < 3
    database.close()


def test_who_claims_takes_his_turn_before_he_does_anything_else(mongo_place):
    heard = Heard()
    database = Database(mongo_place, [heard])
    work = MongoWork(database)
    work.migrate()
    work.add_target(TargetRow("hris", "webhook"))
    rows = [Published("learning.completed", name, 1, b"{}") for name in ("a", "b")]
    assert work.advance("route", Cursor(), Cursor(1, 0), Output((), rows, [(0, "hris"), (1, "hris")]))
    [one] = work.claim_due(1, 60, "me", LATER)
    heard.commands.clear()
    [_] = work.claim_due(1, 60, "me", LATER, ended=[Attempt(one.id, one.lease, LATER, "delivered", 1, None, "", 200)])
    (name, command), *rest = heard.commands
    assert (name, command[name], command["updates"][0]["q"]) == ("update", "numbers", {"_id": TURN})
    assert rest[-1][0] == "commitTransaction"
    database.close()


def test_a_transaction_whose_time_is_over_leaves_nothing_in_the_way_of_others(mongo_place, monkeypatch):
    slow, other = Database(mongo_place), Database(mongo_place)
    with slow.alone() as calls:
        calls.insert("probes", [{"_id": 1, "n": 0}])

    def outlast(calls):
        calls.update("probes", {"_id": 1}, {"$set": {"n": 1}})
        time.sleep(0.8)  # beyond the time that it is given below
        calls.update("probes", {"_id": 1}, {"$set": {"n": 2}})

    with monkeypatch.context() as patched:
        patched.setattr("lrs.store.mongo.database.PATIENCE", 0.5)
        with pytest.raises(StoreUnavailable):
            slow.write(outlast)
    with slow.session() as held:  # so that `slow` cannot end it by chance, by using that session again
        other.write(lambda calls: calls.update("probes", {"_id": 1}, {"$set": {"n": 3}}))
        assert held
    with other.read() as calls:
        assert calls.one("probes", {"_id": 1}) == {"_id": 1, "n": 3}
    slow.close()
    other.close()
