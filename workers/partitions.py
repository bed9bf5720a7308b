"""The partitions of routing: what belongs to which, where each stands, and how their number is changed.

Each reads the whole log with a cursor of its own and takes what is its own. A statement belongs to a partition by what is
written in it, never by whose it turns out to be: the directory changes meanwhile, and two that look at different moments
would both skip it, or both take it. That the cursors say the truth does not depend on this: a cursor is a fact that stays
true, "of this partition everything up to here was judged", whatever number of partitions is in force later (ADR 12).
"""
from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import msgspec
import orjson

from lrs.completions.subjects import identifier, unknown_subject
from lrs.statements.record import Record
from lrs.store.open_store import Store
from lrs.store.protocols.work import BEGINNING, Cursor, Output

ROUTE = "route"
LAYOUT = "routing"
"""The cursor whose seq is the number of partitions in force (0 where it was never changed: one). Every round of a partition
has it as a fence, so that a round of another number writes nothing."""


class _Said(msgspec.Struct):
    actor: msgspec.Raw = msgspec.Raw(b"null")


_SAID = msgspec.json.Decoder(_Said)


@dataclass(frozen=True, slots=True)
class Partition:
    """One of so many; `number` from 1."""

    number: int = 1
    of: int = 1

    @property
    def consumer(self) -> str:
        """The name of its cursor."""
        return ROUTE if self.of == 1 else f"{ROUTE}/{self.number}of{self.of}"

    def has(self, store: Store, record: Record) -> bool:
        """Whether the statement is this one's to judge; a void is where its target is."""
        return self.of == 1 or self.number == number_of(store, record, self.of)


def number_of(store: Store, record: Record, of: int) -> int:
    """The partition that a statement belongs to: by the first identifier of its actor. A void whose target is not there has
    nothing to take back, in whichever partition. What this says of a statement must stay so for ever: should it have to change,
    the cursors need other names."""
    named = record if record.voids is None else store.statements.get(record.voids, voided=True) or record
    actor = orjson.loads(memoryview(_SAID.decode(named.text).actor))
    return zlib.crc32(unknown_subject(identifier(actor)).encode("utf-8", "surrogatepass")) % of + 1


@dataclass(frozen=True)
class Standing:
    """Where routing stands, by all cursors of one moment."""

    cursors: Mapping[str, Cursor]

    @property
    def layout(self) -> Cursor:
        """The cursor that says how many partitions there are."""
        return self.cursors.get(LAYOUT, BEGINNING)

    @property
    def partitions(self) -> Sequence[Partition]:
        """Those in force."""
        return partitions(max(1, self.layout.seq))

    @cached_property
    def least(self) -> Cursor:
        """Everything up to here was judged, every change up to here read."""
        stand = [self.of(one) for one in self.partitions]
        return Cursor(min(one.seq for one in stand), min(one.change for one in stand))

    @cached_property
    def before(self) -> int:
        """Statements up to this seq may have been judged in partitions of another number."""
        now = {one.consumer for one in self.partitions}
        return max((at.seq for name, at in self.cursors.items() if name.split("/")[0] == ROUTE and name not in now), default=0)

    @cached_property
    def until(self) -> int:
        """No statement beyond this seq was judged."""
        return max(self.before, *(self.of(one).seq for one in self.partitions))

    def of(self, partition: Partition) -> Cursor:
        """Where it stands."""
        return self.cursors.get(partition.consumer, BEGINNING)

    def judged(self, store: Store, record: Record) -> bool:
        """Whether the statement may have been judged."""
        if len(self.partitions) == 1 or record.seq <= max(self.before, self.least.seq):
            return record.seq <= self.until
        return record.seq <= self.of(self.partitions[number_of(store, record, len(self.partitions)) - 1]).seq


@lru_cache(maxsize=64)
def partitions(of: int) -> Sequence[Partition]:
    """All of so many."""
    return tuple(Partition(number, of) for number in range(1, of + 1))


def standing(store: Store) -> Standing:
    """Where routing stands now."""
    return Standing(store.work.cursors())


def routed(store: Store) -> Cursor:
    """How far everything is routed: the least of all partitions."""
    return standing(store).least


def lay_out(store: Store, of: int) -> bool:
    """Have routing go on in so many partitions, safe beside workers at any number of them; False where somebody else was
    faster. They begin where everything was judged, or where one of the same name stood the last time that it was in force."""
    at = standing(store)
    if len(at.partitions) == of:
        return True
    for one in partitions(of):
        begin = Cursor(max(at.of(one).seq, at.least.seq), at.least.change)
        if not store.work.advance(one.consumer, at.of(one), begin, Output(fences=[(LAYOUT, at.layout)])):
            return False
    return store.work.advance(LAYOUT, at.layout, Cursor(of), Output())
