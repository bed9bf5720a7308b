"""Which scope of a credential opens what: the standard's scopes and three of ours, as a table."""
from __future__ import annotations

from collections.abc import Iterable

MEANING: dict[str, str] = {
    "statements/write": "store statements",
    "statements/read/mine": "read the statements that this credential stored",
    "statements/read": "read all statements",
    "statements/void": "void statements of any provider",
    "state": "read and write state documents",
    "define": "define activities",
    "profile": "read and write profile documents",
    "launch": "make credentials for one launch of content",
    "feeds/read": "read the completion feed",
    "all/read": "read everything, exports included",
    "all": "everything",
}
"""Scope → what it allows, in words (xAPI 1.0.3 Communication 4.2 names all but feeds/read, launch and statements/void)."""

OPENED_BY: dict[str, frozenset[str]] = {
    "statements/write": frozenset({"statements/write", "all"}),
    "statements/read/mine": frozenset({"statements/read/mine", "statements/read", "all/read", "all"}),
    "statements/read": frozenset({"statements/read", "all/read", "all"}),
    "statements/void": frozenset({"statements/void", "all"}),
    "state": frozenset({"state", "all"}),
    "define": frozenset({"define", "all"}),
    "profile": frozenset({"profile", "all"}),
    "launch": frozenset({"launch", "all"}),
    "feeds/read": frozenset({"feeds/read", "all/read", "all"}),
    "all/read": frozenset({"all/read", "all"}),
    "all": frozenset({"all"}),
}
"""What is asked for → the scopes that open it."""

DEFAULT = frozenset({"statements/write", "statements/read/mine"})
"""What a credential gets when nobody says more (the standard's default)."""


def allowed(scopes: Iterable[str], wanted: str) -> bool:
    """Whether any of the scopes opens what is wanted; KeyError for a `wanted` that is no scope."""
    return not OPENED_BY[wanted].isdisjoint(scopes)
