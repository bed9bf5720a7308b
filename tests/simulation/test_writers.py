"""A cut of the simulation of many writers, and the faults that it is there to find."""
from __future__ import annotations

import random

import pytest
from planted_writers import PLANTED

from simulation.__main__ import main
from simulation.watch import Broken
from simulation.writers.world import Writing

SEEDS = 60
WITHIN = 600
"""Seeds in which a planted fault must show."""
RARE = {"an_intent_that_is_ahead_is_never_old": 169}
"""What shows in few seeds, and a seed in which it does: tried first."""


def test_no_statement_appears_late_whoever_writes_stands_still_or_dies(capsys: pytest.CaptureFixture[str]) -> None:
    first = random.SystemRandom().randrange(1 << 32)
    with capsys.disabled():
        print(f"\nsimulation of writers: seeds {first} to {first + SEEDS - 1}")
    assert main(["--only", "writers", "--first", str(first), "--seeds", str(SEEDS)]) == 0


@pytest.mark.parametrize("seed", [169, 4260313475])
def test_what_broke_once_holds(seed: int) -> None:
    Writing(seed).run()


def test_a_seed_does_the_same_again() -> None:
    traces = []
    for _ in range(2):
        world = Writing(7)
        world.run()
        traces.append(world.trace)
    assert traces[0] == traces[1]
    assert len(traces[0]) > 20


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_fault_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    PLANTED[name](monkeypatch)
    for seed in (RARE.get(name, 0), *range(WITHIN)):
        try:
            Writing(seed).run()
        except Broken as found:
            print(f"{name}: seed {seed}: {str(found)[:100]}")
            return
    raise AssertionError(f"{WITHIN} seeds did not notice it")
