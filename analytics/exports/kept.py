"""An export from the table of facts, written by DuckDB; what the table does not know yet is computed from the log and united."""
from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from analytics import table as layout
from analytics.build import asked, small_tables
from analytics.dictionary import FACTS
from analytics.exports import csv, ndjson, parquet
from analytics.exports.rows import SLICE, Wanted, rows_of
from analytics.table import File
from lrs.completions.catalogue import Catalogue
from lrs.statements.record import Record
from lrs.store.open_store import Store

CHANGED_MAX = 20_000
"""Changed rows that the table does not know yet; with more of them the export is computed from the log."""
MEMORY = 72 << 20
GROUP_ROWS = 40_960
_KEEP_ORDER = "join_order,build_side_probe_side"
"""With these DuckDB may swap the sides of a join, and with caching operators it lets a full vector overtake a short one: rows
would not leave in the order of the log."""
_INSTANT = "strftime({}, '%Y-%m-%dT%H:%M:%S.%fZ')"


@dataclass(frozen=True, slots=True)
class Known:
    """The table as it was opened: its files in order, the seq that it has reached, and which of its rows changed since."""

    files: list[File]
    at: int
    changed: set[int]
    special: tuple[list[tuple[str, str]], list[tuple[str, str]]]


def known(store: Store, folder: Path) -> Known | None:
    """The table to export from, None where it is missing, of another format, or too much of it changed.
    Raises StoreUnavailable."""
    try:
        table = layout.opened(folder, store.statements.term_key)
    except layout.AnotherStore:
        return None
    if table is None:
        return None
    at, done = layout.cursor(table)
    # after the table: what is changed later than this is later than the export
    again = store.mappings.rewritten(done, CHANGED_MAX + 1)
    if not at or len(again) > CHANGED_MAX:
        return None
    return Known(layout.files(table), at, {seq for _, seq in again if seq <= at}, asked(table, store))


def chunks(store: Store, wanted: Wanted, kind: str, end: int, table: Known,
           reached: Callable[[int, int], None]) -> Iterator[bytes]:
    """The file in pieces, to the row what `rows.slices` would give."""
    with tempfile.TemporaryDirectory(prefix="lrs-export-", dir=parquet.on_disk()) as name:
        folder = Path(name)
        lines, file = folder / "rows.ndjson", folder / f"facts.{kind}"
        changed, through = _tail(store, wanted, end, table, lines)
        with duckdb.connect() as db:
            db.execute(f"SET memory_limit = '{MEMORY}B'; SET threads = 1; SET preserve_insertion_order = true; "
                       "SET enable_caching_operators = false; "
                       f"SET temp_directory = '{folder}'; SET disabled_optimizers = '{_KEEP_ORDER}'")
            for small, rows in small_tables(store, table.special).items():
                if small != "people":
                    db.register(f"given_{small}", layout.text_table(layout.SMALL[small], rows))
                    db.execute(f"CREATE TABLE {small} AS SELECT * FROM given_{small}")
            rows_ = _united(db, wanted, end, table, changed, lines)
            count = db.execute(f"COPY ({_shaped(kind, rows_)}) TO '{file}' {_FORMATS[kind]}").fetchall()
            there = [one for one in table.files if one.first <= end]
            if there and through == wanted.since:
                told = db.execute(f"SELECT max(seq) FROM read_parquet('{there[-1].path}') WHERE seq <= {end}").fetchall()
                through = max(through, min(end, int(told[0][0])))
        with file.open("rb") as made:
            while piece := made.read(parquet.PIECE):
                yield piece
        reached(int(count[0][0]), through)


def _tail(store: Store, wanted: Wanted, end: int, table: Known, lines: Path) -> tuple[set[int], int]:
    """Write the rows of what is new or changed; which of the table's rows they replace, and the seq reached."""
    catalogue, changed = Catalogue(store.directory.courses()), set(table.changed)
    after, through = table.at, wanted.since
    with lines.open("wb") as out:
        def write(records: list[Record]) -> None:
            rows = rows_of(store, [one for one in records if wanted.since < one.seq <= end], catalogue)
            out.write(b"".join(ndjson.chunks([rows], FACTS)))
        # beyond the end too: a void there takes back what is before it
        while records := store.statements.follow(after, SLICE):
            after = records[-1].seq
            changed |= {target.seq for one in records if one.voids and (target := store.statements.get(one.voids, voided=True))
                        and target.seq <= table.at}
            write(records)
            if (met := min(after, end)) > through and records[0].seq <= end:
                through = met
        for seq in sorted(changed):
            write(store.statements.follow(seq - 1, 1))
    return changed, through


