"""`lrs verify` on MongoDB: finds nothing in a sound store, and names each promise that was broken by hand."""
from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from bson import Int64
from click.testing import CliRunner
from filled_store import filled
from pymongo.database import Database
from real_mongo import Mongo

from lrs.cli.main import command
from lrs.management import verify
from lrs.store.mongo.references import packed
from lrs.store.open_store import open_store

Break = Callable[[Database[Any]], object]


@pytest.fixture(scope="module")
def server(mongo_server: Mongo) -> Iterator[Mongo]:
    """The run's server, with a filled store that each test copies."""
    filled(mongo_server.url("filled"))
    yield mongo_server
    mongo_server.client.drop_database("filled")


@pytest.fixture
def url(server: Mongo) -> Iterator[str]:
    """The URL of a copy of the filled store."""
    name = f"lrs_{uuid.uuid4().hex}"
    with closing(open_store(server.url(name))):  # collections and indexes
        for each in server.client["filled"].list_collection_names():
            server.client[name][each].delete_many({})
            if documents := list(server.client["filled"][each].find()):
                server.client[name][each].insert_many(documents)
    yield server.url(name)
    server.drop(name)


def broken(url: str) -> list[verify.Broken]:
    with closing(open_store(url)) as store:
        return list(verify.verify(store))


def first(db: Database[Any]) -> dict[str, Any]:
    found = db["statements"].find_one({"seq": {"$gt": 0}}, sort=[("seq", 1)])
    assert found is not None
    return dict(found)


def change(name: str, change: dict[str, Any], wanted: dict[str, Any] | None = None) -> Break:
    def done(db: Database[Any]) -> None:
        assert db[name].update_many(wanted or {}, change).matched_count, name
    return done


def change_first(**fields: Callable[[dict[str, Any]], Any]) -> Break:
    def done(db: Database[Any]) -> None:
        one = first(db)
        db["statements"].update_one({"_id": one["_id"]}, {"$set": {name: made(one) for name, made in fields.items()}})
    return done


def gone(name: str) -> Break:
    def done(db: Database[Any]) -> None:
        assert db[name].delete_many({}).deleted_count, name
    return done


def later_stored(db: Database[Any]) -> None:
    last = db["statements"].find_one({"seq": {"$gt": 0}}, sort=[("seq", -1)])
    assert last is not None
    db["statements"].update_one({"_id": last["_id"]}, {"$inc": {"seq": Int64(1)}})


FUTURE = Int64(1 << 52)
BREAKS: dict[str, tuple[Break, set[str]]] = {
    "a term kept too many": (change_first(terms=lambda one: [*one["terms"], Int64(7)]), {"terms"}),
    "an altered text": (change_first(text=lambda one: one["text"].replace(b"passed", b"failed")), {"terms"}),
    "a text that is none": (change_first(text=lambda one: b"{"), {"terms"}),
    "the rows of a reference gone": (gone("shadows"), {"index"}),
    "a row of nobody": (lambda db: db["shadows"].insert_one({"_id": packed((7, 8)), "terms": [Int64(7)]}), {"orphan"}),
    "a row by way of what it does not refer to": (
        lambda db: db["shadows"].insert_one({"_id": packed((first(db)["seq"], db["statements"].find_one(
            {"seq": {"$gt": first(db)["seq"]}}, sort=[("seq", 1)])["seq"])), "terms": first(db)["terms"][:1]}), {"orphan"}),
    "a later stored": (later_stored, {"order"}),
    "a void undone": (change("statements", {"$set": {"voided": False}}), {"void"}),
    "a void of nobody": (change_first(voided=lambda one: True), {"void"}),
    "no reading": (change_first(reading=lambda one: b"{"), {"reading"}),
    "a reading without version": (change_first(reading=lambda one: json.dumps(
        {name: value for name, value in json.loads(one["reading"]).items() if name != "map_version"}).encode()), {"reading"}),
    "data gone": (gone("attachments"), {"attachment"}),
    "a cursor ahead": (change("cursors", {"$set": {"seq": FUTURE}}), {"cursor"}),
    "a cursor ahead of the directory": (change("cursors", {"$set": {"change": Int64(99)}}), {"cursor"}),
    "the sessions' cursor ahead": (change("session_cursor", {"$set": {"seq": FUTURE}}), {"cursor"}),
    "the definitions' cursor ahead": (change("definitions_cursor", {"$set": {"seq": FUTURE}}), {"cursor"}),
    "a gap in the feed": (change("feed", {"$set": {"n": Int64(2)}}), {"feed"}),
    "a revision left out": (change("feed", {"$set": {"revision": Int64(2)}}), {"feed", "event", "delivery"}),
    "an event gone": (gone("feed"), {"event", "delivery"}),
    "an achievement gone": (gone("states"), {"event"}),
    "a delivery of nothing": (change("deliveries", {"$set": {"event_id": "x"}}), {"delivery"}),
}


def test_a_sound_database_has_nothing_to_tell(url: str, tmp_path: Path) -> None:
    assert broken(url) == []
    told = CliRunner().invoke(command, ["--data", str(tmp_path), "verify"], env={
        "LRS_STORE": url, "LRS_TEST_MONGO": None, "LRS_TEST_MONGO_URL": None})
    assert (told.exit_code, told.output) == (0, "6 statements: every promise holds\n")


@pytest.mark.parametrize("what", BREAKS)
def test_a_promise_broken_by_hand_is_named(what: str, url: str, server: Mongo) -> None:
    change, expected = BREAKS[what]
    change(server.client[url.rpartition("/")[2].partition("?")[0]])
    assert {one.promise for one in broken(url)} == expected


def test_every_promise_is_broken_by_some_test() -> None:
    # `whole` has tests of its own, test_lost_files.py: such a store is not even opened
    assert set().union(*(expected for _, expected in BREAKS.values())) | {"whole"} == set(verify.PROMISES)
