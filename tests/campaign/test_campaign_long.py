"""A short cut of the long run: `make campaign ARGS="--only long"` is the whole of it."""
from __future__ import annotations

from pathlib import Path

import pytest

from bench import client
from campaign import long


@pytest.mark.slow
def test_memory_files_and_logs_stay_what_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # how fast is no matter here, and so it is none whether the client is the slower one
    monkeypatch.setattr(client, "CORE_MAX", 2.0)
    print(long.run(tmp_path, 1, cycles=10_000, timed=False))