def _united(db: duckdb.DuckDBPyConnection, wanted: Wanted, end: int, table: Known, changed: set[int],
            lines: Path) -> str:
    """All rows in the order of the log: files are in it, and so are their rows; a file with changed rows is sorted anew."""
    text = ("TIMESTAMP", "DATE")
    types = ", ".join(f"'{c.name}': '{'VARCHAR' if c.type in text else c.type}'" for c in FACTS)
    casts = ", ".join(f'CAST("{c.name}" AS {c.type}) AS "{c.name}"' if c.type in text else f'"{c.name}"' for c in FACTS)
    fresh = f"SELECT {casts} FROM read_json('{lines}', format = 'newline_delimited', columns = {{{types}}}, maximum_object_size = 8388608)"
    limits = [f"seq > {wanted.since}", f"seq <= {end}"]
    if wanted.verb:
        limits.append(f"{_quoted(wanted.verb)} IN (verb, verb_iri)")
    if wanted.course:
        limits.append(f"course = {_quoted(wanted.course)}")
    where = " WHERE " + " AND ".join(limits)
    parts: list[str] = []
    plain: list[str] = []

    def close() -> None:
        if plain:
            parts.append(f"SELECT * FROM ({_JOINED.format(source=f'read_parquet({plain})')}){where}")
            plain.clear()
    for file in table.files:
        if file.last <= wanted.since or file.first > end:
            continue
        if not (here := [seq for seq in changed if file.first <= seq <= file.last]):
            plain.append(file.path)
            continue
        close()
        seqs = ", ".join(map(str, here))
        old = _JOINED.format(source=f"(SELECT * FROM read_parquet({[file.path]}) WHERE seq NOT IN ({seqs}))")
        # an ORDER BY holds at the top of a statement only
        anew = lines.with_name(f"{len(parts)}.parquet")
        both = f"{old} UNION ALL {fresh} WHERE seq IN ({seqs})"
        db.execute(f"COPY (SELECT * FROM ({both}){where} ORDER BY seq) TO '{anew}' (FORMAT parquet)")
        parts.append(f"SELECT * FROM read_parquet('{anew}')")
    close()
    if lines.stat().st_size:
        parts.append(f"SELECT * FROM ({fresh} WHERE seq > {table.at}){where}")
    nothing = "SELECT " + ", ".join(f'NULL::{c.type} AS "{c.name}"' for c in FACTS) + " WHERE false"
    return " UNION ALL ".join(parts) or nothing


_JOINED = ("SELECT statement_id, seq, make_timestamp(epoch_us(timestamp)) AS timestamp, date, coalesce(i.subject, f.subject) AS subject, "
           "verb, verb_iri, status, f.activity AS activity, coalesce(c.course, f.course) AS course, source, registration, score, "
           "score_raw, success, completion, duration, voided, map_version FROM {source} f "
           "LEFT JOIN identifiers i ON f.subject = i.key LEFT JOIN courses c ON f.activity = c.activity AND f.place = c.place")
_FORMATS = {"parquet": f"(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {GROUP_ROWS})", "csv": "(FORMAT csv, HEADER true)",
            "ndjson": "(FORMAT json)"}


def _shaped(kind: str, rows: str) -> str:
    """The rows as the format shows them: as `csv.cell` and `ndjson.chunks` do."""
    if kind == "parquet":
        return rows
    return f"SELECT {', '.join(f'{_shown(kind, one.name, one.type)} AS {chr(34)}{one.name}{chr(34)}' for one in FACTS)} FROM ({rows})"


def _shown(kind: str, name: str, of: str) -> str:
    if of == "TIMESTAMP":
        return _INSTANT.format(name)
    if kind == "csv" and of == "VARCHAR":
        begins = ", ".join(f"chr({ord(one)})" for one in csv.FORMULA)
        return f"CASE WHEN {name}[1] IN ({begins}) THEN '''' || {name} WHEN {name} <> '' THEN {name} END"
    return f'"{name}"'


def _quoted(text: Any) -> str:
    return "'" + str(text).replace("'", "''") + "'"
