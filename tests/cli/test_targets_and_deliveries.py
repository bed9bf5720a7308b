"""`lrs targets`, `lrs deliveries`, `lrs sandbox` as an operator types them."""
from __future__ import annotations

import json
import signal
import subprocess
import sys

import httpx
import pytest
from click.testing import CliRunner

from lrs.cli.main import command
from lrs.errors import Invalid
from lrs.store.open_store import open_store
from lrs.store.protocols.work import Cursor, Output, Published


@pytest.fixture
def lrs(tmp_path):
    def run(*words):
        return CliRunner().invoke(command, ["--data", str(tmp_path), *words])

    run("migrate")
    return run


def test_a_webhook_target_gets_a_secret_shown_once_and_hidden_afterwards(lrs):
    made = json.loads(lrs("targets", "add", "hook", "--connector", "webhook", "--set", "url=https://r.example/", "--json").output)
    assert made["secret"].startswith("whsec_")
    assert made["secret"] not in lrs("targets", "list").output
    assert lrs("targets", "add", "hook", "--connector", "webhook", "--set", "url=https://r.example/").exit_code == 1


def test_wrong_settings_are_all_named(lrs):
    refused = lrs("targets", "add", "hris", "--connector", "bamboohr", "--set", "colour=red")
    assert isinstance(refused.exception, Invalid)
    assert [one.where for one in refused.exception.findings] == ["/settings/colour", "/settings/url", "/settings/api_key"]


def test_a_target_is_paused_and_resumed(lrs):
    lrs("targets", "add", "crm", "--connector", "hubspot", "--set", "token=t")
    assert json.loads(lrs("targets", "pause", "crm", "--why", "audit", "--json").output)["why"] == "audit"
    assert json.loads(lrs("targets", "resume", "crm", "--json").output)["state"] == "active"
    assert lrs("targets", "pause", "nobody").exit_code == 1


def test_a_target_is_removed(lrs, tmp_path):
    lrs("targets", "add", "crm", "--connector", "hubspot", "--set", "token=t")
    store = open_store(tmp_path)
    event = Published("learning.completed", "a", 1, b'{"event": "learning.completed", "id": "a", "revision": 1}')
    assert store.work.advance("route", Cursor(0, 0), Cursor(1, 0), Output(published=[event], owed=[(0, "crm")]))
    store.close()
    refused = lrs("targets", "remove", "crm")
    assert (refused.exit_code, "1 deliveries wait" in refused.output, "--drop-waiting" in refused.output) == (1, True, True)
    assert lrs("targets", "remove", "crm", "--drop-waiting").output == "crm is removed; 1 waiting deliveries cancelled\n"
    assert "no targets yet" in lrs("targets", "list").output
    assert "cancelled" in lrs("deliveries", "list", "--target", "crm").output
    assert lrs("targets", "remove", "nobody").exit_code == 1


def test_settings_change_one_by_one_and_the_secret_rotates_without_a_gap(lrs, tmp_path):
    made = lrs("targets", "add", "hook", "--connector", "webhook", "--set", "url=https://r.example/", "--json")
    first = json.loads(made.output)["secret"]
    changed = json.loads(lrs("targets", "change", "hook", "--set", "timeout=5", "--json").output)
    assert (changed["settings"]["timeout"], changed["settings"]["secret"]) == (5, "********")
    assert "timeout" not in json.loads(lrs("targets", "change", "hook", "--unset", "ca_file", "--json").output)["why"]
    second = json.loads(lrs("targets", "rotate", "hook", "--json").output)["secret"]
    store = open_store(tmp_path)
    assert store.work.target("hook").settings["secret"] == f"{second} {first}"
    lrs("targets", "rotate", "hook", "--retire")
    assert store.work.target("hook").settings["secret"] == second
    told = [(entry.action, entry.thing, entry.who.startswith("cli:")) for entry in store.audit.list(action="targets")]
    text = json.dumps([dict(entry.detail) for entry in store.audit.list()])
    store.close()
    assert told == [(f"targets.{verb}", "hook", True) for verb in ("retire", "rotate", "change", "change", "create")]
    assert first not in text
    assert second not in text


