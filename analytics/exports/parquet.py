"""Parquet (zstd), typed by the data dictionary, written by DuckDB from lines on disk: memory stays flat."""
from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import duckdb

from analytics.dictionary import Column
from analytics.exports import ndjson

PIECE = 1 << 20


def chunks(slices: Iterable[list[dict[str, Any]]], columns: tuple[Column, ...]) -> Iterator[bytes]:
    """The file in pieces. Dates and times arrive as text and leave as DATE and TIMESTAMP (UTC)."""
    with tempfile.TemporaryDirectory(prefix="lrs-export-") as folder:
        lines, file = Path(folder) / "rows.ndjson", Path(folder) / "rows.parquet"
        with lines.open("wb") as out:
            for piece in ndjson.chunks(slices, columns):
                out.write(piece)
        text = ("TIMESTAMP", "DATE")
        types = ", ".join(f"'{c.name}': '{'VARCHAR' if c.type in text else c.type}'" for c in columns)
        chosen = ", ".join(f'CAST("{c.name}" AS {c.type}) AS "{c.name}"' if c.type in text else f'"{c.name}"' for c in columns)
        with duckdb.connect() as db:
            db.execute("SET memory_limit = '160MB'; SET threads = 1; SET preserve_insertion_order = true")
            source = f"read_json('{lines}', format = 'newline_delimited', columns = {{{types}}}, maximum_object_size = 67108864)"
            if lines.stat().st_size == 0:
                source = "(SELECT " + ", ".join(f'NULL::{c.type} AS "{c.name}"' for c in columns) + " WHERE false)"
            db.execute(f"COPY (SELECT {chosen} FROM {source}) TO '{file}' (FORMAT parquet, COMPRESSION zstd)")
        with file.open("rb") as made:
            while piece := made.read(PIECE):
                yield piece
