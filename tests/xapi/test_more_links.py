"""Where a page ends and `more` begins: no secret, no state, no repetition, no gap, whoever writes meanwhile."""
from __future__ import annotations

import base64
import json
import random
import subprocess
import sys
import threading
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.test import Client

from lrs.app import create_app
from lrs.auth import credentials
from lrs.config import Settings
from lrs.serve.forwarded import Forwarded
from lrs.services import Services
from lrs.store.open_store import open_store

PATH = "/xapi/statements"


def statement(actor: str = "a", **parts: Any) -> dict[str, Any]:
    return {"actor": {"mbox": f"mailto:{actor}@x.example"}, "verb": {"id": "http://x.example/did"}, "object": {"id": "http://x.example/a"},
            **parts}


def void(target: str) -> dict[str, Any]:
    return statement(verb={"id": "http://adlnet.gov/expapi/verbs/voided"}, object={"objectType": "StatementRef", "id": target})


def key_of(client: FlaskClient) -> str:
    token = client.environ_base["HTTP_AUTHORIZATION"].removeprefix("Basic ")
    return base64.b64decode(token).decode().partition(":")[0]


def test_a_link_is_the_question_and_a_position_and_nothing_else(client: FlaskClient) -> None:
    client.post(PATH, json=[statement()] * 3)
    asked = {"limit": "1", "agent": json.dumps({"mbox": "mailto:a@x.example"}), "related_agents": "true", "format": "ids"}
    more = urlsplit(client.get(PATH, query_string=asked).json["more"])
    query = dict(parse_qsl(more.query))
    assert (more.scheme, more.netloc, more.path) == ("", "", PATH)
    assert query.pop("cursor").isdigit()
    assert query == asked


def test_rights_are_those_of_whoever_follows_at_that_moment(client_of: Any, services: Services) -> None:
    writer, reader = client_of("statements/write", "statements/read/mine"), client_of("all/read")
    writer.post(PATH, json=[statement()] * 2)
    client_of("all").post(PATH, json=[statement()] * 3)
    more = reader.get(PATH, query_string={"limit": "2"}).json["more"]
    assert len(reader.get(more).json["statements"]) == 2
    seen, link = [], more
    while link:
        page = writer.get(link).json
        seen, link = [*seen, *page["statements"]], page["more"]
    assert {one["authority"]["account"]["name"] for one in seen} == {key_of(writer)}
    services.store.credentials.revoke(key_of(reader))
    assert reader.get(more).status_code == 401


def test_a_link_outlives_the_process_that_gave_it(tmp_path: Path) -> None:
    def started() -> tuple[Any, Any, str]:
        store = open_store(tmp_path / "kept")
        made = credentials.create(store.credentials, name="Test", public_url="http://lrs.example", scopes=("all",))
        token = base64.b64encode(f"{made.credential.key}:{made.secret}".encode()).decode()
        client = create_app(Services(Settings(public_url="http://lrs.example"), store)).test_client()
        client.environ_base.update(HTTP_AUTHORIZATION=f"Basic {token}", HTTP_X_EXPERIENCE_API_VERSION="1.0.3")
        return store, client, token

    store, client, _ = started()
    names = client.post(PATH, json=[statement()] * 5).json
    first = client.get(PATH, query_string={"limit": "2", "agent": json.dumps({"mbox": "mailto:a@x.example"})}).json
    store.close()
    store, client, _ = started()
    client.post(PATH, json=statement())
    second = client.get(first["more"]).json
    third = client.get(second["more"]).json
    store.close()
    assert [one["id"] for page in (first, second, third) for one in page["statements"]] == names[::-1]
    assert third["more"] == ""


@pytest.mark.parametrize(("said", "public_url", "path", "base"), [
    ({"HTTP_X_FORWARDED_PREFIX": "/lrs"}, "", "/xapi/statements", "/lrs"),
    ({"HTTP_X_FORWARDED_PREFIX": "/lrs/"}, "", "/lrs/xapi/statements", "/lrs"),
    ({"HTTP_X_FORWARDED_PREFIX": "/a/b"}, "https://x.example/other", "/a/b/xapi/statements", "/a/b"),
    ({}, "https://x.example/lrs", "/lrs/xapi/statements", "/lrs"),
    ({}, "https://x.example/lrs", "/xapi/statements", "/lrs"),
    ({}, "https://x.example", "/xapi/statements", ""),
    ({"HTTP_X_FORWARDED_PREFIX": "//evil.example"}, "", "/xapi/statements", "/evil.example"),
])
def test_a_link_starts_with_the_base_path_before_the_proxy(
    client: FlaskClient, said: dict[str, str], public_url: str, path: str, base: str
) -> None:
    client.post(PATH, json=[statement()] * 2)
    proxied = Client(Forwarded(client.application.wsgi_app, ["10.0.0.0/8"], public_url))
    environ = {**client.environ_base, **said, "REMOTE_ADDR": "10.0.0.1"}
    page = proxied.get(f"{path}?limit=1", environ_overrides=environ).json
    assert page["more"].startswith(f"{base}/xapi/statements?limit=1&cursor=")
    rest = proxied.get(page["more"], environ_overrides=environ)
    assert (rest.status_code, len(rest.json["statements"]), rest.json["more"]) == (200, 1, "")


def test_a_stranger_chooses_no_base_path(client: FlaskClient) -> None:
    client.post(PATH, json=[statement()] * 2)
    direct = Client(Forwarded(client.application.wsgi_app, ["10.0.0.0/8"]))
    environ = {**client.environ_base, "HTTP_X_FORWARDED_PREFIX": "/evil", "REMOTE_ADDR": "192.0.2.1"}
    assert direct.get(f"{PATH}?limit=1", environ_overrides=environ).json["more"].startswith(PATH)


