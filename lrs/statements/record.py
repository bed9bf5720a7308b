"""The record of a statement: what ingest hands to the store, and what the store gives back."""
from __future__ import annotations

from dataclasses import dataclass, field

import msgspec


@dataclass(frozen=True, slots=True)
class Prepared:
    """A validated statement, ready to be stored.

    `parts` are joined by the printed `stored` time (ISO 8601, UTC, 6 digits, `Z`): two parts, or three where the
    client sent no timestamp and `timestamp` takes the same value. `raw` is the received text, for `same`.
    `terms` are signed 64-bit hashes. `reading` is the JSON of `verbs.Reading`. `target` is the id that the object's
    StatementRef names; `voids` is the same id when the verb is `voided` (xAPI 1.0.3 Data 2.3.2).
    `may_void_any`: the credential may void statements of other providers. `request`: the id of the request that brings
    it, the same for a whole batch; '' where none does.
    """

    id: str
    parts: tuple[bytes, ...]
    raw: bytes
    terms: tuple[int, ...]
    reading: bytes
    credential_id: str
    provider: str
    target: str | None = None
    voids: str | None = None
    may_void_any: bool = False
    request: str = ""


class Record(msgspec.Struct, frozen=True):
    """A stored statement. `seq` = `stored`, microseconds since 1970 UTC. `voided_by` is the seq of the voiding
    statement. `void_effective`: for a voiding statement, whether it has (or would have) an effect."""

    id: str
    seq: int
    text: bytes
    reading: bytes
    credential_id: str
    provider: str
    target: str | None = None
    voids: str | None = None
    voided: bool = False
    void_effective: bool = False


@dataclass(frozen=True, slots=True)
class Added:
    """What `add` did with one statement of the batch: its id and seq; `repeated` if it was stored before."""

    id: str
    seq: int
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """A page of statements. All `terms` must hold on one statement (own or along its reference chain).

    `since` exclusive and `until` inclusive are seqs (µs since 1970). `after` is the position (seq, exclusive) where
    the previous page ended. `credential_id` limits to records of that credential (statements/read/mine).
    `limit` is rows a page, ≥ 1.
    """

    terms: tuple[int, ...] = ()
    since: int | None = None
    until: int | None = None
    after: int | None = None
    ascending: bool = False
    limit: int = 100
    credential_id: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Records in order; `more` is the seq to pass as `after` for the next page, None if there is none.
    `consistent_through`: every record with seq ≤ it was visible to this page."""

    records: list[Record] = field(default_factory=list)
    more: int | None = None
    consistent_through: int = 0
