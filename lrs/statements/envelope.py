"""Writes the text of a statement: our envelope first, then every other member in the exact bytes received."""
from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgspec

from lrs.statements.instants import to_utc
from lrs.statements.members import is_object, members, replaced

OURS = frozenset({"id", "stored", "timestamp", "authority", "version"})
DEFAULT_VERSION = {"1.0": "1.0.0", "2.0": "2.0.0"}
"""Line of the request's version → what a statement without a version is given (xAPI 1.0.3 Data 2.4.10)."""


def parts(
    texts: Mapping[str, bytes], value: Mapping[str, Any], statement_id: str, authority: Mapping[str, Any], version: str = "1.0.3"
) -> tuple[bytes, ...]:
    """The pieces between which the store writes the printed `stored` time: two, or three without a timestamp.

    `texts` are the members of the validated statement, each as it was sent, and `value` the same, parsed.
    `statement_id` is in lower case, `version` is the request's.
    A timestamp with an offset becomes UTC and keeps its digits. A single Activity in `contextActivities` becomes an
    array of one (xAPI 1.0.3 Data 2.4.6.2), also in a SubStatement.
    """
    encode = msgspec.json.encode
    head = b'{"id":' + encode(statement_id) + b',"stored":"'
    said = value.get("version", DEFAULT_VERSION[version[:3]])
    rest = [b',"authority":', encode(authority), b',"version":', encode(said)]
    for key, body in texts.items():
        if key not in OURS:
            rest += (_named(key), _with_arrays(key, body, value[key]))
    tail = b"".join(rest) + b"}"
    if "timestamp" in value:
        return head, b'","timestamp":' + encode(to_utc(value["timestamp"])) + tail
    return head, b'","timestamp":"', b'"' + tail


@lru_cache(maxsize=64)
def _named(key: str) -> bytes:
    return b"," + msgspec.json.encode(key) + b":"


def text(pieces: tuple[bytes, ...], stored: str) -> bytes:
    """The finished text with this printed `stored` time."""
    return stored.encode("ascii").join(pieces)


def _with_arrays(key: str, body: bytes, value: Any) -> bytes:
    if key == "context" and _has_single(value):
        return _context(body)
    if key == "object" and value.get("objectType") == "SubStatement" and _has_single(value.get("context")):
        return replaced(body, {"context": _context(members(body)["context"])})
    return body


def _has_single(context: Any) -> bool:
    activities = context.get("contextActivities") if isinstance(context, dict) else None
    return isinstance(activities, dict) and any(isinstance(v, dict) for v in activities.values())


def _context(body: bytes) -> bytes:
    activities = members(body)["contextActivities"]
    arrays = {key: b"[" + value + b"]" for key, value in members(activities).items() if is_object(value)}
    return replaced(body, {"contextActivities": replaced(activities, arrays)})
