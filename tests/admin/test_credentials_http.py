"""/api/v1/credentials: secrets once, no lock-out, nobody grants themselves more, and a test statement that says what happens."""
from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from admin_site import API, Site, all_pages, site

from lrs.app import create_app


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Site]:
    made = site(tmp_path / "data")
    yield made
    made.store.close()


def test_a_credential_is_made_shown_and_revoked(here: Site) -> None:
    admin, _ = here.client("all")
    made = admin.post(f"{API}/credentials", json={"name": "Acme LMS", "scopes": ["statements/write"]})
    assert (made.status_code, made.headers["Cache-Control"]) == (201, "no-store")
    key, secret = made.json["key"], made.json["secret"]
    assert made.json["provider"] == "acme-lms"
    assert made.json["webhook_secret"].startswith("whsec_")
    shown = admin.get(made.headers["Location"])
    assert (shown.json["name"], shown.json["revoked"]) == ("Acme LMS", False)
    assert not {"secret", "webhook_secret"} & set(shown.json)
    provider = create_app(here.services).test_client()
    provider.environ_base["HTTP_AUTHORIZATION"] = "Basic " + base64.b64encode(f"{key}:{secret}".encode()).decode()
    assert provider.post(f"{API}/credentials/{key}/test").status_code == 201
    assert admin.delete(f"{API}/credentials/{key}").status_code == 204
    assert admin.delete(f"{API}/credentials/{key}").status_code == 204
    assert provider.post(f"{API}/credentials/{key}/test").status_code == 401
    assert admin.get(f"{API}/credentials/{key}").json["revoked"] is True
    assert admin.delete(f"{API}/credentials/nobody").status_code == 404


def test_a_taken_key_is_409_and_changes_nothing(here: Site) -> None:
    admin, key = here.client("all")
    before = here.store.credentials.by_key(key)
    answer = admin.post(f"{API}/credentials", json={"name": "x", "key": key})
    assert (answer.status_code, answer.json["code"], answer.json["findings"][0]["pointer"]) == (409, "taken", "/key")
    assert here.store.credentials.by_key(key) == before
    assert admin.post(f"{API}/credentials", json={"name": "x", "key": "a b"}).status_code == 400


def test_a_chosen_secret_that_is_too_short_is_refused_and_kept_nowhere(here: Site) -> None:
    admin, _ = here.client("all")
    answer = admin.post(f"{API}/credentials", json={"name": "x", "secret": "correct-horse"})
    assert [one["pointer"] for one in answer.json["findings"]] == ["/secret"]
    assert "correct-horse" not in answer.text
    here.store.rejections.flush()
    for file in here.services.settings.data.iterdir():
        if file.is_file():
            assert b"correct-horse" not in file.read_bytes(), file


def test_the_last_credential_that_may_change_anything_is_not_revoked_over_http(here: Site) -> None:
    admin, key = here.client("all")
    answer = admin.delete(f"{API}/credentials/{key}")
    assert (answer.status_code, answer.json["code"]) == (409, "wrong_state")
    assert "create another first" in answer.json["message"]
    assert here.store.audit.list(action="credentials.revoke")[0].refused
    here.client("all")
    assert admin.delete(f"{API}/credentials/{key}").status_code == 204
    assert admin.get(f"{API}/credentials").status_code == 401


@pytest.mark.parametrize("scope", ["all/read", "statements/write", "statements/read", "feeds/read", "define", "state", "profile"])
def test_nobody_grants_themselves_more(here: Site, scope: str) -> None:
    client, key = here.client(scope)
    _, other = here.client("all")
    for answer in (client.post(f"{API}/credentials", json={"name": "x", "scopes": ["all"]}), client.delete(f"{API}/credentials/{other}"),
                   client.get(f"{API}/credentials/{key}/webhook-secret")):
        assert answer.status_code == 403
    assert len(here.store.credentials.list()) == 2
    assert here.store.audit.list() == []


def test_who_may_only_read_sees_no_secret(here: Site) -> None:
    reader, key = here.client("all/read")
    admin, _ = here.client("all")
    secret = admin.get(f"{API}/credentials/{key}/webhook-secret")
    assert secret.json["webhook_secret"].startswith("whsec_")
    assert here.store.audit.list(limit=1)[0].action == "credentials.show_webhook_secret"
    for path in ("credentials", f"credentials/{key}", "audit", "connections", "status", "rejections"):
        assert secret.json["webhook_secret"] not in reader.get(f"{API}/{path}").text


def test_pages_show_each_credential_once_while_others_are_made(here: Site) -> None:
    admin, first = here.client("all")
    keys = [first] + [here.client("state")[1] for _ in range(6)]
    page = admin.get(f"{API}/credentials?limit=3").json
    late = here.client("state")[1]
    rest = all_pages(admin, f"{API}/credentials", limit=3)
    assert [one["key"] for one in page["items"]] == keys[:3]
    assert [one["key"] for one in rest] == [*keys, late]
    answer = admin.get(f"{API}/credentials?cursor=nobody")
    assert (answer.status_code, answer.json["findings"][0]["pointer"]) == (400, "?cursor")


def test_a_test_statement_is_stored_as_that_credential_and_completes_nothing(here: Site) -> None:
    admin, _ = here.client("all")
    _, key = here.client("statements/write", "statements/read/mine", name="Acme LMS")
    told = admin.post(f"{API}/credentials/{key}/test")
    assert told.status_code == 201
    assert (told.json["provider"], told.json["read"]["verb"]) == ("acme-lms", "experienced")
    stored = admin.get(told.headers["Location"]).json
    assert (stored["id"], stored["object"]["id"]) == (told.json["id"], "https://lrs.example/test")
    assert stored["authority"]["account"]["name"] == key
    from workers.route import route_once
    while route_once(here.services).statements:
        pass
    assert here.store.work.feed_length() == 0
    assert here.store.work.count_held() == 0


def test_a_test_says_what_a_credential_lacks(here: Site) -> None:
    admin, _ = here.client("all")
    _, reads = here.client("statements/read")
    answer = admin.post(f"{API}/credentials/{reads}/test")
    assert (answer.status_code, answer.json["code"]) == (403, "forbidden")
    assert "needs statements/write" in answer.json["message"]
    assert here.store.statements.count() == 0
    admin.delete(f"{API}/credentials/{reads}")
    assert admin.post(f"{API}/credentials/{reads}/test").json["code"] == "wrong_state"
    assert admin.post(f"{API}/credentials/nobody/test").status_code == 404


def test_a_provider_tests_itself_and_learns_nothing_of_others(here: Site) -> None:
    provider, own = here.client("statements/write")
    _, other = here.client("statements/write")
    assert provider.post(f"{API}/credentials/{own}/test").status_code == 201
    there, nowhere = (provider.post(f"{API}/credentials/{key}/test") for key in (other, "0" * len(other)))
    assert there.status_code == nowhere.status_code == 404
    same = [{name: str(answer.json[name]).replace(key, "KEY") for name in ("status", "code", "message")}
            for answer, key in ((there, other), (nowhere, "0" * len(other)))]
    assert same[0] == same[1]


@pytest.mark.parametrize(("site_", "status"), [("cross-site", 403), ("same-site", 403), ("same-origin", 201), ("none", 201)])
def test_a_page_of_another_origin_changes_nothing_with_a_remembered_password(here: Site, site_: str, status: int) -> None:
    admin, key = here.client("all")
    answer = admin.post(f"{API}/credentials/{key}/test", headers={"Sec-Fetch-Site": site_})
    assert answer.status_code == status
    assert here.store.statements.count() == (1 if status == 201 else 0)
