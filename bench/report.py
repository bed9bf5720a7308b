"""Writes a run as `bench/RESULTS.md`: machine, every figure with its circumstances, each budget beside it."""
from __future__ import annotations

import datetime
from collections.abc import Mapping
from pathlib import Path

from bench.rows import Row, shown


def markdown(rows: list[Row], machine: Mapping[str, str], command: str) -> str:
    """The page."""
    told = "\n".join(f"* {name}: {value}" for name, value in machine.items())
    lines = [_line(row) for row in rows]
    missed = [row for row in rows if row.met is False]
    verdict = "Every budget that was measured is kept." if not missed else (
        "Missed: " + "; ".join(f"{row.what} ({shown(row.value)} {row.unit}, budget {row.budget})" for row in missed) + ".")
    return f"""# Results of `{command}`

{datetime.datetime.now(datetime.UTC):%Y-%m-%d}. Client and server share the machine; figures are medians where runs are given. Read the
shares (%, ×): they compare two things measured in one run. A figure for which the client used more than 80 % of its core is refused.

{told}

{verdict}

| what | figure | unit | runs | statements in store | worker | budget | |
|---|---:|---|---|---|---|---|---|
""" + "\n".join(lines) + "\n"


def _line(row: Row) -> str:
    kept = "" if row.met is None else "kept" if row.met else "**missed**"
    runs = " ".join(shown(value) for value in row.runs)
    note = f" ({row.note})" if row.note else ""
    return f"| {row.what}{note} | {shown(row.value)} | {row.unit} | {runs} | {row.store} | {row.worker} | {row.budget} | {kept} |"


def write(place: Path, rows: list[Row], machine: Mapping[str, str], command: str) -> None:
    """Write the page."""
    place.write_text(markdown(rows, machine, command), encoding="utf-8")
