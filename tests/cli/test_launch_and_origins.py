"""`lrs credentials launch` and `--origin`: what the API's fields are on the command line."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from lrs.cli import main as cli
from lrs.store.open_store import open_store

ACTIVITY = "https://courses.example/fire"


def lrs(data: Path, *words: str) -> Result:
    return CliRunner().invoke(cli.command, ["--data", str(data), "credentials", *words])


def made(data: Path, *words: str) -> dict[str, Any]:
    result = lrs(data, *words, "--json")
    assert result.exit_code == 0, (result.output, result.exception)
    return dict(json.loads(result.stdout))


def test_a_launch_is_made_for_a_learner_and_an_activity(tmp_path: Path) -> None:
    parent = made(tmp_path, "create", "--name", "Acme LMS")
    one = made(tmp_path, "launch", "--actor", "ada@example.com", "--activity", ACTIVITY, "--minutes", "30", "--for", parent["key"])
    assert (one["actor"], one["provider"]) == ({"objectType": "Agent", "mbox": "mailto:ada@example.com"}, "acme-lms")
    account = json.dumps({"account": {"homePage": "https://lms.example", "name": "7"}})
    assert made(tmp_path, "launch", "--actor", account, "--activity", ACTIVITY)["actor"] == json.loads(account)
    store = open_store(tmp_path)
    assert [entry.action for entry in store.audit.list(limit=10)] == ["credentials.launch", "credentials.launch", "credentials.create"]
    store.close()
    assert len(lrs(tmp_path, "list").stdout.splitlines()) == 1


def test_origins_are_kept_and_shown(tmp_path: Path) -> None:
    key = made(tmp_path, "create", "--name", "Page", "--origin", "https://a.example", "--origin", "https://b.example:8443/")["key"]
    assert made(tmp_path, "show", key)["origins"] == ["https://a.example", "https://b.example:8443"]


@pytest.mark.parametrize(("words", "said"), [
    (("launch", "--actor", "ada", "--activity", ACTIVITY), "mbox"), (("launch", "--actor", "a@x.example", "--activity", "fire"), "IRI"),
    (("launch", "--actor", "a@x.example", "--activity", ACTIVITY, "--minutes", "0"), "minutes"),
    (("launch", "--actor", "a@x.example", "--activity", ACTIVITY, "--for", "nobody"), "no credential"),
    (("create", "--name", "Page", "--origin", "https://a.example/path"), "an origin such as"),
])
def test_what_is_wrong_is_said_and_nothing_is_made(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    open_store(tmp_path).close()
    result = lrs(tmp_path, *words)
    assert result.exit_code == 1
    assert said in f"{result.output} {result.exception}"
    store = open_store(tmp_path)
    assert store.credentials.list() == []
    store.close()


def test_an_actor_that_is_no_json_is_a_usage_error(tmp_path: Path) -> None:
    assert lrs(tmp_path, "launch", "--actor", "{ada", "--activity", ACTIVITY).exit_code == 2
