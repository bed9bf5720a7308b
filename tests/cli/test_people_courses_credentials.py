"""`lrs people`, `lrs courses`, `lrs credentials`: what they take, what they refuse, how they say so."""
from __future__ import annotations

import json
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from lrs.auth import credentials
from lrs.cli import main as cli
from lrs.errors import Invalid
from lrs.store.open_store import Store, open_store

SECRET = "a-secret-of-thirty-two-characters"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def lrs(data: Path, *words: str, given: str | bytes | None = None) -> Result:
    return CliRunner().invoke(cli.command, ["--data", str(data), *words], input=given)


def done(result: Result, code: int = 0) -> Result:
    assert result.exit_code == code, (result.exit_code, result.output, result.exception)
    return result


def lines(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done(result).stdout.splitlines()]


def store(data: Path) -> Store:
    return open_store(data)


def created(data: Path, *words: str) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(done(lrs(data, "credentials", "create", "--json", *words)).stdout)
    return made


def findings(result: Result) -> list[str]:
    assert isinstance(result.exception, Invalid), (result.output, result.exception)
    return [finding.where for finding in result.exception.findings]


# people and courses

PEOPLE = ("employee_id,email,name\n007,Ada@Example.com,Ada\n,x@example.com,\n8,nobody,\n9,ada@example.com,Other\n"
          "007,b@example.com,\n10,,Bo,more\n11,eve@example.com,Eve\n")


def test_refused_rows_are_reported_by_line_and_the_others_are_taken(data: Path) -> None:
    done(lrs(data, "migrate"))
    result = done(lrs(data, "people", "import", "-", given=PEOPLE), 1)
    assert result.stdout.splitlines()[0] == "2 people imported, 5 rows refused"
    said = [line.strip() for line in result.stderr.splitlines()]
    assert [line.split(":")[0] for line in said] == ["line 3", "line 4", "line 5", "line 6", "line 7"]
    assert "employee_id is empty" in said[0]
    assert '"nobody" is no e-mail address' in said[1]
    assert "mbox:ada@example.com already belongs to 007" in said[2]
    assert "stands already in line 2" in said[3]
    assert "more cells" in said[4]
    people = lines(lrs(data, "people", "list", "--json"))
    assert [(one["employee_id"], one["email"]) for one in people] == [("007", "ada@example.com"), ("11", "eve@example.com")]


def test_empty_lines_are_passed_over_and_counted(data: Path) -> None:
    result = done(lrs(data, "people", "import", "-", "--json", given="employee_id,email\n\n\n1,nobody\n\n2,also\n,\n3,\n"), 1)
    assert [one["line"] for one in json.loads(result.stdout)["refused"]] == [4, 6]


def test_the_import_as_json_says_the_same(data: Path) -> None:
    result = done(lrs(data, "people", "import", "-", "--json", given=PEOPLE), 1)
    said = json.loads(result.stdout)
    assert said["people"] == 2
    assert [one["line"] for one in said["refused"]] == [3, 4, 5, 6, 7]
    assert all(one["why"] for one in said["refused"])


