"""The help of every noun fits a terminal of 80 columns, and the data directory is nobody else's."""
from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from lrs.cli.main import NOUNS, command, main
from lrs.errors import StoreUnavailable
from lrs.store.open_store import open_store


def commands(noun: str) -> dict[str, click.Command]:
    found = importlib.import_module(f"lrs.cli.{noun}").command
    return found.commands if isinstance(found, click.Group) else {}


@pytest.mark.parametrize("noun", list(NOUNS))
def test_what_a_command_does_is_listed_whole(noun: str) -> None:
    listed = CliRunner().invoke(command, [noun, "--help"], terminal_width=80).output
    cut = [line for line in listed.partition("Commands:")[2].splitlines() if line.endswith("...")]
    assert not cut


@pytest.mark.parametrize("noun", list(NOUNS))
def test_the_commands_that_a_noun_is_introduced_with_exist(noun: str) -> None:
    _, colon, several = NOUNS[noun].rstrip(".").partition(": ")
    if colon and commands(noun):
        assert set(several.split(", ")) <= set(commands(noun))


@pytest.mark.parametrize(("noun", "said"), [
    ("targets", "no targets yet: lrs targets add"), ("people", "nobody yet: lrs people import"),
    ("courses", "no courses yet: lrs courses import"), ("connections", "no connections yet: lrs connections add"),
    ("deliveries", "there are no deliveries yet"), ("rejections", "nothing was refused"), ("audit", "nothing was changed yet")])
def test_an_empty_list_says_so_to_people_and_is_empty_to_machines(noun: str, said: str, tmp_path: Path) -> None:
    def listed(*more: str) -> str:
        return CliRunner().invoke(command, ["--data", str(tmp_path / "data"), noun, "list", *more], catch_exceptions=False).output

    assert f"{tmp_path / 'data'} holds no store; say where it is with --data or LRS_DATA" in listed()
    assert not (tmp_path / "data").exists(), "nothing is made in a folder that was mistyped"
    open_store(tmp_path / "data").close()
    assert listed() == f"{said}\n"
    assert listed("--json") == ""


@pytest.mark.parametrize("words", [("status",), ("export", "--format", "csv", "--out", "out"), ("backup", "--to", "b"), ("verify",),
                                   ("facts", "status"), ("people", "waiting"), ("verbs", "unmapped"), ("courses", "versions")])
def test_what_reads_a_store_makes_none(words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(command, ["--data", "typo", *words])
    assert (result.exit_code, "typo holds no store" in result.output) == (1, True)
    assert list(tmp_path.iterdir()) == []


def test_what_writes_into_a_new_store_says_that_it_is_new(tmp_path: Path) -> None:
    words = ["--data", str(tmp_path / "data"), "people", "put", "00417"]
    assert f"there was no store in {tmp_path / 'data'}; a new one is made" in CliRunner().invoke(command, words).stderr
    assert CliRunner().invoke(command, words).stderr == ""


def test_a_data_directory_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    data = tmp_path / "above" / "data"
    assert CliRunner().invoke(command, ["--data", str(data), "migrate"]).exit_code == 0
    assert data.stat().st_mode & 0o777 == 0o700


def test_a_data_directory_that_stands_already_keeps_its_rights(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o750)
    assert CliRunner().invoke(command, ["--data", str(tmp_path / "data"), "migrate"]).exit_code == 0
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o750


def test_a_terminal_that_knows_few_characters_gets_others_instead_of_a_traceback() -> None:
    told = subprocess.run([sys.executable, "-m", "lrs", "settings"], capture_output=True, timeout=60, check=False,
                          env={**os.environ, "PYTHONIOENCODING": "latin-1"})
    assert (told.returncode, b"Traceback" in told.stderr, b"LRS_STORE" in told.stdout) == (0, False, True)


def test_a_folder_that_may_not_be_looked_into_is_a_store_that_cannot_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_file", refused)
    result = CliRunner().invoke(command, ["--data", str(tmp_path / "closed"), "status"])
    assert isinstance(result.exception, StoreUnavailable)
    assert "Permission denied" in str(result.exception)


def test_a_file_that_cannot_be_written_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    open_store(tmp_path / "data").close()
    (tmp_path / "data" / "last-export.json").mkdir()
    monkeypatch.setattr(sys, "argv", ["lrs", "--data", str(tmp_path / "data"), "export", "--format", "csv", "--out", str(tmp_path / "out")])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert capsys.readouterr().err.strip().endswith(f"lrs: [Errno 21] Is a directory: '{tmp_path / 'data' / 'last-export.json'}'")
