"""What a store promises about the definitions of activities."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from lrs.statements.definitions import Known


class Definitions(Protocol):
    """What statements have said of activities, put together up to a cursor. Every method may raise `StoreUnavailable`."""

    def of(self, activities: Sequence[str]) -> tuple[int, dict[str, Known]]:
        """The cursor (a seq) and, in the same snapshot, what is known of those of these activities that were defined."""
        ...

    def learn(self, known: Mapping[str, Known], after: int, through: int) -> bool:
        """Put these in place and the cursor forward from `after` to `through`, in one write; False (and nothing changed) where
        the cursor is not at `after` any more."""
        ...
