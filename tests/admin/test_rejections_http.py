"""/api/v1/rejections and /api/v1/audit: found by what they are, page by page, and each provider sees its own only."""
from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from admin_site import API, Site, all_pages, site
from flask.testing import FlaskClient

from lrs.store.protocols.rejections import Rejection

GOOD = {"id": "2f1c1a60-0000-4000-8000-000000000001", "actor": {"mbox": "mailto:ada@example.com"},
        "verb": {"id": "http://adlnet.gov/expapi/verbs/passed"}, "object": {"id": "https://c.example/1"}}


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Site]:
    made = site(tmp_path / "data")
    yield made
    made.store.close()


def refuse(client: FlaskClient, times: int = 1) -> None:
    bad = {**GOOD, "verb": {"id": "no iri"}, "result": {"score": {"scaled": 7}}}
    for _ in range(times):
        assert client.post("/xapi/statements", json=bad).status_code == 400


def conflict(client: FlaskClient) -> None:
    client.post("/xapi/statements", json=GOOD)
    assert client.post("/xapi/statements", json={**GOOD, "object": {"id": "https://c.example/2"}}).status_code == 409


def test_a_provider_reads_why_it_was_refused(here: Site) -> None:
    provider, key = here.client("statements/write")
    refuse(provider)
    [row] = provider.get(f"{API}/rejections").json["items"]
    assert (row["credential"], row["status"], row["code"]) == (key, 400, "invalid")
    assert len(row["rules"]) == 2
    shown = provider.get(f"{API}/rejections/{row['n']}").json
    assert {one["pointer"] for one in shown["detail"]["findings"]} == {"/verb/id", "/result/score/scaled"}
    assert shown["detail"]["request_id"] == row["request_id"]
    assert "ada@example.com" not in str(shown)
    assert "no iri" in shown["excerpt"]


def test_a_provider_sees_no_refusal_of_another(here: Site) -> None:
    provider, own = here.client("statements/write")
    other, key = here.client("statements/write")
    refuse(other)
    refuse(provider)
    reader, _ = here.client("all/read")
    rows = {one["credential"]: one["n"] for one in all_pages(reader, f"{API}/rejections")}
    assert set(rows) == {own, key}
    for query in ({}, {"credential": key}, {"credential": own}, {"code": "invalid"}):
        assert {one["credential"] for one in all_pages(provider, f"{API}/rejections", **query)} <= {own}
    assert all_pages(provider, f"{API}/rejections", credential=key) == []
    assert provider.get(f"{API}/rejections/counts?by=credential").json["items"] == [{"credential": own, "count": 1}]
    assert provider.get(f"{API}/rejections/counts", query_string={"by": "credential", "credential": key}).json["items"] == []
    assert provider.get(f"{API}/rejections/{rows[own]}").status_code == 200
    hidden, nothing = provider.get(f"{API}/rejections/{rows[key]}"), provider.get(f"{API}/rejections/99999")
    assert hidden.status_code == nothing.status_code == 404
    assert hidden.json["message"].replace(str(rows[key]), "N") == nothing.json["message"].replace("99999", "N")
    assert reader.get(f"{API}/rejections/{rows[key]}").status_code == 200
    both, _ = here.client("statements/write", "all/read")
    assert len(all_pages(both, f"{API}/rejections")) == 2


@pytest.mark.parametrize("scope", ["statements/read", "statements/read/mine", "feeds/read", "state"])
def test_other_scopes_see_none(here: Site, scope: str) -> None:
    client, _ = here.client(scope)
    for path in ("rejections", "rejections/1", "rejections/counts"):
        assert client.get(f"{API}/{path}").status_code == 403


def test_rejections_are_found_and_counted_by_what_they_are(here: Site) -> None:
    provider, key = here.client("statements/write")
    reader, _ = here.client("all/read")
    refuse(provider, 3)
    conflict(provider)
    rules = all_pages(reader, f"{API}/rejections", code="invalid")[0]["rules"]

    def found(**query: str) -> int:
        return len(all_pages(reader, f"{API}/rejections", **query))

    assert (found(), found(code="conflict"), found(status="409"), found(status="200"), found(credential=key)) == (4, 1, 1, 0, 4)
    assert found(rule=rules[0]) == found(rule=rules[1]) == 3
    assert found(rule="statement.conflict") == 1
    assert found(rule="nothing") == found(credential="nobody") == 0
    assert found(since="2026-01-01", until="2026-01-02") == 0
    assert found(since="2020-01-01", until="2100-01-01") == 4

    def counts(by: str) -> dict[str, int]:
        return {one[by]: one["count"] for one in reader.get(f"{API}/rejections/counts?by={by}").json["items"]}

    assert counts("rule") == {rules[0]: 3, rules[1]: 3, "statement.conflict": 1}
    assert counts("cause") == {"invalid": 3, "statement id without the object": 1}
    assert counts("status") == {"400": 3, "409": 1}
    for bad in ("since=soon", "status=7", "by=colour", "cursor=x", "limit=0", "limit=501", "cursor=" + "9" * 30):
        where = "rejections/counts" if bad.startswith("by") else "rejections"
        assert reader.get(f"{API}/{where}?{bad}").json["findings"][0]["pointer"] == "?" + bad.partition("=")[0]


