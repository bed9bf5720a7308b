"""NDJSON: one JSON object a line."""
from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from analytics.dictionary import Column


def chunks(slices: Iterable[list[dict[str, Any]]], columns: tuple[Column, ...]) -> Iterator[bytes]:
    """The file in pieces; the keys of a line are the columns, in their order."""
    for rows in slices:
        if rows:
            yield b"".join(orjson.dumps({c.name: row[c.name] for c in columns}, option=orjson.OPT_APPEND_NEWLINE) for row in rows)
