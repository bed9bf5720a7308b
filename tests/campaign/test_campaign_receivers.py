"""A short cut of the receivers that misbehave: `make campaign ARGS="--only receivers"` is the whole of it."""
from __future__ import annotations

import random
from pathlib import Path

import pytest

from campaign import receivers
from campaign.receiver import BEHAVIOURS, MISBEHAVIOURS, TAKEN
from campaign.receivers import plan


@pytest.mark.slow
def test_every_delivery_ends_and_a_sick_target_slows_no_healthy_one(tmp_path: Path) -> None:
    seed = random.randrange(10**6)
    print(f"python -m campaign --only receivers --seed {seed}")
    print(receivers.run(tmp_path, seed, cycles=200))


def test_the_plan_is_the_seeds_and_three_in_ten_answers_misbehave() -> None:
    does = [plan(1)(f"msg_{n}", 0) for n in range(4000)]
    assert does == [plan(1)(f"msg_{n}", 0) for n in range(4000)]
    assert does != [plan(2)(f"msg_{n}", 0) for n in range(4000)]
    assert 0.27 < sum(one in MISBEHAVIOURS for one in does) / 4000 < 0.34
    assert set(does) == set(BEHAVIOURS) > TAKEN
