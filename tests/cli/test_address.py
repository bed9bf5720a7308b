"""What is made on the command line bears the address that the running LRS bears."""
from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from lrs.cli.main import command
from lrs.store.sqlite.served import Address, held, last_address

SERVED = Address("127.0.0.1", 1, "https://lrs.example.org")


def course_listed(data: Path, **environ: str) -> str:
    return CliRunner().invoke(command, ["--data", str(data), "courses", "import", "-"], input="id\nonboarding-01\n", env=environ).output


@pytest.fixture
def data(tmp_path: Path) -> Path:
    with held(tmp_path, SERVED):
        pass
    return tmp_path


def test_a_course_gets_the_id_that_the_hook_of_the_running_lrs_gives(data: Path) -> None:
    assert "https://lrs.example.org/courses/onboarding-01" in course_listed(data)


def test_a_credential_is_tried_where_the_lrs_listens(data: Path) -> None:
    made = CliRunner().invoke(command, ["--data", str(data), "credentials", "create", "--name", "Acme"]).stdout
    assert "https://lrs.example.org/xapi/statements" in made
    tried = CliRunner().invoke(command, ["--data", str(data), "credentials", "test", "k", "--secret", "s"])
    assert "http://127.0.0.1:1 does not answer" in tried.stdout


@pytest.mark.parametrize(("name", "value", "listed"), [
    ("LRS_PUBLIC_URL", "https://other.example", "https://other.example"), ("LRS_PORT", "9000", "http://127.0.0.1:9000")])
def test_what_the_environment_says_goes_before(data: Path, name: str, value: str, listed: str) -> None:
    assert f"{listed}/courses/onboarding-01" in course_listed(data, **{name: value})


def test_who_comes_in_vain_takes_nothing_away(tmp_path: Path) -> None:
    with held(tmp_path, SERVED):
        with pytest.raises(BlockingIOError), held(tmp_path, Address("127.0.0.1", 9000, "http://127.0.0.1:9000")):
            pass
        assert last_address(tmp_path) == SERVED


@pytest.mark.parametrize("text", ["", "{", "[]", '{"host": "h"}'])
def test_a_file_that_says_nothing_changes_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "serve.lock").write_text(text)
    assert "http://127.0.0.1:8080/courses/onboarding-01" in course_listed(tmp_path)
