"""The simulation finds what it is there to find: each planted fault shows within some seeds."""
from __future__ import annotations

import logging

import pytest
from planted import PLANTED

from simulation.watch import Broken
from simulation.world import World

SEEDS = 400
RARE = {"the_breaker_never_opens": 69, "time_stamped_before_the_lock": 25, "what_was_loaded_is_not_checked": 158}
"""What shows in few seeds, and a seed in which it does: tried first."""


@pytest.fixture(autouse=True)
def quiet() -> object:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_fault_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    PLANTED[name](monkeypatch)
    for seed in (RARE.get(name, 0), *range(SEEDS)):
        try:
            World(seed).run()
        except Broken as found:
            print(f"{name}: seed {seed}: {str(found)[:100]}")
            return
    raise AssertionError(f"{SEEDS} seeds did not notice it")
