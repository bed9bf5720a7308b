"""What the web process does not need it does not keep in memory."""
from __future__ import annotations

import subprocess
import sys

import pytest

NOT_NEEDED = ("duckdb", "deltalake", "arro3", "pymongo", "celery", "redis")


@pytest.fixture(scope="module")
def imported() -> set[str]:
    program = "import sys, lrs.serve.web; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    return set(subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split())


@pytest.mark.parametrize("module", NOT_NEEDED)
def test_it_starts_without(module: str, imported: set[str]) -> None:
    assert "granian" in imported
    assert module not in imported
