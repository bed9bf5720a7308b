"""Parquet (zstd), typed by the data dictionary, written by DuckDB from lines on disk: memory stays flat."""
from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import duckdb

from analytics.dictionary import Column
from analytics.exports import ndjson

PIECE = 1 << 20
GROUP = 16 << 20
"""Bytes of a row group. Counted in rows, a group of raw statements would need more memory than there is."""
MEMORY = 160 << 20


def chunks(slices: Iterable[list[dict[str, Any]]], columns: tuple[Column, ...]) -> Iterator[bytes]:
    """The file in pieces. Dates and times arrive as text and leave as DATE and TIMESTAMP (UTC)."""
    with tempfile.TemporaryDirectory(prefix="lrs-export-", dir=on_disk()) as folder:
        lines, file = Path(folder) / "rows.ndjson", Path(folder) / "rows.parquet"
        longest = 1 << 20
        with lines.open("wb") as out:
            for piece in ndjson.chunks(slices, columns):
                out.write(piece)
                longest = max(longest, *map(len, piece.split(b"\n")))
        text = ("TIMESTAMP", "DATE")
        types = ", ".join(f"'{c.name}': '{'VARCHAR' if c.type in text else c.type}'" for c in columns)
        chosen = ", ".join(f'CAST("{c.name}" AS {c.type}) AS "{c.name}"' if c.type in text else f'"{c.name}"' for c in columns)
        with duckdb.connect() as db:
            # with one thread the order stays; told to preserve it, DuckDB holds back groups that are sized in bytes
            db.execute(f"SET memory_limit = '{max(MEMORY, 64 * longest)}B'; SET threads = 1; SET preserve_insertion_order = false; "
                       f"SET temp_directory = '{folder}'")
            source = f"read_json('{lines}', format = 'newline_delimited', columns = {{{types}}}, maximum_object_size = {2 * longest})"
            if lines.stat().st_size == 0:
                source = "(SELECT " + ", ".join(f'NULL::{c.type} AS "{c.name}"' for c in columns) + " WHERE false)"
            db.execute(f"COPY (SELECT {chosen} FROM {source}) TO '{file}' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE_BYTES {GROUP})")
        with file.open("rb") as made:
            while piece := made.read(PIECE):
                yield piece


def on_disk() -> str | None:
    """Where the lines wait: TMPDIR, else /var/tmp, for /tmp is in memory on many systems."""
    return None if "TMPDIR" in os.environ or not os.path.isdir("/var/tmp") else "/var/tmp"
