"""`python -m mutants`: break the product one listed line at a time; exit code 1 where no test notices."""
from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

from mutants.listed import MUTANTS
from mutants.mutant import Mutant
from mutants.page import markdown
from mutants.trial import CAUGHT, NotGreen, Verdict, try_all

ROOT = Path(__file__).resolve().parents[1]


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0 when all were caught, 1 when one survived or the tests fail by themselves, 2 for wrong usage."""
    parser = argparse.ArgumentParser(prog="python -m mutants", description=__doc__)
    parser.add_argument("--only", action="append", metavar="NAME", help="this mutant; may be repeated")
    parser.add_argument("--list", action="store_true", help="what there is, and nothing is run")
    parser.add_argument("--json", action="store_true", help="for a machine")
    parser.add_argument("--page", action="store_true", help="print docs/mutants.md")
    parser.add_argument("--processes", type=int, default=2, metavar="N", help="mutants tried at once (2)")
    given = parser.parse_args(arguments)
    if given.processes < 1:
        parser.error("--processes must be at least 1")
    known = {one.name: one for one in MUTANTS}
    if unknown := [name for name in given.only or () if name not in known]:
        parser.error(f"there is no mutant {', '.join(unknown)}; see --list")
    chosen = [known[name] for name in dict.fromkeys(given.only)] if given.only else list(MUTANTS)
    if given.page:
        sys.stdout.write(markdown())
        return 0
    if given.list:
        print(json.dumps([_entry(one) for one in chosen], indent=2) if given.json else "\n".join(f"{m.name:34} {m.breaks}" for m in chosen))
        return 0
    return _tried(chosen, given.processes, given.json)


def _tried(chosen: list[Mutant], processes: int, as_json: bool) -> int:
    started = time.monotonic()
    try:
        found = try_all(ROOT, chosen, processes, (lambda verdict: None) if as_json else _say)
    except NotGreen as red:
        print(f"These tests fail with nothing broken, so they prove nothing:\n{red}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as fault:
        print(f"The tree is listed by git, and git says: {(fault.stderr or b'').decode().strip()}", file=sys.stderr)
        return 1
    left = [one for one in found if one.end != CAUGHT]
    if as_json:
        told = [{**_entry(one.mutant), "end": one.end, "why": one.why, "seconds": round(one.seconds, 1)} for one in found]
        print(json.dumps(told, indent=2))
    else:
        print(f"\n{len(found) - len(left)} of {len(found)} caught in {time.monotonic() - started:.0f} s")
        for one in left:
            print(f"{one.end}: {one.mutant.name} ({one.mutant.file})\n  breaks: {one.mutant.breaks}\n  {one.why}")
    return 1 if left else 0


def _say(verdict: Verdict) -> None:
    print(f"{verdict.end:9} {verdict.seconds:5.1f} s  {verdict.mutant.name}", flush=True)


def _entry(mutant: Mutant) -> dict[str, object]:
    return {"name": mutant.name, "breaks": mutant.breaks, "file": mutant.file, "tests": list(mutant.tests)}


if __name__ == "__main__":
    sys.exit(main())