def test_the_longest_question_that_is_taken_has_a_link_that_is_taken(client: FlaskClient, services: Services) -> None:
    long = f"http://x.example/{'ü' * 400}"
    client.post(PATH, json=[statement(object={"id": long})] * 3)
    spelled = f"?limit=1&activity={quote(long)}&since=2020-01-01T00:00:00."
    room = services.settings.limits.url_max - len(PATH) - len(spelled) - 1
    answer = client.get(f"{PATH}{spelled}{'0' * room}Z")
    seen = 0
    while answer.json["more"]:
        answer = client.get(answer.json["more"])
        assert answer.status_code == 200, answer.json
        seen += 1
    assert seen == 2
    assert client.get(f"{PATH}{spelled}{'0' * room}0Z").status_code == 414


Action = tuple[str, int]
ACTIONS = st.lists(st.tuples(st.sampled_from(["add", "void", "refer", "read"]), st.integers(0, 30)), max_size=25)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actions=ACTIONS, ascending=st.booleans(), limit=st.integers(1, 4), agent=st.sampled_from(["", "a", "b"]))
def test_a_walk_gives_what_matched_at_its_start_and_was_not_voided_once_each(
    client: FlaskClient, actions: list[Action], ascending: bool, limit: int, agent: str
) -> None:
    verb = f"http://x.example/{uuid.uuid4()}"
    query = {"limit": str(limit), "ascending": str(ascending).lower(), "verb": verb}
    query |= {"agent": json.dumps({"mbox": f"mailto:{agent}@x.example"})} if agent else {}
    actors = ["a", "b", "a", "c", "b", "a", "a"]
    start = client.post(PATH, json=[statement(one, verb={"id": verb}) for one in actors]).json
    matching = [name for name, actor in zip(start, actors, strict=True) if agent in ("", actor)]
    referring: list[str] = []
    voided: set[str] = set()
    page = client.get(PATH, query_string=query).json
    seen = [one["id"] for one in page["statements"]]
    for what, n in actions:
        if what == "add":
            client.post(PATH, json=statement("abc"[n % 3], verb={"id": verb}))
        elif what == "void" and (target := start[n % len(start)]) not in voided:
            voided.add(target)
            client.post(PATH, json=void(target))
        elif what == "refer":
            referring += client.post(PATH, json=statement(object={"objectType": "StatementRef", "id": start[n % len(start)]})).json
        elif what == "read" and page["more"]:
            page = client.get(page["more"]).json
            seen += [one["id"] for one in page["statements"]]
    while page["more"]:
        page = client.get(page["more"]).json
        seen += [one["id"] for one in page["statements"]]
    assert len(seen) == len(set(seen))
    wanted = [name for name in (matching if ascending else matching[::-1]) if name not in voided]
    assert [name for name in seen if name in set(start) - voided] == wanted


def test_a_walk_is_whole_while_other_processes_write_and_void(client: FlaskClient, services: Services, tmp_path: Path) -> None:
    chance = random.Random(5)
    start = client.post(PATH, json=[statement(chance.choice("ab")) for _ in range(120)]).json
    script = Path(__file__).with_name("walk_writer.py")
    writers = [subprocess.Popen([sys.executable, str(script), str(tmp_path), str(n), *start[n * 20:(n + 1) * 20]], text=True,
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE) for n in (0, 1)]
    voided: set[str] = set()
    walking = True

    def drive(writer: Any) -> None:
        for line in writer.stdout:
            voided.update(line.split())
            writer.stdin.write("on\n" if walking else "off\n")
            writer.stdin.flush()

    for writer in writers:
        voided.update(writer.stdout.readline().split())  # it writes by now
    drivers = [threading.Thread(target=drive, args=(writer,)) for writer in writers]
    for writer in writers:
        writer.stdin.write("on\n")
        writer.stdin.flush()
    for one in drivers:
        one.start()
    try:
        for ascending in ("false", "true", "false"):
            before, seen = set(voided), []
            link = f"{PATH}?limit=3&ascending={ascending}"
            while link:
                answer = client.get(link)
                # ascending it would run after the writers for ever
                seen += [one["id"] for one in answer.json["statements"]]
                link = answer.json["more"] if not set(start[-1:]) <= set(seen) or ascending == "false" else ""
            assert len(seen) == len(set(seen))
            known = [name for name in seen if name in set(start)]
            assert known == sorted(known, key=start.index, reverse=ascending == "false")
            # asked of the store: a writer tells of a void a moment after it was committed
            hidden = {name for name in start if services.store.statements.get(name, voided=True)}
            assert set(start) - hidden <= set(seen)
            assert not before & set(seen)
    finally:
        walking = False
        for one in drivers:
            one.join(30)
        for writer in writers:
            writer.stdin.close()
            writer.wait(30)
    assert [writer.returncode for writer in writers] == [0, 0]
    assert len(voided) > 2


def test_other_addresses_that_are_answered_have_the_base_path_too(client: FlaskClient) -> None:
    proxied = Client(Forwarded(client.application.wsgi_app, (), "https://x.example/lrs"))
    environ = {**client.environ_base}
    assert proxied.get("/feeds/completions", environ_overrides=environ).json["next"].startswith("/lrs/feeds/completions?since=")
    made = proxied.post("/lrs/api/v1/credentials", json={"name": "A", "key": "key-a"}, environ_overrides=environ)
    assert made.headers["Location"] == "/lrs/api/v1/credentials/key-a"
    assert proxied.get(made.headers["Location"], environ_overrides=environ).json["key"] == "key-a"
