"""Bytes that are no text, given to the command line and in a directory file: refused in a sentence."""
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from lrs.directory.csv import people


def test_an_argument_that_is_not_utf_8_is_wrong_usage_and_no_traceback(tmp_path: Path) -> None:
    ran = subprocess.run([sys.executable, "-m", "lrs", "--data", str(tmp_path), "credentials", "create", "--name", b"\xff"],
                         capture_output=True, timeout=60, env={**os.environ, "PYTHONUTF8": "1"})
    assert (ran.returncode, ran.stderr) == (2, b"lrs: an argument is not UTF-8 text\n")


def test_a_row_with_a_nul_character_is_refused_by_its_line() -> None:
    taken, refused = people(["employee_id,email\n", "1\0,ada@example.com\n", "2,bob@example.com\n"])
    assert [person.employee_id for _, person in taken] == ["2"]
    assert [(row.line, row.why.split(";")[0]) for row in refused] == [(2, "employee_id has a control character in it")]
