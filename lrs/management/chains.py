"""What statements refer to, what that refers to, and so on: by which their index has more rows than they have terms."""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from lrs.store.protocols.examined import ExaminedStatements, Kept, Linked

CHAIN = 10_000
"""Statements of a chain that are followed by whoever only looks."""


@dataclass(slots=True)
class Chain:
    """A statement, and what it refers to, what that refers to, and so on; each once, itself not. `next`: the id of the next one, where
    that is not here."""

    kept: Kept
    next: str | None
    links: list[Linked] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)


def chains_of(log: ExaminedStatements, some: Iterable[Kept], most: int = CHAIN) -> list[Chain]:
    """Those of the statements that refer to something, at most so many links long; a step of all of them is one look."""
    chains = [Chain(one, one.record.target, seen={one.record.seq}) for one in some if one.record.target is not None]
    known: dict[str, Linked | None] = {}
    going = chains
    while going:
        wanted = {one.next for one in going if one.next is not None} - known.keys()
        known |= dict.fromkeys(wanted) | log.linked(wanted)
        going = [one for one in going if _follow(one, known, most)]
    return chains


def _follow(one: Chain, known: dict[str, Linked | None], most: int) -> bool:
    """As far as it is known; whether it goes on behind that."""
    while one.next is not None and one.next in known:
        link = known[one.next]
        if link is None:
            return False
        if link.seq in one.seen or len(one.seen) > most:
            one.next = None
            return False
        one.seen.add(link.seq)
        one.links.append(link)
        one.next = link.target
    return one.next is not None
