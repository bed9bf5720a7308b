"""`python -m analytics.compact TABLE VERSION FIRST LAST FILE…`: rewrites files of the table of facts in a process of its own.

Reading a hundred thousand rows and writing them takes a hundred megabytes, which a worker that did it itself would keep for ever.
"""
from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

from arro3.core import Table
from deltalake import CommitProperties, DeltaTable, Transaction, WriterProperties, write_deltalake
from deltalake.exceptions import CommitFailedError

from lrs.errors import StoreUnavailable

MEMORY = 128 << 20
SECONDS = 600.0
"""How long the process may take; it takes a second or two."""
ZSTD = WriterProperties(compression="ZSTD")
FASTER = 3
"""Exit code where another writer of the table was faster."""


def rewritten(table: DeltaTable, paths: Sequence[str], first: int, last: int, fixed: Table | None = None,
              transactions: list[Transaction] | None = None) -> None:
    """Put one file in place of those at `paths`, which hold the seqs from `first` to `last`, with the rows `fixed` in place of those
    of their seqs, in the order of the log. Raises `CommitFailedError` where another writer of the table was faster."""
    import duckdb  # with the first file that is read again: 16 MB until then

    source = f"read_parquet({list(paths)})"
    with duckdb.connect() as db:
        db.execute(f"SET memory_limit = '{MEMORY}B'; SET threads = 1")
        if fixed is not None:
            db.register("fixed", fixed)
            source = (f"(SELECT * FROM {source} WHERE seq NOT IN (SELECT seq FROM fixed) UNION ALL BY NAME SELECT * FROM fixed) "
                      "ORDER BY seq")
        write_deltalake(table, db.sql(f"SELECT * FROM {source}"), mode="overwrite", predicate=f"seq >= {first} AND seq <= {last}",
                        writer_properties=ZSTD, commit_properties=CommitProperties(app_transactions=transactions))


def apart(table: DeltaTable, paths: Sequence[str], first: int, last: int) -> None:
    """The same in a process of its own. Raises `CommitFailedError`, or `StoreUnavailable` with what the process said."""
    # of the version that is known here: what others have written since is found to be in the way, as it would be here
    command = [sys.executable, "-P", "-m", "analytics.compact", table.table_uri, str(table.version()), str(first), str(last), *paths]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StoreUnavailable(error) from error
    if done.returncode == FASTER:
        raise CommitFailedError(done.stderr[-1000:])
    if done.returncode:
        raise StoreUnavailable(f"files of the table of facts could not be rewritten: {done.stderr[-1000:]}")


def main(uri: str, version: str, first: str, last: str, *paths: str) -> int:
    """The exit code."""
    try:
        rewritten(DeltaTable(uri, version=int(version)), paths, int(first), int(last))
    except CommitFailedError as fault:
        print(fault, file=sys.stderr)
        return FASTER
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
