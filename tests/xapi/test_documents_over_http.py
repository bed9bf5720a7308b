"""The State, Activity Profile and Agent Profile resources, each by the same sentences."""
from __future__ import annotations

import dataclasses
import hashlib
import json
import subprocess
import sys
import threading
import uuid
from dataclasses import dataclass
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from lrs.services import Services
from lrs.statements.documents import Key
from lrs.statements.instants import printed

AGENT = json.dumps({"mbox": "mailto:ann@example.com"})


@dataclass(frozen=True)
class Kind:
    path: str
    id: str
    at: dict[str, str]
    scope: str

    @property
    def kind(self) -> str:
        return {"stateId": "state"}.get(self.id, "agent_profile" if "agent" in self.at else "activity_profile")


KINDS = (
    Kind("/xapi/activities/state", "stateId", {"activityId": "http://x.example/a", "agent": AGENT}, "state"),
    Kind("/xapi/activities/profile", "profileId", {"activityId": "http://x.example/a"}, "profile"),
    Kind("/xapi/agents/profile", "profileId", {"agent": AGENT}, "profile"),
)
PROFILES = KINDS[1:]
kinds = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.path.removeprefix("/xapi/"))
profiles = pytest.mark.parametrize("kind", PROFILES, ids=lambda kind: kind.path.removeprefix("/xapi/"))


def named(kind: Kind, name: str = "bookmark", **more: str) -> dict[str, str]:
    return {**kind.at, kind.id: name, **more}


def put(client: FlaskClient, kind: Kind, content: bytes, content_type: str = "application/json", name: str = "bookmark", **headers: str):
    given = {key.replace("_", "-"): value for key, value in (headers or {"If_None_Match": "*"}).items()}
    return client.put(kind.path, query_string=named(kind, name), data=content, content_type=content_type, headers=given)


@kinds
def test_a_document_comes_back_byte_for_byte_with_its_type_and_tag(client: FlaskClient, kind: Kind) -> None:
    content = b'{ "page" : 1.0,\n "big": 12345678901234567890 }'
    assert put(client, kind, content, "application/json; charset=utf-8").status_code == 204
    answer = client.get(kind.path, query_string=named(kind))
    assert (answer.status_code, answer.data, answer.headers["Content-Type"]) == (200, content, "application/json; charset=utf-8")
    assert answer.headers["ETag"] == f'"{hashlib.sha1(content).hexdigest()}"'
    assert answer.headers["Last-Modified"].endswith("GMT")


@kinds
def test_any_bytes_of_any_type_are_a_document(client: FlaskClient, kind: Kind) -> None:
    content = bytes(range(256)) * 10
    assert put(client, kind, content, "image/x-nothing").status_code == 204
    answer = client.get(kind.path, query_string=named(kind))
    assert (answer.data, answer.headers["Content-Type"]) == (content, "image/x-nothing")


@kinds
def test_head_is_get_without_a_body(client: FlaskClient, kind: Kind) -> None:
    put(client, kind, b"{}")
    answer = client.head(kind.path, query_string=named(kind))
    assert (answer.status_code, answer.data, answer.headers["Content-Length"]) == (200, b"", "2")


@kinds
def test_a_post_merges_one_level_deep(client: FlaskClient, kind: Kind) -> None:
    put(client, kind, b'{"a": {"x": 1}, "b": 1.0}')
    answer = client.post(kind.path, query_string=named(kind), data=b'{"a": {"y": 2}, "c": 3}', content_type="application/json")
    assert answer.status_code == 204
    assert client.get(kind.path, query_string=named(kind)).data == b'{"a":{"y": 2},"b":1.0,"c":3}'


@kinds
@pytest.mark.parametrize(("there", "there_type", "sent", "sent_type"), [
    (b"{}", "application/json", b"x", "text/plain"),
    (b"x", "text/plain", b"{}", "application/json"),
    (b"{}", "application/json", b"[1]", "application/json"),
    (b"{}", "application/json", b'{"a":', "application/json"),
    (b"[]", "application/json", b"{}", "application/json"),
    (b"{}", "application/json", b'{"a": NaN}', "application/json"),
])
def test_what_cannot_be_merged_is_refused_and_changes_nothing(
    client: FlaskClient, kind: Kind, there: bytes, there_type: str, sent: bytes, sent_type: str
) -> None:
    put(client, kind, there, there_type)
    answer = client.post(kind.path, query_string=named(kind), data=sent, content_type=sent_type)
    assert answer.status_code == 400
    assert answer.json["findings"][0]["rule"] == "document.merge"
    assert client.get(kind.path, query_string=named(kind)).data == there


@kinds
def test_a_delete_removes_and_may_be_repeated(client: FlaskClient, kind: Kind) -> None:
    put(client, kind, b"{}")
    for _ in range(2):
        assert client.delete(kind.path, query_string=named(kind)).status_code == 204
    assert client.get(kind.path, query_string=named(kind)).status_code == 404


