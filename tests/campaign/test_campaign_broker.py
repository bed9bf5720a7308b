"""A short cut of the broker that is away: `make campaign ARGS="--only broker"` is the whole of it."""
from __future__ import annotations

import random
from pathlib import Path

import pytest

from campaign import broker


@pytest.mark.slow
def test_a_broker_that_is_away_under_load_fails_no_write_and_loses_no_delivery(tmp_path: Path) -> None:
    seed = random.randrange(10**6)
    print(f"python -m campaign --only broker --seed {seed}")
    print(broker.run(tmp_path / "run", seed, cycles=12))
    assert (tmp_path / "broker-12s.svg").read_text().startswith("<svg")
