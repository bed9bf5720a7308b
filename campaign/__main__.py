"""`python -m campaign`: try to break what the product promises; a run that fails prints what to run again."""
from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

CAMPAIGNS = ("kill", "production", "facts", "store", "receivers", "hostile", "broker", "long")
"""Each a module of this package with `run(folder, seed, cycles) -> str`."""
ON_MONGO = ("receivers", "broker")
"""Those that `run(…, mongo=True)` on MongoDB too; `production` is always on it."""


def main() -> int:
    """Exit code 0 when every campaign held."""
    parser = argparse.ArgumentParser(prog="python -m campaign", description=__doc__)
    parser.add_argument("--only", choices=CAMPAIGNS, action="append", help="One campaign; may be repeated. Default: all.")
    parser.add_argument("--seed", type=int, default=None, help="What chance begins with; default: a new one, which is printed.")
    parser.add_argument("--cycles", type=int, default=None, help="How much: see docs/campaigns.md.")
    parser.add_argument("--mongo", action="store_true", help=f"{' and '.join(ON_MONGO)} on MongoDB, the broker's with two web processes.")
    parser.add_argument("--folder", type=Path, default=None, help="Where the stores lie; default: the temporary folder.")
    given = parser.parse_args()
    seed = random.SystemRandom().randrange(10**6) if given.seed is None else given.seed
    good = True
    for name in given.only or (ON_MONGO if given.mongo else CAMPAIGNS):
        if given.mongo and name not in ON_MONGO:
            parser.error(f"--mongo is for {' and '.join(ON_MONGO)}")
        again = f"python -m campaign --only {name} --seed {seed}" + (f" --cycles {given.cycles}" if given.cycles else "") + \
            " --mongo" * given.mongo
        print(f"{name}: {again}", flush=True)
        began = time.monotonic()
        try:
            run: Callable[..., str] = import_module(f"campaign.{name}").run
            with tempfile.TemporaryDirectory(dir=given.folder, prefix=f"campaign-{name}-") as folder:
                more: dict[str, int | bool] = {"cycles": given.cycles} if given.cycles else {}
                said = run(Path(folder), seed, **(more | ({"mongo": True} if given.mongo else {})))
        except (Exception, SystemExit) as fault:
            good = False
            traceback.print_exc()
            print(f"{name}: BROKEN after {time.monotonic() - began:.0f} s: {fault}\n  run again: {again}", flush=True)
        else:
            print(f"{name}: held, {time.monotonic() - began:.0f} s: {said}", flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