@kinds
def test_without_its_id_the_ids_are_listed_and_since_narrows(client: FlaskClient, kind: Kind) -> None:
    put(client, kind, b"{}", name="one")
    seen = client.get("/xapi/statements").headers["X-Experience-API-Consistent-Through"]
    put(client, kind, b"{}", name="two")
    assert client.get(kind.path, query_string=kind.at).json == ["one", "two"]
    assert client.get(kind.path, query_string={**kind.at, "since": seen}).json == ["two"]
    assert client.get(kind.path, query_string={**kind.at, "since": "soon"}).status_code == 400


@kinds
def test_every_parameter_is_demanded_known_and_read(client: FlaskClient, kind: Kind) -> None:
    for name in (*kind.at, kind.id):
        without = {key: value for key, value in named(kind).items() if key != name}
        answer = client.put(kind.path, query_string=without, data=b"{}", headers={"If-None-Match": "*"})
        assert (answer.status_code, answer.json["findings"][0]["pointer"]) == (400, f"?{name}")
    assert client.get(kind.path, query_string=named(kind, nonsense="1")).status_code == 400
    for name in kind.at:
        assert client.get(kind.path, query_string=named(kind) | {name: "true"}).status_code == 400


@kinds
def test_a_credential_without_the_scope_is_refused(client_of, kind: Kind) -> None:
    assert client_of("statements/write").get(kind.path, query_string=named(kind)).status_code == 403
    assert client_of(kind.scope).get(kind.path, query_string=named(kind)).status_code == 404


@kinds
def test_conditions_hold_for_every_method(client: FlaskClient, kind: Kind) -> None:
    put(client, kind, b'{"n": 1}')
    tag = client.get(kind.path, query_string=named(kind)).headers["ETag"]
    assert put(client, kind, b'{"n": 2}', If_None_Match="*").status_code == 412
    assert put(client, kind, b'{"n": 2}', If_Match='"0000000000000000000000000000000000000000"').status_code == 412
    assert client.delete(kind.path, query_string=named(kind), headers={"If-Match": '"no"'}).status_code == 412
    assert client.get(kind.path, query_string=named(kind)).data == b'{"n": 1}'
    assert put(client, kind, b'{"n": 2}', If_Match=f'"other", {tag}').status_code == 204
    assert put(client, kind, b"{}", name="new", If_Match="*").status_code == 412


@profiles
def test_a_profile_is_not_overwritten_by_who_did_not_look(client: FlaskClient, kind: Kind) -> None:
    answer = client.put(kind.path, query_string=named(kind), data=b"{}")
    assert (answer.status_code, answer.json["findings"][0]["rule"]) == (400, "document.condition")
    put(client, kind, b'{"n": 1}')
    answer = client.put(kind.path, query_string=named(kind), data=b"{}")
    assert (answer.status_code, answer.json["code"]) == (409, "document_exists")
    assert "If-Match" in answer.json["message"]
    assert client.get(kind.path, query_string=named(kind)).data == b'{"n": 1}'


@profiles
def test_a_profile_is_never_deleted_without_its_id(client: FlaskClient, kind: Kind) -> None:
    put(client, kind, b"{}")
    assert client.delete(kind.path, query_string=kind.at).status_code == 400
    assert client.get(kind.path, query_string=kind.at).json == ["bookmark"]


def test_states_of_registrations_stand_apart_and_are_listed_together(client: FlaskClient) -> None:
    kind, first, second = KINDS[0], str(uuid.uuid4()), str(uuid.uuid4()).upper()
    for registration in ("", first, second):
        query = named(kind, "s" + registration[:1]) | ({"registration": registration} if registration else {})
        assert client.put(kind.path, query_string=query, data=registration or "none").status_code == 204
    assert len(client.get(kind.path, query_string=kind.at).json) >= 2
    one = client.get(kind.path, query_string=named(kind, "s" + second[:1], registration=second.lower()))
    assert one.text == second
    assert client.delete(kind.path, query_string={**kind.at, "registration": first}).status_code == 204
    assert client.get(kind.path, query_string={**kind.at, "registration": first}).json == []
    assert client.delete(kind.path, query_string=kind.at).status_code == 204
    assert client.get(kind.path, query_string=kind.at).json == []


def test_an_agent_is_the_same_however_its_json_is_written(client: FlaskClient) -> None:
    kind = KINDS[2]
    put(client, kind, b"{}")
    other = json.dumps({"name": "Ann", "objectType": "Agent", "mbox": "mailto:ann@EXAMPLE.com"})
    assert client.get(kind.path, query_string={"agent": other, "profileId": "bookmark"}).status_code == 200


