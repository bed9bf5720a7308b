"""Batches of many requests on their way into one transaction: each of them is taken whole, or refused by itself."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from lrs.statements.record import Added, Prepared
from lrs.store.groups import Waiting
from lrs.store.protocols.statements import Same

Taken = list[tuple[list[Added], Exception | None]]
"""What became of each batch."""


class Batch(Waiting):
    """A request to store statements all or none; `same` says whether a stored text is what was received."""

    def __init__(self, statements: Sequence[Prepared], same: Same) -> None:
        super().__init__()
        self.statements, self.same = statements, same
        self.result: list[Added] = []


class Refused(Exception):
    """A part of a batch was written before it was refused: only the end of the transaction undoes it, which is then done again without
    it."""

    def __init__(self, batch: Batch, why: Exception) -> None:
        self.batch, self.why = batch, why

    def leave(self, left: list[Batch]) -> None:
        """Tell its request why, and take it out of what is left."""
        self.batch.error = self.why
        left.remove(self.batch)


class Adding(Protocol):
    """The tables or collections of one transaction."""

    def take(self, batch: Sequence[Prepared], same: Same) -> list[Added]: ...
    def mark(self) -> Any: ...
    def back(self, mark: Any) -> bool: ...
    def write(self) -> None: ...


def taken(adding: Adding, batches: Sequence[Batch], fault: type[Exception]) -> Taken:
    """Take in and write them in order; a `fault` of the driver is raised. Raises `Refused`."""
    results: Taken = []
    for one in batches:
        mark = adding.mark()
        try:
            results.append((adding.take(one.statements, one.same), None))
        except fault:
            raise
        except Exception as error:
            if not adding.back(mark):
                raise Refused(one, error) from error
            results.append(([], error))
    adding.write()
    return results


def tell(batches: Sequence[Batch], results: Taken) -> None:
    """What became of each, once it is committed."""
    for one, (added, error) in zip(batches, results, strict=True):
        one.result, one.error = added, error