def test_pages_neither_miss_nor_repeat_while_more_is_refused(here: Site) -> None:
    provider, _ = here.client("statements/write")
    refuse(provider, 11)
    seen: list[int] = []
    cursor: str | None = ""
    while cursor is not None:
        page = provider.get(f"{API}/rejections", query_string={"limit": 3, "cursor": cursor}).json
        seen += [one["n"] for one in page["items"]]
        refuse(provider, 2)
        cursor = page["next"]
    assert seen == sorted(range(1, 12), reverse=True)


def test_what_is_older_than_thirty_days_is_neither_shown_nor_counted(here: Site) -> None:
    reader, _ = here.client("all/read")
    old = Rejection(time.time_ns() // 1000 - 31 * 86_400_000_000, "k", 400, "invalid", "{}", "")
    here.store.rejections.note(old)
    here.store.rejections.flush()
    with here.store.rejections._database.write() as db:
        db.execute("INSERT INTO rejections (at, credential_id, status, code, detail, excerpt) VALUES (?, 'k', 400, 'x', '{}', '')",
                   (old.at,))
    assert all_pages(reader, f"{API}/rejections") == []
    assert here.store.rejections.count() == 0
    assert here.store.rejections.by_number(1) is None
    assert here.store.rejections.counts("rule") == {}
    here.store.rejections.migrate()
    assert here.store.rejections.purge(0) == 0
    with here.store.rejections._database.read() as db:
        assert db.execute("SELECT count(*) FROM rejections").fetchone() == (0,)


def test_a_detail_that_is_no_json_is_shown_all_the_same(here: Site) -> None:
    reader, _ = here.client("all/read")
    now = time.time_ns() // 1000
    for detail in ("not json", "[]", "7", '{"findings": [7, null]}', '{"findings": 3}', '{"conflict": 1}'):
        here.store.rejections.note(replace(Rejection(now, "k", 400, "invalid", detail, "")))
    assert len(all_pages(reader, f"{API}/rejections")) == 6
    for by in ("rule", "cause", "code", "status", "credential"):
        assert reader.get(f"{API}/rejections/counts?by={by}").status_code == 200
    for n in range(1, 7):
        assert reader.get(f"{API}/rejections/{n}").status_code == 200


def test_the_audit_log_is_found_by_who_what_and_which(here: Site) -> None:
    admin, key = here.client("all")
    for n in range(5):
        admin.put(f"{API}/people/{n}", json={})
    admin.post(f"{API}/credentials", json={"name": "x", "key": "key-x"})
    admin.post(f"{API}/credentials", json={"name": "x", "key": "key-x"})
    assert [one["thing"] for one in all_pages(admin, f"{API}/audit", action="people", limit=2)] == ["4", "3", "2", "1", "0"]
    assert len(all_pages(admin, f"{API}/audit", thing="key-x")) == 3
    assert [bool(one["refused"]) for one in all_pages(admin, f"{API}/audit", thing="key-x")] == [True, False, False]
    assert {one["who"] for one in all_pages(admin, f"{API}/audit")} == {key}
    assert all_pages(admin, f"{API}/audit", who="nobody") == all_pages(admin, f"{API}/audit", action="people.fly") == []
    assert here.client("statements/write")[0].get(f"{API}/audit").status_code == 403


def test_status_is_what_the_command_line_says(here: Site) -> None:
    from lrs.management import status
    admin, _ = here.client("all")
    conflict(admin)
    admin.post(f"{API}/connections", json={"name": "academy", "source": "zoom", "settings": {"secret_token": "first-secret-token"}})
    admin.post("/xapi/statements", json={**GOOD, "id": "2f1c1a60-0000-4000-8000-000000000002", "verb": {"id": "https://x.example/odd"}})
    told = admin.get(f"{API}/status").json
    same = status.gather(here.store, here.services.settings.data)
    assert {**told, "at": "", "worker": ""} == {**same, "at": "", "worker": ""}
    assert (told["accepted"], told["behind"], told["refused"], told["unmapped_verbs"]) == (2, 2, 1, 1)
    assert told["connections"] == {"academy": "active"}
    assert told["worker"]["state"] == "working"
