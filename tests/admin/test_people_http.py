"""/api/v1/people: find, put, import with a dry run, and who is waited for."""
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from admin_site import API, Site, all_pages, site
from flask.testing import FlaskClient

from workers.route import route_once

CSV = "employee_id,email,name\n007,Ada@Example.com,Ada\n,x@example.com,\n8,nobody,\n9,ada@example.com,Other\n11,eve@example.com,Eve\n"


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Site]:
    made = site(tmp_path / "data")
    yield made
    made.store.close()


@pytest.fixture
def admin(here: Site) -> FlaskClient:
    return here.client("all")[0]


def imported(client: FlaskClient, text: str | bytes, query: str = "", kind: str = "text/csv") -> Any:
    return client.post(f"{API}/people/import{query}", data=text, content_type=kind)


def test_a_person_is_put_shown_and_put_again(admin: FlaskClient, here: Site) -> None:
    made = admin.put(f"{API}/people/007", json={"email": "Ada@Example.com", "name": "Ada", "aliases": ["ada@old.example"],
                                               "identifiers": ["https://lms.example|ada"]})
    assert (made.status_code, made.headers["Location"]) == (201, f"{API}/people/007")
    shown = admin.get(f"{API}/people/007").json
    assert shown == made.json
    assert {"mbox:ada@example.com", "mbox:ada@old.example", "account:https://lms.example|ada"} <= set(shown["identifiers"])
    assert admin.put(f"{API}/people/007", json={"name": "Ada L"}).status_code == 200
    assert "mbox:ada@example.com" not in admin.get(f"{API}/people/007").json["identifiers"]
    assert admin.get(f"{API}/people/8").status_code == 404


@pytest.mark.parametrize("body", [
    {"email": "nobody"}, {"identifiers": ["?"]}, {"aliases": ["x y"]}, {"name": "a\nb"}, {"name": "a\0b"}, {"colour": "red"}, {"name": 7},
    {"email": ["a@b.example"]}, {"name": None}, {"aliases": [None]}, {"employee_id": "8"}])
def test_what_cannot_be_is_refused_and_nothing_is_kept(admin: FlaskClient, here: Site, body: dict[str, Any]) -> None:
    answer = admin.put(f"{API}/people/7", json=body)
    assert answer.status_code == 400, answer.json
    assert answer.json["findings"]
    assert here.store.directory.people() == []


def test_an_identifier_of_somebody_else_is_refused(admin: FlaskClient) -> None:
    admin.put(f"{API}/people/7", json={"email": "ada@example.com"})
    answer = admin.put(f"{API}/people/8", json={"email": "ada@example.com"})
    assert answer.status_code == 400
    assert "already belongs to 7" in answer.json["message"]
    assert admin.get(f"{API}/people/8").status_code == 404


def test_an_import_takes_what_it_can_and_names_the_other_rows(admin: FlaskClient, here: Site) -> None:
    dry = imported(admin, CSV, "?dry=true").json
    assert here.store.directory.people() == []
    assert here.store.audit.list(action="people") == []
    done = imported(admin, "\ufeff" + CSV).json
    assert (dry["people"], dry["new"], dry["refused"]) == (done["people"], done["new"], done["refused"])
    assert (done["people"], done["new"]) == (2, 2)
    assert [one["line"] for one in done["refused"]] == [3, 4, 5]
    assert imported(admin, CSV).json["new"] == 0
    assert imported(admin, CSV, "?dry=true").json["new"] == 0
    assert here.store.audit.list(action="people.import")[0].detail == {"rows": 3, "refused": 2}


@pytest.mark.parametrize(("text", "kind", "status"), [
    ("name\nx\n", "text/csv", 400), ("", "text/csv", 400), ("employee_id,email\n1,é@b.example\n".encode("latin-1"), "text/csv", 400),
    ('employee_id,name\n1,"Ada\n', "text/csv", 400), (CSV, "application/json", 415), (CSV, "", 415)])
def test_a_body_that_is_no_such_csv_is_refused_whole(admin: FlaskClient, here: Site, text: str | bytes, kind: str, status: int) -> None:
    answer = imported(admin, text, kind=kind)
    assert (answer.status_code, answer.json["status"]) == (status, status)
    assert here.store.directory.people() == []


def test_a_refused_import_leaves_no_person_in_the_log_of_refusals(admin: FlaskClient, here: Site) -> None:
    imported(admin, "name,colour\nAda Lovelace,red\n")
    [row] = admin.get(f"{API}/rejections").json["items"]
    assert "Lovelace" not in admin.get(f"{API}/rejections/{row['n']}").text


def test_people_are_found_by_what_is_known_of_them(admin: FlaskClient) -> None:
    imported(admin, "employee_id,email,name,department,aliases\n1,ada@x.example,Ada,Rail,a@old.example\n"
                    "2,bo@x.example,Bo,Rail,\n3,,Cy,Air,\n")

    def ids(**query: str) -> list[str]:
        return [one["employee_id"] for one in all_pages(admin, f"{API}/people", **query)]

    assert ids() == ["1", "2", "3"]
    assert ids(q="RAIL") == ["1", "2"]
    assert ids(q="x.example", limit="1") == ["1", "2"]
    assert ids(email="A@old.example") == ids(identifier="mailto:ada@x.example") == ids(identifier="mbox:ada@x.example") == ["1"]
    assert ids(email="ada@x.example", identifier="mailto:bo@x.example") == []
    assert ids(email="nobody@x.example") == ids(q="nobody") == ids(q="%") == []


def test_pages_miss_nobody_while_people_come(admin: FlaskClient) -> None:
    imported(admin, "employee_id\n" + "\n".join(f"{n:03}" for n in range(0, 100, 2)))
    seen: list[str] = []
    cursor: str | None = ""
    odd = 1
    while cursor is not None:
        page = admin.get(f"{API}/people", query_string={"limit": 7, "cursor": cursor}).json
        seen += [one["employee_id"] for one in page["items"]]
        admin.put(f"{API}/people/{odd:03}", json={})
        odd, cursor = odd + 2, page["next"]
    assert len(seen) == len(set(seen))
    assert {f"{n:03}" for n in range(0, 100, 2)} <= set(seen)
    assert seen == sorted(seen)


def test_who_is_waited_for_and_their_release(admin: FlaskClient, here: Site) -> None:
    for name in ("ada", "bo", "cy"):
        statement = {"actor": {"mbox": f"mailto:{name}@x.example"}, "verb": {"id": "http://adlnet.gov/expapi/verbs/completed"},
                     "object": {"id": "https://c.example/1", "definition": {"type": "http://adlnet.gov/expapi/activities/course"}}}
        assert admin.post("/xapi/statements", json=statement).status_code == 200
    while route_once(here.services).statements:
        pass
    rows = all_pages(admin, f"{API}/people/waiting", limit=2)
    assert [one["courses"] for one in rows] == [["https://c.example/1"]] * 3
    assert [one["identifier"] for one in rows] == [f"mbox:{name}@x.example" for name in ("ada", "bo", "cy")]
    assert admin.get(f"{API}/status").json["parked"] == 3
    admin.put(f"{API}/people/1", json={"email": "ada@x.example"})
    while (done := route_once(here.services)).statements or done.changes:
        pass
    assert [one["identifier"] for one in all_pages(admin, f"{API}/people/waiting")] == ["mbox:bo@x.example", "mbox:cy@x.example"]
