"""A memo that senders cannot fill: bounded in entries and, since providers choose how long their texts are, in their length."""
from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

Key = TypeVar("Key")
Value = TypeVar("Value")
LONGEST = 512
"""Characters of all texts of a key together: what belongs to a longer key is worked out anew each time."""


class Memo(dict[Key, Value]):
    """`memo[key]` is what the function says of the key, worked out once while it is remembered. When a generation is full
    the one before it is forgotten: never more than twice `entries` keys stand here. Safe to share between threads: the
    worst that a race costs is that something is worked out twice."""

    __slots__ = ("_entries", "_of", "_old")

    def __init__(self, of: Callable[[Key], Value], entries: int) -> None:
        self._of = of
        self._entries = entries
        self._old: dict[Key, Value] = {}

    # A dict that misses, and not a function around an `lru_cache`: what is known costs no call of ours.
    def __missing__(self, key: Key) -> Value:
        known = self._old.get(key, self)
        if known is not self:
            value = cast(Value, known)
        else:
            value = self._of(key)
            if (len(key) if isinstance(key, str) else _length(key)) > LONGEST:
                return value
        if len(self) >= self._entries:
            self._old = dict(self)
            self.clear()
        self[key] = value
        return value


def _length(key: object) -> int:
    if type(key) is str or type(key) is bytes:
        return len(key)
    length = 0
    if type(key) is tuple:
        for part in key:
            length += len(part) if type(part) is str else _length(part)
    return length
