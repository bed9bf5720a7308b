"""A short cut of the builder of facts that is killed: `make campaign ARGS="--only facts"` is the whole of it."""
from __future__ import annotations

import random
from pathlib import Path

import pytest

from campaign import facts


@pytest.mark.slow
def test_the_table_says_what_the_store_says_however_often_its_builder_is_killed(tmp_path: Path) -> None:
    seed = random.randrange(10**6)
    print(f"python -m campaign --only facts --seed {seed}")
    print(facts.run(tmp_path, seed, cycles=4))
