"""Gathers what is wrong with one statement, each finding with its place."""
from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from typing import Any, TypeAlias

from lrs.errors import Finding
from lrs.statements.rules import section, sentence

# A place is a chain of keys, its end first; a pointer is printed only for what is wrong.
Where: TypeAlias = "tuple[Where, str | int] | None"
Check = Callable[[Any, Where, "Report"], None]

_SHOWN = 100
_KEY_SHOWN = 200
_MOST = 1_000  # a megabyte of one-letter keys would otherwise be answered with a hundred megabytes
_WORDS = {None: "null", True: "true", False: "false"}


class Report:
    """The findings of one statement, in the order of its text, the first 1 000 of them.

    `raw` is that text, where the caller has it; `data` the hashes (lower case) of the attachments that came with it;
    `members` the text of each member of the statement, where the caller has them."""

    __slots__ = ("data", "findings", "members", "raw")

    def __init__(self, raw: bytes | None = None, data: Container[str] = (), members: Mapping[str, bytes] | None = None) -> None:
        self.findings: list[Finding] = []
        self.raw = raw
        self.data = data
        self.members = members

    def add(self, rule: str, where: Where, value: Any, **names: Any) -> None:
        """Note a broken rule at a place; `names` fill the braces of its sentence."""
        if len(self.findings) >= _MOST:
            return
        place, shown = pointer(where), found(value)
        why = sentence(rule, place).format(**{"found": shown, **names})
        self.findings.append(Finding(place, why, rule, section(rule), shown))


def keys(where: Where) -> list[str | int]:
    """The keys from the statement down to this place."""
    way: list[str | int] = []
    while where is not None:
        where, key = where
        way.append(key)
    return way[::-1]


def pointer(where: Where) -> str:
    """The place as a JSON pointer (RFC 6901); a key of more than 200 characters is cut."""
    return "".join("/" + _short(str(key)).replace("~", "~0").replace("/", "~1") for key in keys(where))


def _short(key: str) -> str:
    return key if len(key) <= _KEY_SHOWN else key[: _KEY_SHOWN - 1] + "…"


def found(value: Any) -> str:
    """A value as a refusal shows it, at most 100 characters."""
    if type(value) is str:
        return value if len(value) <= _SHOWN else value[: _SHOWN - 1] + "…"
    if isinstance(value, dict):
        return f"an object of {len(value)} member{'' if len(value) == 1 else 's'}"
    if isinstance(value, list):
        return f"an array of {len(value)}"
    if isinstance(value, int) and value.bit_length() > 300:  # printing it would cost more than it tells
        return f"an integer of {value.bit_length()} bits"
    if value is None or isinstance(value, bool):
        return _WORDS[value]
    return str(value)[:_SHOWN]
