"""A short cut of the campaign on the production path: `make campaign ARGS="--only production"` is the whole of it."""
from __future__ import annotations

import random
from pathlib import Path

import pytest

from campaign import production


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_nothing_is_lost_when_parts_of_the_production_path_are_killed(tmp_path: Path) -> None:
    seed = random.randrange(10**6)
    print(f"python -m campaign --only production --seed {seed}")
    print(production.run(tmp_path, seed, cycles=3, clients=2, exports=1))
