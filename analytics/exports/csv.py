"""CSV (RFC 4180, UTF-8): cells that a spreadsheet would run as a formula are escaped."""
from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any

from analytics.dictionary import Column

FORMULA = ("=", "+", "-", "@", "\t", "\r")


def chunks(slices: Iterable[list[dict[str, Any]]], columns: tuple[Column, ...]) -> Iterator[bytes]:
    """The file in pieces, the header first."""
    names = [column.name for column in columns]
    yield _lines([names])
    for rows in slices:
        if rows:
            yield _lines([[cell(row[name]) for name in names] for row in rows])


def cell(value: Any) -> Any:
    """A value as a cell: nothing for null, true/false, and `'` before text that begins like a formula."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and value.startswith(FORMULA):
        return "'" + value
    return "" if value is None else value


def _lines(rows: Iterable[list[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode("utf-8", "replace")