def test_of_many_writers_who_saw_the_same_tag_one_wins(client_of) -> None:
    kind, one = KINDS[1], client_of("all")
    put(one, kind, b'{"n": 0}')
    tag = one.get(kind.path, query_string=named(kind)).headers["ETag"]
    clients, answers = [client_of("all") for _ in range(6)], []

    def write(client: FlaskClient, n: int) -> None:
        answers.append(put(client, kind, b'{"n": %d}' % n, If_Match=tag).status_code)

    threads = [threading.Thread(target=write, args=(client, n)) for n, client in enumerate(clients, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [204] + [412] * 5


@kinds
def test_a_list_says_when_the_latest_of_it_was_written(client: FlaskClient, kind: Kind) -> None:
    assert "Last-Modified" not in client.get(kind.path, query_string=kind.at).headers
    put(client, kind, b"{}", name="one")
    put(client, kind, b"{}", name="two")
    single = client.get(kind.path, query_string=named(kind, "two")).headers["Last-Modified"]
    assert client.get(kind.path, query_string=kind.at).headers["Last-Modified"] == single


@kinds
def test_since_is_exclusive_on_when_a_document_was_last_written(client: FlaskClient, services: Services, kind: Kind) -> None:
    put(client, kind, b'{"a": 1}', name="one")
    put(client, kind, b"{}", name="two")
    written = services.store.documents.ids(
        Key(kind.kind, kind.at.get("activityId", ""), "mbox mailto:ann@example.com" if "agent" in kind.at else ""))
    first, second = (printed(written[name]) for name in ("one", "two"))
    assert client.get(kind.path, query_string={**kind.at, "since": first}).json == ["two"]
    assert client.get(kind.path, query_string={**kind.at, "since": second}).json == []
    client.post(kind.path, query_string=named(kind, "one"), data=b'{"b": 2}', content_type="application/json")
    assert client.get(kind.path, query_string={**kind.at, "since": second}).json == ["one"]
    assert client.get(kind.path, query_string=named(kind, "one", since=first)).status_code == 400


@kinds
def test_a_document_beyond_its_limit_is_refused_however_it_comes(client_of, services: Services, kind: Kind) -> None:
    limits = dataclasses.replace(services.settings.limits, document_max=100)
    client = client_of("all", settings=dataclasses.replace(services.settings, limits=limits))
    fits, more = b'{"a":"%s"}' % (b"x" * 92), b'{"b":1}'
    assert put(client, kind, fits).status_code == 204
    for answer in (put(client, kind, fits + b" ", name="other"),
                   client.post(kind.path, query_string=named(kind, "other"), data=fits + b" ", content_type="text/plain"),
                   client.post(kind.path, query_string=named(kind), data=more, content_type="application/json")):
        assert (answer.status_code, answer.json["code"], "document_max" in answer.json["message"]) == (413, "too_large", True)
    assert client.get(kind.path, query_string=named(kind)).data == fits
    assert client.get(kind.path, query_string=kind.at).json == ["bookmark"]


def test_a_write_without_a_registration_touches_only_the_state_that_has_none(client: FlaskClient) -> None:
    kind, registration = KINDS[0], str(uuid.uuid4())
    for query in (named(kind), named(kind, registration=registration)):
        assert client.put(kind.path, query_string=query, data=b'{"n":0}', content_type="application/json").status_code == 204
    client.post(kind.path, query_string=named(kind), data=b'{"n":1}', content_type="application/json")
    client.post(kind.path, query_string=named(kind, registration=registration), data=b'{"r":2}', content_type="application/json")
    assert client.get(kind.path, query_string=named(kind)).json == {"n": 1}
    assert client.get(kind.path, query_string=named(kind, registration=registration)).json == {"n": 0, "r": 2}
    assert client.delete(kind.path, query_string=named(kind)).status_code == 204
    assert client.get(kind.path, query_string=named(kind)).status_code == 404
    assert client.get(kind.path, query_string=named(kind, registration=registration)).status_code == 200
    assert client.get(kind.path, query_string=kind.at).json == ["bookmark"]


WRITER = """
import sys
from lrs.errors import PreconditionFailed
from lrs.statements.documents import Conditions, Document, Key, post, put
from lrs.store.open_store import open_store
store, name = open_store(sys.argv[1]).documents, sys.argv[2]
key, won = Key("agent_profile", agent="mbox mailto:ann@example.com", id="shared"), 0
sys.stdin.readline()
for n in range(40):
    store.change(key, post(Document(b'{"%s-%d": 1}' % (name.encode(), n), "application/json"), Conditions()))
    try:
        there = store.get(Key("agent_profile", agent="mbox mailto:ann@example.com", id="count"))
        store.change(Key("agent_profile", agent="mbox mailto:ann@example.com", id="count"),
                     put(Document(b"%d" % (int(there.content) + 1), "text/plain"), Conditions(if_match=there.etag)))
        won += 1
    except PreconditionFailed:
        pass
print(won)
"""


def test_of_several_processes_no_merge_and_no_counted_write_is_lost(client: FlaskClient, tmp_path: Path) -> None:
    kind = KINDS[2]
    put(client, kind, b"0", "text/plain", name="count")
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), name],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
               for name in "abc"]
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()
    won = sum(int(writer.communicate(timeout=60)[0]) for writer in writers)
    assert len(client.get(kind.path, query_string=named(kind, "shared")).json) == 120
    assert 40 <= won == int(client.get(kind.path, query_string=named(kind, "count")).text)
