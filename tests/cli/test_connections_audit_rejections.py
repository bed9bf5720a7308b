"""`lrs credentials test`, `lrs people`, `lrs connections`, `lrs audit`, `lrs rejections`: what the API does, on the command line."""
from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from werkzeug.serving import make_server

from lrs.app import create_app
from lrs.cli.main import command
from lrs.config import load
from lrs.services import Services
from lrs.store.open_store import open_store

ZOOM = ("connections", "add", "academy", "--source", "zoom", "--set", "secret_token=first-secret-token")
BAD = {"actor": {"mbox": "mailto:ada@example.com"}, "verb": {"id": "no iri\x1b[2J"}, "object": {"id": "https://c.example/1"}}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def lrs(data: Path, *words: str, code: int = 0, given: str | None = None) -> Result:
    result = CliRunner().invoke(command, ["--data", str(data), *words], input=given)
    assert result.exit_code == code, (result.exit_code, result.output, result.exception)
    return result


def told(data: Path, *words: str, code: int = 0) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(lrs(data, *words, "--json", code=code).stdout)
    return value


def lines(data: Path, *words: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lrs(data, *words, "--json").stdout.splitlines()]


@pytest.fixture
def served(data: Path) -> Iterator[str]:
    """A running LRS on the same store."""
    store = open_store(data)
    server = make_server("127.0.0.1", 0, create_app(Services(load({"LRS_DATA": str(data)}), store)), threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join(5)
    store.close()


def test_a_test_statement_travels_over_http_as_the_providers_own(data: Path, served: str) -> None:
    made = told(data, "credentials", "create", "--name", "Acme LMS")
    got = told(data, "credentials", "test", made["key"], "--secret", made["secret"], "--url", served)
    assert got["status"] == 200
    store = open_store(data)
    assert store.statements.count() == 1
    store.close()
    asked = lrs(data, "credentials", "test", made["key"], "--secret", "-", "--url", served, given=made["secret"] + "\n")
    assert made["secret"] not in asked.output


@pytest.mark.parametrize(("scopes", "secret", "status", "why"), [
    (["statements/read"], "", 403, "needs the scope statements/write"),
    (["statements/write"], "x" * 40, 401, "not known, revoked or expired")])
def test_what_stands_in_the_way_is_said_in_the_words_of_the_answer(
    data: Path, served: str, scopes: list[str], secret: str, status: int, why: str,
) -> None:
    made = told(data, "credentials", "create", "--name", "A", *(word for scope in scopes for word in ("--scope", scope)))
    got = told(data, "credentials", "test", made["key"], "--secret", secret or made["secret"], "--url", served, code=1)
    assert got["status"] == status
    assert why in got["failed"]


def test_an_address_where_nobody_answers_is_said(data: Path) -> None:
    for url in ("http://127.0.0.1:1", "ftp://x", "nowhere", "http://[bad"):
        assert "does not answer" in told(data, "credentials", "test", "key", "--secret", "s", "--url", url, code=1)["failed"]
    lrs(data, "credentials", "test", "key", "--url", "http://127.0.0.1:1", code=2)


def test_a_test_without_a_secret_is_stored_here(data: Path) -> None:
    made = told(data, "credentials", "create", "--name", "Acme LMS")
    got = told(data, "credentials", "test", made["key"])
    assert (got["provider"], got["see_with"]) == ("acme-lms", "this credential")
    assert "experienced" in lrs(data, "credentials", "test", made["key"]).stdout
    assert 'no credential "nobody"' in lrs(data, "credentials", "test", "nobody", code=1).stderr
    lrs(data, "credentials", "revoke", made["key"])
    assert "is revoked" in lrs(data, "credentials", "test", made["key"], code=1).stderr


def test_a_credential_is_shown_and_the_last_of_all_revoked_with_a_warning(data: Path) -> None:
    made = told(data, "credentials", "create", "--name", "Root", "--scope", "all", "--key", "root-key")
    shown = told(data, "credentials", "show", "root-key")
    assert (shown["scopes"], "secret" in shown, "webhook_secret" in shown) == (["all"], False, False)
    assert told(data, "credentials", "show", "root-key", "--webhook-secret")["webhook_secret"] == made["webhook_secret"]
    assert "last one with the scope all" in lrs(data, "credentials", "revoke", "root-key").stderr
    assert [one["action"] for one in lines(data, "audit", "list", "--thing", "root-key")] == [
        "credentials.revoke", "credentials.show_webhook_secret", "credentials.create"]


def test_a_person_is_put_found_and_shown(data: Path) -> None:
    lrs(data, "people", "put", "007", "--email", "Ada@Example.com", "--name", "Ada", "--alias", "ada@old.example")
    assert told(data, "people", "show", "007")["email"] == "ada@example.com"
    for words in (("--q", "ADA"), ("--email", "ada@old.example"), ("--identifier", "mailto:ada@example.com")):
        assert [one["employee_id"] for one in lines(data, "people", "list", *words)] == ["007"]
    assert lrs(data, "people", "list", "--q", "bo").stdout == "nobody is found\n"
    assert "no person" in lrs(data, "people", "show", "8", code=1).stderr
    lrs(data, "people", "put", "8", "--email", "nobody", code=1)
    assert lines(data, "audit", "list", "--action", "people.put")[0]["who"].startswith("cli:")


def test_an_import_is_rehearsed(data: Path) -> None:
    rows = "employee_id,email\n1,a@x.example\n2,nobody\n"
    rehearsed = lrs(data, "people", "import", "-", "--dry-run", given=rows, code=1)
    assert rehearsed.stdout.startswith("1 people would be imported, 1 rows refused")
    assert lrs(data, "people", "list").stdout == "nobody yet: lrs people import\n"


def test_who_is_waited_for(data: Path, served: str) -> None:
    assert "nobody is waited for" in lrs(data, "people", "waiting").stderr
    assert lines(data, "people", "waiting") == []


def test_a_connection_lives_its_life(data: Path) -> None:
    added = lrs(data, *ZOOM)
    assert "/hooks/zoom/academy" in added.stdout
    assert "1. In the Zoom app" in added.stdout
    shown = told(data, "connections", "show", "academy")
    assert shown["settings"]["secret_token"] == "********"
    assert [one["name"] for one in lines(data, "connections", "list")] == ["academy"]
    assert told(data, "connections", "set", "academy", "--set", "retention_days=3")["settings"]["retention_days"] == 3
    lrs(data, "connections", "pause", "academy")
    assert told(data, "connections", "show", "academy")["state"] == "paused"
    lrs(data, "connections", "resume", "academy")
    lrs(data, "connections", "rotate", "academy", "--secret", "second-secret-token")
    assert told(data, "connections", "show", "academy")["secrets_taken"] == 2
    lrs(data, "connections", "rotate", "academy", "--done")
    assert "one secret only" in lrs(data, "connections", "rotate", "academy", "--done", code=1).stderr
    assert lines(data, "connections", "payloads", "academy") == []
    for words in (("show", "other"), ("pause", "other"), ("payloads", "other"), ("rotate", "other", "--done")):
        assert 'no connection "other"' in lrs(data, "connections", *words, code=1).stderr
    for words in (("rotate", "academy"), ("set", "academy"), ("set", "academy", "--set", "novalue"), ("add", "x")):
        lrs(data, "connections", *words, code=2)
    assert "secret-token" not in lrs(data, "audit", "list").stdout
    assert {"secret_token"} <= {one["name"] for one in lines(data, "connections", "sources")}


def test_a_rejection_is_listed_counted_and_shown_without_commanding_the_terminal(data: Path, served: str) -> None:
    import httpx
    made = told(data, "credentials", "create", "--name", "A")
    for _ in range(2):
        answer = httpx.post(f"{served}/xapi/statements", json=BAD, auth=(made["key"], made["secret"]),
                            headers={"X-Experience-API-Version": "1.0.3"})
        assert answer.status_code == 400
    from time import monotonic, sleep
    until = monotonic() + 10
    while len(found := lines(data, "rejections", "list")) < 2 and monotonic() < until:
        sleep(0.1)
    assert [one["credential"] for one in found] == [made["key"]] * 2
    [rule] = found[0]["rules"]
    assert lines(data, "rejections", "list", "--by", "rule") == [{"rule": rule, "count": 2}]
    assert lines(data, "rejections", "list", "--rule", "none") == lines(data, "rejections", "list", "--until", "2026-01-01") == []
    assert len(lines(data, "rejections", "list", "--before", str(found[0]["n"]))) == 1
    screen = lrs(data, "rejections", "show", str(found[0]["n"])).stdout + lrs(data, "rejections", "list").stdout
    assert "/verb/id" in screen
    assert "\x1b" not in screen
    assert "ada@example.com" not in screen
    assert "there is no rejection 999" in lrs(data, "rejections", "show", "999", code=1).stderr
    lrs(data, "rejections", "list", "--since", "soon", code=2)
    lrs(data, "rejections", "list", "--by", "colour", code=2)
