"""`lrs verbs` and `lrs courses`: propose, diff, apply, rollback and versions, in words and as JSON."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from lrs.cli import main as cli
from lrs.completions.model import Course, Person
from lrs.completions.subjects import email_identifiers
from lrs.config import Settings, load
from lrs.errors import Invalid
from lrs.ingest.batch import accept
from lrs.ingest.prepare import Provider
from lrs.management import courses, maps
from lrs.services import Services
from lrs.store.open_store import Store, open_store
from workers.route import route_once

VENDOR = "https://vendor.example/verbs/finished"
COURSE = "https://courses.example/forklift"
HEADER = "verb_iri,provider,activity_type,canonical,completion_event\n"
ROWS = HEADER + f"{VENDOR},,,completed,yes\n"


@pytest.fixture
def services(tmp_path: Path) -> Services:
    made = Services(Settings(data=tmp_path / "data"), open_store(tmp_path / "data"))
    made.store.directory.put_courses([Course(COURSE, "Forklift")])
    made.store.directory.put_people([Person("7", "ada@example.com", identifiers=tuple(email_identifiers("ada@example.com")))])
    for mail in ("ada", "eve"):
        one = {"actor": {"mbox": f"mailto:{mail}@example.com"}, "verb": {"id": VENDOR}, "object": {"id": COURSE}}
        accept(made, json.dumps(one).encode(), Provider("sim", frozenset({"all"}), "sim", {"mbox": "mailto:sim@example.com"}))
    routed(made)
    return made


def routed(services: Services) -> None:
    while (done := route_once(services)).statements or done.changes:
        pass


def lrs(services: Services, *words: str, given: str | bytes | None = None, code: int = 0) -> Result:
    result = CliRunner().invoke(cli.command, ["--data", str(services.settings.data), *words], input=given)
    assert result.exit_code == code, (result.exit_code, result.output, result.exception)
    return result


def told(services: Services, *words: str, given: str | None = None) -> Any:
    return json.loads(lrs(services, *words, "--json", given=given).stdout)


def test_from_propose_to_rollback_in_words(services: Services) -> None:
    assert "no version of the verbs map was ever proposed" in lrs(services, "verbs", "versions").stdout
    assert "version 1 of the verbs map proposed; nothing is changed yet" in lrs(services, "verbs", "propose", "-", given=ROWS).stdout
    diff = lrs(services, "verbs", "diff", "1").stdout
    assert f"2  sim              {VENDOR}: unmapped/no → completed/yes/completed" in diff
    assert "1 event would be sent" in diff
    assert f"learning.completed completed for employee 7: {COURSE}" in diff
    assert "1 completion would wait until the directory knows the learner" in diff
    assert "mbox:eve@example.com" in diff
    assert services.store.work.feed_length() == 0
    assert "version 1 of the verbs map is in force" in lrs(services, "verbs", "apply", "1").stdout
    assert "history waiting" in lrs(services, "verbs", "versions").stdout
    routed(services)
    assert "history read again" in lrs(services, "verbs", "versions").stdout
    assert services.store.work.feed_length() == 1
    assert "(own)" in lrs(services, "verbs", "list", "--verb", "completed").stdout
    assert "version 2" in lrs(services, "verbs", "rollback", "--note", "not agreed").stdout
    routed(services)
    assert services.store.work.feed_length() == 1
    assert "not agreed" in lrs(services, "verbs", "versions").stdout
    assert VENDOR in lrs(services, "verbs", "unmapped").stdout


def test_the_same_as_json(services: Services) -> None:
    made = told(services, "verbs", "propose", "-", "--note", "vendor", given=json.dumps({"rows": [
        {"verb_iri": VENDOR, "canonical": "completed", "completion_event": "yes"}]}))
    assert made == {"kind": "verbs", "number": 1, "state": "proposed", "base": 0, "note": "vendor", "who": made["who"]}
    diff = told(services, "verbs", "diff", "1")
    assert (diff["events"], diff["released"], diff["parked"]) == (1, {"learning.completed completed": 1}, 1)
    assert told(services, "verbs", "apply", "1")["state"] == "active"
    assert told(services, "verbs", "versions")["history"] == "waiting"
    assert told(services, "verbs", "rollback")["number"] == 2


def test_every_fault_of_a_file_is_named(services: Services) -> None:
    result = lrs(services, "verbs", "propose", "-", given=HEADER + "finished,,,done,maybe\n", code=1)
    assert isinstance(result.exception, Invalid)
    assert [(one.index, one.where) for one in result.exception.findings] == [(2, "/verb_iri"), (2, "/canonical"), (2, "/completion_event")]
    assert told(services, "verbs", "propose", "-", given=ROWS)["number"] == 1


@pytest.mark.parametrize(("words", "given", "code", "why"), [
    (("verbs", "diff", "9"), None, 1, "no version 9"), (("verbs", "apply", "9"), None, 1, "no version 9"),
    (("verbs", "diff", "9" * 20), None, 1, "no version 999"), (("courses", "apply", "9" * 20), None, 1, "no version 999"),
    (("verbs", "rollback"), None, 1, "nothing to roll back"), (("courses", "rollback"), None, 1, "nothing to roll back"),
    (("verbs", "propose", "-"), HEADER, 1, "changes nothing"), (("verbs", "propose", "-"), "colour\nred\n", 65, "no column"),
    (("verbs", "propose", "-"), "{", 65, "not JSON"), (("verbs", "propose", "-"), "[]", 65, "JSON object"),
    (("verbs", "propose", "-"), b"\xff", 65, "UTF-8"), (("courses", "propose", "-"), b"\xff", 65, "UTF-8"),
    (("verbs", "propose", "-"), "[" * 100_000, 65, "not JSON"), (("courses", "propose", "-"), "[" * 100_000, 65, "not JSON"),
    (("verbs", "explain", "-"), "[" * 100_000, 65, "not JSON"), (("verbs", "propose", "-"), '{"rows": ["\\ud800"]}', 65, "no Unicode"),
    (("courses", "propose", "-"), "{", 65, "not JSON"), (("courses", "propose", "-"), "colour\n", 65, "no column"),
    (("courses", "propose"), None, 2, "name a file"), (("verbs", "diff", "0"), None, 2, "0"),
    (("courses", "show", "x:none"), None, 1, "no course"),
    (("courses", "propose", "-"), f"id,title\n{COURSE},Forklift\n", 1, "changes nothing")])
def test_what_cannot_be_done_is_one_sentence(
    services: Services, words: tuple[str, ...], given: str | bytes | None, code: int, why: str,
) -> None:
    assert why in lrs(services, *words, given=given, code=code).stderr


def test_all_of_history_can_be_read_again_without_a_file(services: Services) -> None:
    assert told(services, "verbs", "propose", "--history")["note"] == "all of history"
    assert told(services, "verbs", "diff", "1")["statements"] == 2
    lrs(services, "verbs", "apply", "1")
    routed(services)
    assert "history read again" in lrs(services, "verbs", "versions").stdout
    for words in ((), ("--history", "-")):
        assert "name a file, or --history" in lrs(services, "verbs", "propose", *words, given=ROWS, code=2).stderr


def test_a_badge_is_explained_as_the_credential_that_it_is(services: Services) -> None:
    lrs(services, "verbs", "propose", "-", given='{"providers": [{"provider": "badger", "opt_in": ["mastered"]}]}')
    lrs(services, "verbs", "apply", "1")
    badge = json.dumps({"actor": {"mbox": "mailto:ada@example.com"}, "verb": {"id": "http://adlnet.gov/expapi/verbs/mastered"},
                        "object": {"id": "https://badges.example/1"}})
    said = lrs(services, "verbs", "explain", "-", "--provider", "badger", given=badge).stdout
    assert "triggers  credential.awarded for https://badges.example/1 for employee 7" in said
    assert "triggers  nothing" in lrs(services, "verbs", "explain", "-", given=badge).stdout


def test_a_catalogue_is_proposed_compared_and_applied(services: Services) -> None:
    lrs(services, "verbs", "propose", "-", given=ROWS)
    lrs(services, "verbs", "apply", "1")
    routed(services)
    assert told(services, "courses", "propose", "--remove", COURSE)["number"] == 1
    diff = lrs(services, "courses", "diff", "1").stdout
    assert "1 statement(s) count no longer, but were sent: that stays, nothing is revoked" in diff
    assert "1 statement(s) count no longer, and nothing of it was sent: that is forgotten" in diff
    lrs(services, "courses", "apply", "1")
    assert lrs(services, "courses", "list").stdout == "no courses yet: lrs courses import\n"
    lrs(services, "courses", "rollback")
    assert json.loads(lrs(services, "courses", "show", COURSE).stdout)["title"] == "Forklift"


def test_an_import_says_what_it_releases_and_can_be_taken_back(services: Services) -> None:
    lrs(services, "verbs", "propose", "-", given=ROWS)
    lrs(services, "verbs", "apply", "1")
    other = "https://courses.example/crane"
    one = {"actor": {"mbox": "mailto:ada@example.com"}, "verb": {"id": VENDOR}, "object": {"id": other}}
    accept(services, json.dumps(one).encode(), Provider("sim", frozenset({"all"}), "sim", {"mbox": "mailto:sim@example.com"}))
    routed(services)
    result = told(services, "courses", "import", "-", given=f"id,title\n{other},Crane\n{COURSE},Forklift\n")
    assert result == {"courses": 2, "refused": [], "version": 1, "changed": 1, "released": {"learning.completed completed": 1}}
    again = told(services, "courses", "import", "-", given=f"id,title\n{other},Crane\n")
    assert (again["version"], again["changed"]) == (None, 0)
    lrs(services, "courses", "rollback")
    assert [row.split()[0] for row in lrs(services, "courses", "list").stdout.splitlines()] == [COURSE]


def test_an_import_that_somebody_else_overtook_says_to_import_again(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    diff = maps.diff

    def overtaken(store: Store, *rest: Any) -> maps.Diff:
        monkeypatch.undo()
        read = courses.read("id\nhttps://x.example/other\n", "https://lrs.example")
        maps.apply(store, "courses", courses.propose_read(store, read, who="other").number, who="other")
        return diff(store, *rest)

    monkeypatch.setattr(maps, "diff", overtaken)
    result = lrs(services, "courses", "import", "-", given="id,title\nhttps://x.example/1,One\n", code=1)
    assert "nothing was imported, import again" in result.stderr
    lrs(services, "courses", "import", "-", given="id,title\nhttps://x.example/1,One\n")


def test_an_imported_id_that_is_no_iri_is_the_one_that_the_lms_hook_writes(services: Services) -> None:
    result = lrs(services, "courses", "import", "-", given="id,title,aliases\nSAFE-1,Safety,old-1;https://x.example/1\n")
    public_url = load({}, None).public_url
    assert f"SAFE-1 is no IRI: listed as {public_url}/courses/SAFE-1" in result.stderr
    one = json.loads(lrs(services, "courses", "list", "--json").stdout.splitlines()[0])
    assert one["id"] == f"{public_url}/courses/SAFE-1"
    assert one["aliases"] == [f"{public_url}/courses/old-1", "https://x.example/1"]
