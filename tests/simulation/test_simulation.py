"""A cut of the simulation: some days of everything, under other seeds each time; a failing seed prints itself."""
from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys

import pytest

from simulation.__main__ import main
from simulation.world import World

SEEDS = 120


def test_nothing_is_lost_doubled_or_late_whatever_happens(capsys: pytest.CaptureFixture[str]) -> None:
    first = random.SystemRandom().randrange(1 << 32)
    with capsys.disabled():
        print(f"\nsimulation: seeds {first} to {first + SEEDS - 1}")
    assert main(["--only", "path", "--first", str(first), "--seeds", str(SEEDS)]) == 0


@pytest.mark.parametrize("seed", [66, 1228, 2186, 781989445, 781989501, 3928546823, 100157])
def test_what_broke_once_holds(seed: int) -> None:
    World(seed).run()


def test_a_seed_does_the_same_in_another_process() -> None:
    """Two processes give the same texts other hashes, and so their sets another order."""
    code = ("import hashlib, logging; from simulation.world import World; logging.disable(logging.CRITICAL); "
            "world = World(28); world.run(); print(hashlib.sha256('\\n'.join(world.trace).encode()).hexdigest())")
    said = {subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, check=True, capture_output=True,
                           text=True, timeout=120).stdout.strip() for seed in ("1", "2", "3")}
    assert len(said) == 1
    assert said.pop() != hashlib.sha256(b"").hexdigest()


def test_a_seed_does_the_same_again() -> None:
    traces = []
    for _ in range(2):
        world = World(7)
        world.run()
        traces.append(world.trace)
    assert traces[0] == traces[1]
    assert len(traces[0]) > 50
