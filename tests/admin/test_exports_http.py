"""GET /api/v1/exports/facts gives what `lrs export` writes; its page works offline."""
import base64
import io
import json
import re

import pandas
import pytest
from every_store import every_store

from lrs.app import create_app
from lrs.auth import credentials
from lrs.config import load
from lrs.errors import StoreUnavailable
from lrs.services import Services
from lrs.store.open_store import open_store


@pytest.fixture
def store(tmp_path, place):
    opened = open_store(place or tmp_path / "data")
    yield opened
    opened.close()


@pytest.fixture
def client(store, tmp_path):
    return create_app(Services(load({"LRS_DATA": str(tmp_path / "data")}), store)).test_client()


def headers(store, *scopes):
    made = credentials.create(store.credentials, name="Analyst", public_url="https://x.example", scopes=scopes)
    basic = base64.b64encode(f"{made.credential.key}:{made.secret}".encode()).decode()
    return {"Authorization": f"Basic {basic}", "X-Experience-API-Version": "1.0.3"}


STATEMENT = {"actor": {"mbox": "mailto:a@b.example"}, "verb": {"id": "http://adlnet.gov/expapi/verbs/passed"}, "object": {"id": "https://c.example/1"}}


@every_store
@pytest.mark.parametrize(("kind", "read"), [("csv", pandas.read_csv), ("parquet", pandas.read_parquet),
                                            ("ndjson", lambda f: pandas.read_json(f, lines=True))])
def test_each_format_is_streamed(client, store, kind, read):
    everything = headers(store, "all")
    assert client.post("/xapi/statements", json=[STATEMENT] * 3, headers=everything).status_code == 200
    answer = client.get(f"/api/v1/exports/facts?format={kind}", headers=everything)
    assert answer.status_code == 200
    assert list(read(io.BytesIO(answer.data))["verb"]) == ["passed"] * 3


def test_the_scope_is_all_read(client, store):
    assert client.get("/api/v1/exports/facts").status_code == 401
    assert client.get("/api/v1/exports/facts?format=xml").status_code == 401
    assert client.get("/api/v1/exports/facts", headers=headers(store, "statements/read")).status_code == 403
    assert client.get("/api/v1/exports/facts", headers=headers(store, "all/read")).status_code == 200


@pytest.mark.parametrize(("query", "pointer"), [
    ("format=xml", "?format"), ("verb=finished", "?verb"), ("since=soon", "?since"), ("raw=perhaps", "?raw"), ("colour=red", "?colour")])
def test_a_bad_parameter_is_named_in_the_one_error_shape(client, store, query, pointer):
    answer = client.get(f"/api/v1/exports/facts?{query}", headers=headers(store, "all/read"))
    assert answer.status_code == 400
    assert [one["pointer"] for one in answer.json["findings"]] == [pointer]


@every_store
def test_the_next_export_goes_on_where_this_one_ended(client, store):
    everything, seen, since = headers(store, "all"), [], "0"
    for count in (3, 0, 2):
        client.post("/xapi/statements", json=[STATEMENT] * count, headers=everything)
        answer = client.get(f"/api/v1/exports/facts?format=ndjson&raw=true&since={since}", headers=everything)
        client.post("/xapi/statements", json=[STATEMENT], headers=everything)
        rows = [json.loads(line)["statement_id"] for line in answer.data.splitlines()]
        assert len(rows) == count + bool(seen), "what came after the answer began belongs to the next one"
        seen, since = seen + rows, answer.headers["X-Export-Through"]
    assert len(set(seen)) == len(seen) == 7


def test_who_exported_what_is_in_the_audit_log(client, store):
    analyst = headers(store, "all/read")
    client.get("/api/v1/exports/facts?format=csv&verb=passed&since=2026-01-01", headers=analyst)
    (entry,) = store.audit.list(action="exports")
    assert (entry.action, entry.thing, entry.refused) == ("exports.run", "facts", "")
    assert entry.detail == {"format": "csv", "verb": "passed", "since": 1767225600000000}
    assert client.get("/api/v1/exports/facts?since=999999999999999999", headers=analyst).status_code == 200


def test_a_store_that_does_not_answer_is_503_and_not_a_broken_file(client, store, monkeypatch):
    def busy(self):
        raise StoreUnavailable("busy")
    analyst = headers(store, "all/read")
    monkeypatch.setattr(type(store.statements), "consistent_through", busy)
    answer = client.get("/api/v1/exports/facts?format=csv", headers=analyst)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")


def test_the_api_page_describes_it_and_loads_nothing(client):
    assert "/api/v1/exports/facts" in client.get("/api/v1/openapi.json").json["paths"]
    page = client.get("/api/v1/docs").text
    assert "/api/v1/exports/facts" in page
    assert not re.search(r"(src|href)=['\"]?(https?:)?//", page)
