"""`python -m bench`: measure, print, and write RESULTS.md; `python -m bench peer URL KEY SECRET`: any xAPI endpoint."""
from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from bench import machine, mongo, onward, reading, report, writing
from bench.client import ClientIsTheLimit, Endpoint
from bench.peer import measure
from bench.rows import Table

PARTS = ("pure", "batches", "singles", "sizes", "deliveries", "exports", "memory")
RESULTS, MONGO = (Path(__file__).with_name(name) for name in ("RESULTS.md", "RESULTS-mongodb.md"))


def main() -> int:
    """Exit code 0, or 3 when the client was the limit and the run is refused."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", choices=PARTS, action="append", help="A part; may be repeated. Default: all.")
    parser.add_argument("--runs", type=int, default=3, help="Runs of which the median counts.")
    parser.add_argument("--statements", type=int, default=20_000, help="Statements a run of batches.")
    parser.add_argument("--posts", type=int, default=2_000, help="Statements a run of single POSTs.")
    parser.add_argument("--sizes", default="10000,1000000", help="Sizes at which reading is measured.")
    parser.add_argument("--memory", type=int, default=1_000_000, help="Statements in for the memory measure.")
    parser.add_argument("--folder", type=Path, default=None, help="Where the stores lie; default: a new folder in the temporary one.")
    parser.add_argument("--stores", type=Path, default=None, help="Folder where filled stores are kept from run to run.")
    parser.add_argument("--out", type=Path, default=None, help="Where the results go; default: RESULTS.md beside this file.")
    parser.add_argument("--mongo", metavar="URL", help="Measure the MongoDB store on this server beside the driver alone, nothing else.")
    parser.add_argument("--peer", nargs=3, metavar=("URL", "KEY", "SECRET"), help="Measure this xAPI endpoint instead.")
    given = parser.parse_args()
    table = Table()
    described = machine.described()
    try:
        if given.peer:
            measure(table, Endpoint(*given.peer), given.runs, given.statements, given.posts)
            return 0
        if given.mongo:
            mongo.mongo(table, given.mongo, given.runs, given.statements)
            report.write(given.out or MONGO, table.rows, described | mongo.described(given.mongo), "python -m bench --mongo URL")
            return 0
        with tempfile.TemporaryDirectory(dir=given.folder) as name:
            _run(table, Path(name), given)
    except ClientIsTheLimit as limit:
        print(f"refused: {limit}", file=sys.stderr)
        return 3
    report.write(given.out or RESULTS, table.rows, described, f"python -m bench {' '.join(sys.argv[1:])}".strip())
    return 0


def _run(table: Table, folder: Path, given: argparse.Namespace) -> None:
    wanted = given.only or PARTS
    steps = sorted(int(size) for size in given.sizes.split(","))
    if "pure" in wanted:
        writing.pure(table, given.runs)
    if "batches" in wanted:
        writing.batches(table, folder, given.runs, given.statements)
    if "singles" in wanted:
        writing.singles(table, folder, given.runs, given.posts)
    if "deliveries" in wanted:
        onward.deliveries(table, folder)
    if "sizes" in wanted:
        reading.sizes(table, given.stores or folder, steps, given.runs)
    if "exports" in wanted:
        onward.exports(table, reading.filled(given.stores or folder, min(steps[-1], reading.FILLED)), folder)
    if "memory" in wanted:
        onward.memory(table, folder, given.memory, given.memory // 100)


if __name__ == "__main__":
    sys.exit(main())
