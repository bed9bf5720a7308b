"""An export to a folder: written under a temporary name, renamed when whole, with a manifest."""
from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from analytics.dictionary import FACTS, RAW, Column
from analytics.exports import csv, ndjson, parquet
from analytics.exports.rows import Wanted, slices
from lrs.store.open_store import Store

Chunks = Callable[[Iterable[list[dict[str, Any]]], tuple[Column, ...]], Iterator[bytes]]
FORMATS: dict[str, tuple[Chunks, str]] = {
    "csv": (csv.chunks, "text/csv"),
    "ndjson": (ndjson.chunks, "application/x-ndjson"),
    "parquet": (parquet.chunks, "application/vnd.apache.parquet"),
}
"""Format → its writer and media type."""


@dataclass(frozen=True, slots=True)
class Written:
    """What an export wrote: the file, its rows, and the seq it reached: the `since` of the next one."""

    file: Path
    rows: int
    through: int


def stream(store: Store, wanted: Wanted, kind: str, reached: Callable[[int, int], None] = lambda rows, seq: None) -> Iterator[bytes]:
    """The bytes of the export in a format of `FORMATS`; `reached(rows, seq)` is told after each slice."""
    def counted() -> Iterator[list[dict[str, Any]]]:
        for seq, rows in slices(store, wanted):
            yield rows
            reached(len(rows), seq)
    return FORMATS[kind][0](counted(), RAW if wanted.raw else FACTS)


def export(store: Store, wanted: Wanted, kind: str, out: Path, progress: Callable[[int, int], None] = lambda rows, seq: None) -> Written:
    """Write `facts.<kind>` (or `statements.<kind>`) into `out`, and beside it manifest.json and SHA256SUMS (for
    `sha256sum -c`). A file that is there is replaced when the new one is whole. Raises OSError."""
    out.mkdir(parents=True, exist_ok=True)
    file = out / f"{'statements' if wanted.raw else 'facts'}.{kind}"
    total, through, digest = 0, wanted.since, hashlib.sha256()

    def reached(rows: int, seq: int) -> None:
        nonlocal total, through
        total, through = total + rows, seq
        progress(rows, seq)

    temporary = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as written:
            for piece in stream(store, wanted, kind, reached):
                written.write(piece)
                digest.update(piece)
            written.flush()
            os.fsync(written.fileno())
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)
    manifest = {"file": file.name, "format": kind, "rows": total, "bytes": file.stat().st_size, "sha256": digest.hexdigest(),
                "through": through, "filters": asdict(wanted)}
    (out / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")
    (out / "SHA256SUMS").write_text(f"{digest.hexdigest()}  {file.name}\n")
    return Written(file, total, through)
