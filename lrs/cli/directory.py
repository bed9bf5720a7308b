"""What `lrs people import` and `lrs courses import` share: read, store, report every refused row."""
from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import click

from lrs.directory.csv import Refused

SLICE = 500
"""Rows a transaction: the write lock is held for milliseconds, so that statements go on arriving."""


def import_rows(
    lines: Iterable[str], read: Callable[[Iterable[str]], tuple[list[tuple[int, Any]], list[Refused]]],
    put: Callable[[Sequence[Any]], list[tuple[int, str]]], noun: str, as_json: bool,
) -> None:
    """Store what can be read and print what cannot; exits 1 if a row was refused, 2 if the file is no such CSV."""
    try:
        rows, refused = read(lines)
    except UnicodeDecodeError as error:
        raise click.UsageError(f"the file is not in UTF-8 ({error.reason} at byte {error.start}); save it as CSV UTF-8") from error
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    with click.progressbar(range(0, len(rows), SLICE), label=noun, file=sys.stderr, hidden=len(rows) <= SLICE) as starts:
        for start in starts:
            part = rows[start : start + SLICE]
            refused += [Refused(part[index][0], why) for index, why in put([row for _, row in part])]
    taken = len(rows) - sum(1 for one in refused if one.line in {line for line, _ in rows})
    refused.sort(key=lambda one: one.line)
    if as_json:
        click.echo(json.dumps({noun: taken, "refused": [{"line": one.line, "why": one.why} for one in refused]}))
    else:
        click.echo(f"{taken} {noun} imported, {len(refused)} rows refused")
        for one in refused:
            click.echo(f"  line {one.line}: {one.why}", err=True)
    if refused:
        sys.exit(1)
