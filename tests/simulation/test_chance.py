"""The simulation's chance is that of the standard library, so that what a seed does is what it always did."""
from __future__ import annotations

import random

import pytest

from simulation.chance import Chance, Weighted


@pytest.mark.parametrize("seed", range(20))
def test_it_draws_what_the_standard_library_draws(seed: int) -> None:
    ours, theirs = Chance(seed), random.Random(seed)
    names, weights = ("a", "b", "c", "d"), (0.2, 4, 1, 0.5)
    weighted = Weighted(names, weights)
    for n in range(1, 200):
        assert ours.choice(range(n)) == theirs.choice(range(n))
        assert ours.randrange(n * 977) == theirs.randrange(n * 977)
        assert ours.randint(n, 3 * n) == theirs.randint(n, 3 * n)
        assert weighted.draw(ours) == theirs.choices(names, weights)[0]
        assert ours.expovariate(1 / n) == theirs.expovariate(1 / n)
    assert ours.getstate() == theirs.getstate()
