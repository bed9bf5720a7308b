"""A short cut of the store's faults: `make campaign ARGS="--only store"` is the whole of it."""
from __future__ import annotations

import random
from pathlib import Path

import pytest

from campaign import store


@pytest.mark.slow
@pytest.mark.parametrize("part", store.PARTS)
def test_a_store_that_fails_is_a_503_and_serves_again_without_a_restart(part: str, tmp_path: Path) -> None:
    seed = random.randrange(10**6)
    print(f"python -m campaign --only store --seed {seed}")
    print(store.run(tmp_path, seed, cycles=1, seconds=0.7, cut=True, parts=[part]))
