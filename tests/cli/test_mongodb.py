"""The command line on a MongoDB database: made ready by migrate, never shown with its password, files' commands refused."""
from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from lrs import config
from lrs.cli.main import command
from lrs.errors import StoreUnavailable, WrongState
from lrs.store.mongo import schema

NOWHERE = "mongodb://ada:s3cret@127.0.0.1:1/lrs?replicaSet=rs0&tlsCertificateKeyFilePassword=s3cond"


@pytest.fixture
def run(tmp_path):
    """Runs a command with a database as the store."""
    return lambda store, *words: CliRunner().invoke(command, ["--data", str(tmp_path / "data"), *words], env={"LRS_STORE": store})


def test_what_is_there_already_is_made_ready_by_migrate_and_doing_it_twice_changes_nothing(run, mongo_place, mongo_server):
    database = mongo_server.client.get_database(mongo_place.rpartition("/")[2].partition("?")[0])
    database["invoices"].insert_one({})
    refused = run(mongo_place, "status")
    assert isinstance(refused.exception, WrongState)
    for _ in range(2):
        told = run(mongo_place, "migrate")
        assert (told.exit_code, told.output) == (0, f"{mongo_place} is up to date\n")
    assert json.loads(run(mongo_place, "status", "--json").output)["accepted"] == 0


def test_check_creates_nothing_and_says_what_stands_in_the_way(run, mongo_place, mongo_server):
    database = mongo_server.client.get_database(mongo_place.rpartition("/")[2].partition("?")[0])
    assert json.loads(run(mongo_place, "check", "--json").output)["errors"] == 0
    assert database.list_collection_names() == []
    run(mongo_place, "migrate")
    database[schema.NAME].update_one({}, {"$set": {"version": schema.VERSION + 1}})
    told = json.loads(run(mongo_place, "check", "--json").output)
    assert [(one["check"], "later version" in one["what"]) for one in told["findings"] if one["level"] == "error"] == [("store", True)]


@pytest.mark.parametrize(("words", "told"), [(("backup", "--to", "x.tar"), "mongodump"), (("restore", "--from", "x.tar"), "mongorestore")])
def test_commands_that_know_files_only_say_so(run, words, told):
    done = run(NOWHERE, *words)
    assert (done.exit_code, told in done.output, "s3" in done.output) == (1, True, False)


def test_a_database_is_never_shown_with_its_passwords(run, monkeypatch):
    monkeypatch.setattr("lrs.store.mongo.database.PATIENCE", 0.2)
    shown = "mongodb://ada:********@127.0.0.1:1/lrs?replicaSet=rs0&tlsCertificateKeyFilePassword=********"
    assert json.loads(run(NOWHERE, "settings", "--json").output)["store"] == shown
    told = run(NOWHERE, "check")
    assert (told.exit_code, shown in told.output, "s3" in told.output) == (1, True, False)
    for words in (("status",), ("migrate",), ("credentials", "list"), ("verify",), ("move", "--from", NOWHERE, "--to", "nowhere")):
        done = run(NOWHERE, *words)
        assert isinstance(done.exception, StoreUnavailable)
        assert "s3" not in str(done.exception) + done.output


@pytest.mark.parametrize("text", ["mongodb://", "mongodb:///lrs", "mongodb://host/lrs/more", "postgres://host/lrs", "/var/lib/lrs", "mongodb://host/a#b"])
def test_what_is_no_database_is_refused_with_what_would_do(text):
    with pytest.raises(config.BadSetting, match=r"LRS_STORE is '…', but must be .*mongodb://.*or unset, for SQLite") as refused:
        config.load({"LRS_STORE": text})
    assert text not in str(refused.value) or text == "mongodb://"


@pytest.mark.parametrize("text", ["mongodb://host/lrs", "mongodb+srv://host", "mongodb://u:p%40@a:1,b:2,[::1]:3/lrs?replicaSet=rs0&w=1"])
def test_what_is_a_database_is_taken(text):
    assert config.load({"LRS_STORE": text}).place == text
