"""`python -m simulation`: many seeds, or one with every step."""
from __future__ import annotations

import argparse
import gc
import logging
import random
import sys
import time
import traceback
from collections.abc import Sequence

from simulation.clocks import DAY
from simulation.watch import Broken
from simulation.world import World
from simulation.writers.world import Writing

WORLDS = ("path", "writers")
"""What a seed is run in: the path from a statement to its deliveries, and a log that many processes write."""
LAST = 25
"""Steps of a failing seed that are printed."""


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0, or 1 when a seed fails: then it is printed with its last steps, and `--seed S -v` does it again."""
    parser = argparse.ArgumentParser(prog="python -m simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="How many seeds.")
    parser.add_argument("--seed", type=int, default=None, help="This seed only.")
    parser.add_argument("--first", type=int, default=None, help="The first of the seeds; default: a random one.")
    parser.add_argument("--days", type=float, default=2.0, help="Simulated days a seed of the path.")
    parser.add_argument("--only", choices=WORLDS, help="The path from a statement to its deliveries, or many writers of one log only.")
    parser.add_argument("-v", "--verbose", action="store_true", help="Print every step.")
    given = parser.parse_args(arguments)
    first = given.first if given.first is not None else random.SystemRandom().randrange(1 << 32)
    seeds = [given.seed] if given.seed is not None else list(range(first, first + given.seeds))
    print(f"seeds {seeds[0]} to {seeds[-1]}, {given.days:g} days each", flush=True)
    failed = sum(_run(name, seeds, given.days, given.verbose) for name in WORLDS if given.only in (None, name))
    return 1 if failed else 0


def _run(name: str, seeds: Sequence[int], days: float, verbose: bool) -> int:
    began, used, steps, failed, simulated = time.monotonic(), time.process_time(), 0, 0, 0
    say = print if verbose else None
    for seed in seeds:
        world = World(seed, days, say) if name == "path" else Writing(seed, say)
        start = world.now()
        try:
            world.run()
        except (Exception, Broken) as fault:
            failed += 1
            told(world, fault, f"--only {name} --seed {seed} --days {days:g}", verbose=verbose)
        steps += world.taken
        simulated += world.now() - start
    seconds, used = time.monotonic() - began, time.process_time() - used
    print(f"{name}: {len(seeds)} seeds, {steps} steps, {simulated / DAY:.4g} simulated days in {seconds:.1f} s; "
          f"{len(seeds) / used * 60:.0f} seeds a minute of one core; {failed} failed", flush=True)
    return failed


def told(world: World | Writing, fault: BaseException, again: str, *, verbose: bool = False) -> None:
    """Print a failing seed, and how to see it `again`."""
    if not isinstance(fault, Broken):
        traceback.print_exception(fault)
    if not verbose:
        print(*world.trace[-LAST:], sep="\n")
    print(f"seed {world.seed} failed: {fault}\nagain: python -m simulation {again} -v", flush=True)


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)  # what is simulated is told by the simulation
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)  # what a seed leaves behind is small, and to look for it often took a fifteenth of the time
    sys.exit(main())
