"""The worker's side of MongoDB does what the simulation's model of a store does, as SQLite's does (tests/simulation)."""
from __future__ import annotations

import random
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lrs.store.mongo.database import Database
from lrs.store.mongo.work import MongoWork
from lrs.store.protocols.work import TargetRow
from lrs.store.sqlite.clock import Ticks, advanced
from simulation.clocks import SECOND, Clocks

sys.path.insert(0, str(Path(__file__).parents[1] / "simulation"))

from test_store_model import Pair, deliver, operate, publish, same_content


class PairClock:
    """A clock of the pair, in the place of the server's."""

    def __init__(self, now: Callable[[], int]) -> None:
        self.now = now


@pytest.mark.parametrize("seed", [106, 115, 126])
def test_the_model_is_the_mongodb_store(seed: int, tmp_path: Path, mongo_place: str) -> None:
    rng, clocks = random.Random(seed), Clocks()
    database = Database(mongo_place)
    ticks = Ticks(clocks.wall, clocks.uptime, clocks.boot)
    leases = PairClock(lambda: advanced(pair.model.outgoing.now.clock, ticks, 0, follows=False)[0])
    work = MongoWork(database, PairClock(clocks.wall), leases)  # type: ignore[arg-type]
    work.migrate()
    pair = Pair(tmp_path, clocks, rng, work)
    for name, connector in (("one", "webhook"), ("two", "bulk")):
        pair.ask("work", "add_target", TargetRow(name, connector, {"timeout": 5}))
    for _ in range(20):
        for _ in range(4):
            clocks.true += rng.choice((1, 1_000, SECOND, 20 * SECOND, 3600 * SECOND))
            if rng.random() < 0.05:
                clocks.ahead = rng.choice((0, -3600 * SECOND, 3600 * SECOND, 300_000 * SECOND))
            rng.choice((publish, publish, deliver, deliver, deliver, operate))(pair)
        same_content(pair)
    for file in (*pair.files, database):
        file.close()
