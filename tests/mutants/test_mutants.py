"""Every mutant fits the tree and names tests that are there; the machine tells a caught one from one that nobody notices."""
from __future__ import annotations

import ast
import json
import subprocess
from functools import cache
from pathlib import Path

import pytest

from mutants.__main__ import ROOT, main
from mutants.copies import Copy
from mutants.listed import MUTANTS
from mutants.mutant import Mutant, Unfit
from mutants.page import markdown
from mutants.trial import NotGreen, Verdict, try_all

PAGE = ROOT / "docs" / "mutants.md"
PRODUCT = ("lrs/", "workers/", "verbs/", "analytics/")
ADD = "tests/test_adding.py::"


@cache
def functions(file: Path) -> frozenset[str]:
    return frozenset(node.name for node in ast.parse(file.read_text()).body if isinstance(node, ast.FunctionDef))


def test_there_are_at_least_thirty_and_no_name_twice() -> None:
    assert len(MUTANTS) >= 30
    assert len({one.name for one in MUTANTS}) == len(MUTANTS)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda one: one.name)
def test_it_fits_the_product_once_and_stays_python_and_names_tests_that_are_there(mutant: Mutant) -> None:
    assert mutant.file.startswith(PRODUCT)
    ast.parse(mutant.applied((ROOT / mutant.file).read_text()))
    assert mutant.tests
    for node in mutant.tests:
        file, _, name = node.partition("::")
        assert name.partition("[")[0] in functions(ROOT / file), node
    assert mutant.breaks.endswith(".")


def test_the_page_is_what_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--page"]) == 0
    assert PAGE.read_text(encoding="utf-8") == capsys.readouterr().out, "print it anew: python -m mutants --page > docs/mutants.md"
    assert all(f"`{one.name}`" in markdown() for one in MUTANTS)


def test_the_list_says_what_there_is_and_an_unknown_name_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list", "--json", "--only", "commit-without-fsync"]) == 0
    [told] = json.loads(capsys.readouterr().out)
    assert (told["name"], told["file"]) == ("commit-without-fsync", "lrs/store/sqlite/database.py")
    with pytest.raises(SystemExit) as ended:
        main(["--only", "no-such-mutant"])
    assert ended.value.code == 2


@pytest.mark.parametrize("text", ["nothing of it", "a + b, a + b"])
def test_a_text_that_is_not_there_once_is_unfit(text: str) -> None:
    with pytest.raises(Unfit):
        Mutant("m", "B.", "f.py", "a + b", "a - b", ()).applied(text)


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Verdict]:
    """A small repository with mutants of every fate, tried."""
    root = repository(tmp_path_factory.mktemp("tree"))
    line = "    return a + b\n"

    def mutant(name: str, new: str, *tests: str, old: str = line, hangs: bool = False) -> Mutant:
        return Mutant(name, "It adds.", "adding.py", old, new, tests, hangs)

    listed = [
        mutant("noticed", "    return a - b\n", ADD + "test_sum", ADD + "test_cases"),
        mutant("unnoticed", "    return a + b + 0\n", ADD + "test_sum"),
        mutant("noticed-by-one-of-two", "    return a + b if b else 7\n", ADD + "test_sum", ADD + "test_cases"),
        mutant("a-named-case", "    return a + b if b else 7\n", ADD + "test_cases[0]"),
        mutant("breaks-everything", "    return a +\n", ADD + "test_sum"),
        mutant("text-gone", "", ADD + "test_sum", old="    return a * b\n"),
        mutant("hangs-and-may-not", "    while True: pass\n", ADD + "test_short"),
        mutant("hangs-and-may", "    while True: pass\n", ADD + "test_short", hangs=True),
    ]
    heard: list[Verdict] = []
    found = try_all(root, listed, 2, heard.append)
    assert sorted(one.mutant.name for one in heard) == sorted(one.name for one in listed)
    assert (root / "adding.py").read_text().count(line) == 1
    return {one.mutant.name: one for one in found}


def repository(root: Path, body: str = "") -> Path:
    (root / "tests").mkdir()
    (root / "adding.py").write_text("def add(a: int, b: int) -> int:\n    return a + b\n")
    (root / "tests" / "test_adding.py").write_text(
        "import pytest\nfrom adding import add\n\ndef test_sum() -> None:\n    assert add(1, 2) == 3\n\n"
        '@pytest.mark.parametrize("n", [0, 1])\ndef test_cases(n: int) -> None:\n    assert add(1, n) == 1 + n\n\n'
        "@pytest.mark.timeout(1)\ndef test_short() -> None:\n    assert add(1, 2) == 3\n" + body)
    (root / ".gitignore").write_text("ignored.py\n__pycache__\n")
    (root / "ignored.py").write_text("")
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    return root


def test_a_mutant_is_caught_where_every_named_test_fails(verdicts: dict[str, Verdict]) -> None:
    assert (verdicts["noticed"].end, verdicts["noticed"].why) == ("caught", "")
    assert verdicts["a-named-case"].end == "caught"


def test_a_mutant_that_a_named_test_does_not_notice_survives(verdicts: dict[str, Verdict]) -> None:
    assert (verdicts["unnoticed"].end, verdicts["unnoticed"].why) == ("survived", ADD + "test_sum passed")
    assert (verdicts["noticed-by-one-of-two"].end, verdicts["noticed-by-one-of-two"].why) == ("survived", ADD + "test_sum passed")


def test_a_mutant_that_breaks_everything_or_does_not_apply_proves_nothing(verdicts: dict[str, Verdict]) -> None:
    assert verdicts["breaks-everything"].end == "unfit"
    assert verdicts["text-gone"].end == "unfit"
    assert "0 times" in verdicts["text-gone"].why


def test_a_test_that_runs_out_of_time_has_noticed_only_where_the_entry_says_so(verdicts: dict[str, Verdict]) -> None:
    assert verdicts["hangs-and-may-not"].end == "survived"
    assert "timeout" in verdicts["hangs-and-may-not"].why
    assert verdicts["hangs-and-may"].end == "caught"


def test_tests_that_fail_or_are_missing_with_nothing_broken_prove_nothing(tmp_path: Path) -> None:
    root = repository(tmp_path, "\ndef test_red() -> None:\n    assert add(1, 2) == 4\n")
    mutant = Mutant("m", "It adds.", "adding.py", "a + b", "a - b", (ADD + "test_red", ADD + "test_sum"))
    with pytest.raises(NotGreen, match="test_red: failed"):
        try_all(root, [mutant], 1, lambda _: None)
    missing = Mutant("m", "It adds.", "adding.py", "a + b", "a - b", (ADD + "test_sum", ADD + "test_not_there"))
    with pytest.raises(NotGreen, match="not found"):
        try_all(root, [missing], 1, lambda _: None)


def test_a_copy_holds_what_is_not_ignored_and_is_made_whole_again(tmp_path: Path) -> None:
    (tmp_path / "of").mkdir()
    copy = Copy.of_repository(repository(tmp_path / "of"), tmp_path / "copy")
    assert not (copy.folder / "ignored.py").exists()
    file = copy.folder / "adding.py"
    whole, times = file.read_text(), file.stat().st_mtime_ns
    with copy.broken(Mutant("m", "It adds.", "adding.py", "a + b", "a - b", ())):
        assert "a - b" in file.read_text()
    assert (file.read_text(), file.stat().st_mtime_ns) == (whole, times)
