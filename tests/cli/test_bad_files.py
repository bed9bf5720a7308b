"""A file that is not what a command reads ends it with one sentence and exit code 65, on whatever command and store."""
from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from lrs.cli import main

FILES = {
    "not UTF-8": b"id,title\n1,\xff\n", "nothing": b"", "another header": b"colour,size\nred,5\n",
    "an open quote": b'id,employee_id,verb_iri,canonical,completion_event\n"x,y\n', "half an object": b'{"rows": [',
    "a NUL": b"\x00\x01\x02",
}
COMMANDS = {
    "people": ("people", "import"), "people, dry": ("people", "import", "--dry-run"), "courses": ("courses", "import"),
    "course map": ("courses", "propose"), "verb map": ("verbs", "propose"), "statement": ("verbs", "explain"),
}


def ended(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], data: Path, *words: object) -> tuple[int, str]:
    """The exit code and what stands on stderr, as a shell has them."""
    monkeypatch.setattr("sys.argv", ["lrs", "--data", str(data), *map(str, words)])
    with pytest.raises(SystemExit) as end:
        main.main()
    return int(end.value.code or 0), capsys.readouterr().err


@pytest.mark.parametrize("content", FILES.values(), ids=list(FILES))
@pytest.mark.parametrize("words", COMMANDS.values(), ids=list(COMMANDS))
def test_it_ends_with_65(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], content: bytes,
) -> None:
    (tmp_path / "file").write_bytes(content)
    ended(monkeypatch, capsys, tmp_path / "data", "migrate")
    code, told = ended(monkeypatch, capsys, tmp_path / "data", *words, tmp_path / "file")
    assert (code, "Traceback" in told) == (65, False), told
    assert told.strip()


@pytest.mark.parametrize("name", ["b.tar", "b.tar.gz"])
def test_so_does_what_is_no_backup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str) -> None:
    for content in (b"", b"nothing of the kind" * 100):
        (tmp_path / name).write_bytes(content)
        assert ended(monkeypatch, capsys, tmp_path / "data", "restore", "--from", tmp_path / name)[0] == 65
    with tarfile.open(tmp_path / name, "w"):
        pass
    assert ended(monkeypatch, capsys, tmp_path / "data", "restore", "--from", tmp_path / name)[0] == 65


def test_what_is_wrong_with_the_words_stays_2_and_a_file_that_is_not_there_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:
    for words in (("people", "import"), ("people", "import", tmp_path / "none"), ("verbs", "propose"), ("courses", "propose")):
        assert ended(monkeypatch, capsys, tmp_path / "data", *words)[0] == 2
