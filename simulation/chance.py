"""Chance at less than half of its cost: the very draws of `random.Random` of a seed, by fewer calls."""
from __future__ import annotations

import random
from bisect import bisect
from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from _typeshed import SupportsLenAndGetItem

T = TypeVar("T")


class Chance(random.Random):
    """Draws the same as `random.Random` does."""

    def choice(self, seq: SupportsLenAndGetItem[T]) -> T:
        """One of them."""
        return seq[self._below(len(seq))]

    def randrange(self, start: int, stop: int | None = None, step: int = 1) -> int:
        """From 0 to below `start`, or from `start` to below `stop`; other steps than 1 are not wanted here."""
        assert step == 1
        return self._below(start) if stop is None else start + self._below(stop - start)

    def _below(self, n: int) -> int:
        bits, draw = n.bit_length(), self.getrandbits
        found = draw(bits)
        while found >= n:
            found = draw(bits)
        return found


class Weighted(Generic[T]):
    """These, each as often as its weight says."""

    __slots__ = ("_bounds", "_last", "_of", "_total")

    def __init__(self, of: Sequence[T], weights: Sequence[float]) -> None:
        """As many weights, in the same order; not all of them 0."""
        self._of, self._bounds = of, list(accumulate(weights))
        self._last, self._total = len(of) - 1, self._bounds[-1] + 0.0

    def draw(self, rng: random.Random) -> T:
        """One of them; uses one number of `rng`."""
        return self._of[bisect(self._bounds, rng.random() * self._total, 0, self._last)]