def test_an_import_without_a_refused_row_exits_0_and_again_changes_nothing(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("\ufeffemployee_id,email\r\n1,zoë@example.com\r\n\r\n2,\r\n", encoding="utf-8")
    assert done(lrs(data, "people", "import", str(file))).stdout == "2 people imported, 0 rows refused\n"
    changes = store(data).directory.changes(0, 100)
    done(lrs(data, "people", "import", str(file)))
    assert store(data).directory.changes(0, 100) == changes
    assert "zoë@example.com" in done(lrs(data, "people", "list")).stdout


def test_a_file_larger_than_a_slice_is_taken_whole_with_the_right_lines(data: Path) -> None:
    rows = [f"{n},p{n}@example.com" for n in range(1200)]
    rows[1100] = "1100,p3@example.com"
    result = done(lrs(data, "people", "import", "-", "--json", given="employee_id,email\n" + "\n".join(rows)), 1)
    said = json.loads(result.stdout)
    assert said["people"] == 1199
    assert [one["line"] for one in said["refused"]] == [1102]


def test_courses_are_imported_and_listed(data: Path) -> None:
    rows = ("id,title,aliases,all_of,repeat_after_days,attempts,hris_type\n"
            "https://c.example/1,Feuer ü,urn:a:1;urn:a:2,,365,,18\n"
            "https://c.example/2,,urn:a:2,,,,\n"
            "https://c.example/3,,,,soon,,\n"
            "https://c.example/4,,,,,always,\n"
            "https://c.example/5,,,urn:p:1;urn:p:2,,per_registration,\n"
            "https://c.example/6,,,,99999999999999999999999,,\n"
            "https://c.example/7,,,,0,,\n")
    result = done(lrs(data, "courses", "import", "-", "--json", given=rows), 1)
    said = json.loads(result.stdout)
    assert said["courses"] == 2
    assert [one["line"] for one in said["refused"]] == [3, 4, 5, 7, 8]
    assert "urn:a:2 already belongs to https://c.example/1" in said["refused"][0]["why"]
    listed = lines(lrs(data, "courses", "list", "--json"))
    assert [(one["id"], one["repeat_after_days"], one["hris_type"]) for one in listed] == [
        ("https://c.example/1", 365, 18), ("https://c.example/5", 90, None)]
    assert "Feuer ü" in done(lrs(data, "courses", "list")).stdout


@pytest.mark.parametrize(("given", "why"), [
    ("", "no column"), ("name,email\n1,2\n", 'no column "employee_id"'), ("employee_id,shoe_size\n", 'unknown column "shoe_size"'),
    ("employee_id|email\n1|2\n", 'no column "employee_id"; it has: employee_id|email'),
    ("employee_id,email,email\n1,a@b.c,d@e.f\n", '"email" twice'),
    ("employee_id,email\n1,é@b.example\n".encode("latin-1"), "UTF-8"), ("employee_id\n1\n".encode("utf-16"), "UTF-8"),
    ("employee_id,name\n1," + "x" * 200_000 + "\n", "line 2"),
    ('employee_id,name\n1,"Ada\n2,Bo\n3,Cy\n', "line 2"), ('employee_id,name\n1,"Ada" L\n', "line 2")])
def test_a_file_that_is_no_such_csv_is_refused_whole(data: Path, given: str | bytes, why: str) -> None:
    result = done(lrs(data, "people", "import", "-", given=given), 65)
    assert why in result.stderr
    assert store(data).directory.people() == []


def test_a_file_that_is_not_there_is_wrong_usage(data: Path) -> None:
    for noun in ("people", "courses"):
        assert "nowhere.csv" in done(lrs(data, noun, "import", "nowhere.csv"), 2).stderr


# credentials


def test_a_credential_is_generated_unless_given_and_opens(data: Path) -> None:
    one, two = created(data, "--name", "Sim One"), created(data, "--name", "Sim One")
    assert one["key"] != two["key"]
    assert one["secret"] != two["secret"]
    assert len(one["secret"]) >= credentials.SECRET_MIN
    assert (one["provider"], one["scopes"]) == ("sim-one", ["statements/read/mine", "statements/write"])
    assert one["webhook_secret"].startswith("whsec_")
    kept = store(data).credentials.by_key(one["key"])
    assert kept is not None
    assert kept.digest == credentials.digest(store(data).credentials, one["secret"])


def test_key_secret_scopes_and_provider_may_be_given(data: Path) -> None:
    made = created(data, "--name", "LMS", "--key", "acme-lms", "--secret", SECRET, "--provider", "acme", "--scope", "feeds/read",
                   "--scope", "statements/write")
    assert (made["key"], made["secret"], made["provider"]) == ("acme-lms", SECRET, "acme")
    assert made["scopes"] == ["feeds/read", "statements/write"]


@pytest.mark.parametrize(("words", "where"), [
    (["--scope", "everything"], ["/scope"]), (["--key", "a:b"], ["/key"]), (["--key", "é" * 5], ["/key"]), (["--key", "ab"], ["/key"]),
    (["--secret", "x" * 31], ["/secret"]), (["--name", "  "], ["/name"]),
    (["--scope", "a", "--scope", "b", "--key", "?", "--secret", "short"], ["/scope", "/scope", "/key", "/secret"])])
def test_what_a_credential_cannot_be_is_named_and_nothing_is_kept(data: Path, words: list[str], where: list[str]) -> None:
    assert findings(lrs(data, "credentials", "create", "--name", "x", *words)) == where
    assert store(data).credentials.list() == []


def test_a_taken_key_is_refused_and_the_first_secret_stays(data: Path) -> None:
    created(data, "--name", "a", "--key", "taken", "--secret", SECRET)
    before = store(data).credentials.by_key("taken")
    assert findings(lrs(data, "credentials", "create", "--name", "b", "--key", "taken")) == ["/key"]
    assert store(data).credentials.by_key("taken") == before


def test_a_name_is_needed(data: Path) -> None:
    assert "--name" in done(lrs(data, "credentials", "create"), 2).stderr


def test_a_name_without_latin_letters_still_has_a_provider_of_its_own(data: Path) -> None:
    one, two = created(data, "--name", "学习平台"), created(data, "--name", "Ü")
    assert one["provider"]
    assert one["provider"] != two["provider"], "they could void each other's statements"


def test_the_secret_is_shown_once_and_kept_nowhere(data: Path) -> None:
    made = created(data, "--name", "a", "--secret", SECRET)
    listed = done(lrs(data, "credentials", "list")).stdout + done(lrs(data, "credentials", "list", "--json")).stdout
    assert made["key"] in listed
    assert SECRET not in listed
    for file in data.iterdir():
        assert SECRET.encode() not in file.read_bytes()


def test_the_curl_command_can_be_pasted_whatever_the_secret(data: Path) -> None:
    secret = "it's $HOME `id` \"quoted\" " + "x" * 32
    shown = done(lrs(data, "credentials", "create", "--name", "a", "--key", "the-key", "--secret", secret)).stdout
    command = shown[shown.index("curl "):]
    words = shlex.split(command.replace("\\\n", " "))
    assert words[words.index("-u") + 1] == f"the-key:{secret}"
    assert json.loads(words[words.index("-d") + 1])["verb"]["id"] == "http://adlnet.gov/expapi/verbs/completed"
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/xapi/statements", words[-1])


def test_a_revoked_credential_is_listed_as_such_and_opens_nothing(data: Path) -> None:
    one, two = created(data, "--name", "a"), created(data, "--name", "b")
    assert "revoked" in done(lrs(data, "credentials", "revoke", one["key"])).stdout
    listed = lines(lrs(data, "credentials", "list", "--json"))
    assert {row["key"]: row["revoked"] for row in listed} == {one["key"]: True, two["key"]: False}
    [line] = [line for line in done(lrs(data, "credentials", "list")).stdout.splitlines() if "REVOKED" in line]
    assert line.startswith(one["key"])
    # again is as good, another is an error
    done(lrs(data, "credentials", "revoke", one["key"]))
    assert 'no credential "nobody"' in done(lrs(data, "credentials", "revoke", "nobody"), 1).stderr


def test_the_console_script_ends_with_the_exit_code_of_the_table_and_a_sentence(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["lrs", "--data", str(data), "credentials", "create", "--name", "x", "--secret", "short"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 65
    said = capsys.readouterr().err
    assert "at least 32 characters" in said
    assert "Traceback" not in said
    assert "short" not in said