def test_a_target_is_tested_against_its_twin(lrs):
    twin = subprocess.Popen([sys.executable, "-m", "lrs.sandbox.bamboohr", "--key", "k"], stdout=subprocess.PIPE, text=True)
    url = twin.stdout.readline().split()[-1]
    try:
        for name, key in (("good", "k"), ("bad", "x")):
            lrs("targets", "add", name, "--connector", "bamboohr", "--set", f"url={url}", "--set", f"api_key={key}",
                "--set", "training_type=18", "--set", "allow_private=true")
        assert lrs("targets", "test", "good").exit_code == 0
        bad = lrs("targets", "test", "bad", "--json")
        assert (bad.exit_code, json.loads(bad.output)["status"]) == (1, 401)
    finally:
        twin.kill()
        twin.wait()
        twin.stdout.close()


def test_deliveries_are_listed_shown_and_replayed_after_a_count(lrs, tmp_path):
    lrs("targets", "add", "hook", "--connector", "webhook", "--set", "url=https://r.example/")
    store = open_store(tmp_path)
    event = b'{"event":"learning.completed","id":"a","revision":1}'
    store.work.advance("route", store.work.cursor("route"), Cursor(1, 0),
                       Output(published=[Published("learning.completed", "a", 1, event)], owed=[(0, "hook")]))
    store.work.set_target_state("hook", "paused", "x")
    store.close()
    row = json.loads(lrs("deliveries", "list", "--json").output)
    assert (row["target"], row["state"]) == ("hook", "pending")
    assert json.loads(lrs("deliveries", "show", row["id"], "--json").output)["payload"] == json.loads(event)
    assert json.loads(lrs("deliveries", "replay", "--target", "hook", "--dry", "--json").output) == {"count": 0, "dry": True}
    assert lrs("deliveries", "replay").exit_code == 2
    assert json.loads(lrs("deliveries", "cancel", "--target", "hook", "--dry", "--json").output) == {"count": 1, "dry": True}
    assert lrs("deliveries", "cancel", row["id"], "--why", "twice").output == "1 delivery will not be sent\n"
    assert lrs("deliveries", "cancel").exit_code == 2
    assert lrs("deliveries", "show", "no-such").exit_code == 1


@pytest.mark.parametrize("wrong", [("--state", ""), ("--state", "sent"), ("--limit", "0"), ("--limit", "-3"), ("--since", "soon")])
def test_what_selects_no_delivery_is_wrong_usage(lrs, wrong):
    assert lrs("deliveries", "list", *wrong).exit_code == 2


def test_a_delivery_that_is_named_and_not_taken_is_told_with_the_reason(lrs, tmp_path):
    assert lrs("deliveries", "list").output == "there are no deliveries yet\n"
    lrs("targets", "add", "hook", "--connector", "webhook", "--set", "url=https://r.example/")
    store = open_store(tmp_path)
    store.work.advance("route", store.work.cursor("route"), Cursor(1, 0),
                       Output(published=[Published("learning.completed", "a", 1, b"{}")], owed=[(0, "hook")]))
    store.close()
    assert lrs("deliveries", "list", "--target", "other").output == "there is no such delivery\n"
    name = json.loads(lrs("deliveries", "list", "--json").output)["id"]
    for verb, meant in (("replay", "delivered or dead or cancelled"), ("release", "parked")):
        refused = lrs("deliveries", verb, name, "no-such")
        due = json.loads(lrs("deliveries", "show", name, "--json").output)["due"]
        assert refused.exit_code == 1
        assert refused.stderr.splitlines() == [f"lrs: {name} is pending, due {due}; meant are those that are {meant}",
                                               'lrs: there is no delivery "no-such"']
    some = lrs("deliveries", "cancel", name, "no-such")
    assert (some.exit_code, some.stderr) == (0, 'lrs: there is no delivery "no-such"\n')
    gone = lrs("deliveries", "cancel", name)
    assert (gone.exit_code, f"{name} is cancelled" in gone.stderr) == (1, True)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_sandbox_says_where_it_listens_and_leaves_nothing_behind(how):
    lrs = subprocess.Popen([sys.executable, "-c", "from lrs.cli.main import main; main()", "sandbox", "webhook", "--json"],
                           stdout=subprocess.PIPE, text=True)
    url = json.loads(lrs.stdout.readline())["url"]
    assert httpx.get(f"{url}/sandbox/received").json() == []
    lrs.send_signal(how)
    lrs.wait(10)
    lrs.stdout.close()
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)
