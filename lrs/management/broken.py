"""A promise of a store that does not hold."""
from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Broken:
    """A promise that does not hold: which (a key of `verify.PROMISES`), of what, and what was seen instead."""

    promise: str
    where: str
    seen: str
