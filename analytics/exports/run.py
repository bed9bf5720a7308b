"""An export to a folder: written under a temporary name, renamed when whole, with a manifest."""
from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import duckdb

from analytics.dictionary import FACTS, RAW, Column
from analytics.exports import csv, kept, ndjson, parquet
from analytics.exports.rows import Wanted, bound, slices
from lrs.completions.catalogue import Catalogue
from lrs.errors import StoreUnavailable, WrongState
from lrs.statements.instants import printed
from lrs.store.open_store import Store

Chunks = Callable[[Iterable[list[dict[str, Any]]], tuple[Column, ...]], Iterator[bytes]]
WRITERS: dict[str, Chunks] = {"csv": csv.chunks, "ndjson": ndjson.chunks, "parquet": parquet.chunks}
"""A writer for each format of `rows.FORMATS`."""


@dataclass(frozen=True, slots=True)
class Written:
    """What an export wrote: the file, its rows, and the seq it reached: the `since` of the next one."""

    file: Path
    rows: int
    through: int


def stream(store: Store, wanted: Wanted, kind: str, reached: Callable[[int, int], None] = lambda rows, seq: None,
           end: int | None = None, table: Path | None = None) -> Iterator[bytes]:
    """The bytes of the export in a format of `rows.FORMATS`, up to `end` (`rows.bound`); `reached(rows, seq)` is told after each slice.
    Facts come from the table in the folder `table` where there is one. Raises StoreUnavailable before the first byte if the store
    does not answer."""
    try:
        there = kept.known(store, table) if table and not wanted.raw else None
        if there:
            end = bound(store, wanted) if end is None else end
            course = Catalogue(store.directory.courses()).canonical(wanted.course) if wanted.course else ""
            pieces = kept.chunks(store, replace(wanted, course=course), kind, end, there, reached)
            return chain([next(pieces, b"")], pieces)  # the work is done before the first byte
    except (OSError, duckdb.IOException) as error:
        raise StoreUnavailable(error) from error
    found = slices(store, wanted, end)

    def counted() -> Iterator[list[dict[str, Any]]]:
        for seq, rows in found:
            yield rows
            reached(len(rows), seq)
    return WRITERS[kind](counted(), RAW if wanted.raw else FACTS)


def export(store: Store, wanted: Wanted, kind: str, out: Path, progress: Callable[[int, int], None] = lambda rows, seq: None,
           table: Path | None = None, *, force: bool = False) -> Written:
    """Write `facts.<kind>` (or `statements.<kind>`) into `out`, and beside it manifest.json and SHA256SUMS (for
    `sha256sum -c`), which list every export in the folder. One with `since` is named `facts-<since>.<kind>`, so that
    it joins what it goes on from; one of the same name and filters is replaced when the new one is whole. What stands there otherwise is
    replaced by `force` only. Raises OSError, and `WrongState` where it would be replaced."""
    out.mkdir(parents=True, exist_ok=True)
    part = f"-{wanted.since}" if wanted.since else ""
    file = out / f"{'statements' if wanted.raw else 'facts'}{part}.{kind}"
    if not force:
        _must_be_the_same(out, file, wanted)
    total, through, digest = 0, wanted.since, hashlib.sha256()

    def reached(rows: int, seq: int) -> None:
        nonlocal total, through
        total, through = total + rows, seq
        progress(rows, seq)

    temporary = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as written:
            for piece in stream(store, wanted, kind, reached, table=table):
                written.write(piece)
                digest.update(piece)
            written.flush()
            os.fsync(written.fileno())
        manifest = {"file": file.name, "format": kind, "rows": total, "bytes": temporary.stat().st_size, "sha256": digest.hexdigest(),
                    "through": through, "filters": asdict(wanted)}
        listed = [*(one for one in _listed(out) if one["file"] != file.name), manifest]
        # before the file: where one is killed in between, the next export knows it as its own and replaces it
        _replace(out / "manifest.json", json.dumps({"files": listed}, indent=2) + "\n")
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)
    _replace(out / "SHA256SUMS", "".join(f"{one['sha256']}  {one['file']}\n" for one in listed))
    return Written(file, total, through)


def _must_be_the_same(out: Path, file: Path, wanted: Wanted) -> None:
    if not os.path.lexists(file):
        return
    there = next((one.get("filters") for one in _listed(out) if one["file"] == file.name), None)
    if there is None:
        raise WrongState(f"{file} is there, and manifest.json does not say that it is an export: nothing was written; give another folder "
                         "with --out, or replace it with --force")
    if there != asdict(wanted):
        raise WrongState(f"{file} is an export with other filters ({_in_words(there)}): nothing was written; give another folder with "
                         "--out, or replace it with --force")


def _in_words(filters: Any) -> str:
    said = {name: value for name, value in filters.items() if value and name not in ("since", "raw")} if isinstance(filters, dict) else {}
    return ", ".join(f"{name} {printed(value) if name == 'until' else value}" for name, value in said.items()) or "none"


def _listed(out: Path) -> list[dict[str, Any]]:
    """The earlier exports in the folder by its manifest; those whose file is gone, and what is no manifest, left out."""
    try:
        files = json.loads((out / "manifest.json").read_text())["files"]
        return [one for one in files if {"file", "sha256"} <= one.keys() and (out / one["file"]).is_file()]
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return []


def _replace(file: Path, text: str) -> None:
    temporary = file.with_name(f".{file.name}.{os.getpid()}.part")
    temporary.write_text(text)
    temporary.replace(file)
