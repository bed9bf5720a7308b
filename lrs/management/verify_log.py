"""The log of statements, its index and its attachments, looked at for promises that do not hold.

Every row that the index must have and every row that it has goes into a sum, by the remainder of its seq: equal sets of rows
have equal sums. Only where two sums differ the rows are looked up one by one, in a second walk.
"""
from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from typing import Any, Protocol

import msgspec

from lrs.management.broken import Broken
from lrs.management.chains import Chain, chains_of
from lrs.statements.instants import printed
from lrs.statements.members import members
from lrs.statements.record import Record
from lrs.statements.seen import Seen
from lrs.statements.terms import terms_of
from lrs.store.open_store import Told, nobody
from lrs.store.protocols.examined import ExaminedStatements, IndexRow, Kept
from lrs.store.protocols.statements import Statements
from verbs import read

SLICE = 500
SUMS = 65_537
TERMS = 17
"""Index rows of a usual statement, for the progress that is told."""


class _Attachments(Protocol):
    def has(self, sha2: str) -> bool: ...


class Log(Statements, ExaminedStatements, Protocol):
    """The log of a store that shows what `lrs.store.protocols.examined` lists."""

    def count(self) -> int:
        """How many statements there are."""
        ...


def statements(store: Any, told: Told = nobody) -> Iterator[Broken]:
    """What is broken in the log of statements, its index and its attachments."""
    log: Log = store.statements
    total = max(1, log.count())
    sums = [0] * SUMS
    last, done = 0, 0
    for some in _slices(log):
        told("statements", 0.2 + 0.5 * min(1.0, done / total))
        yield from _each(log, store.attachments, some, last)
        for row in _owned(some) if log.own_rows else ():
            sums[row[1] % SUMS] ^= hash(row)
        for row in _shadows(chains_of(log, some)):
            sums[row[1] % SUMS] ^= hash(row)
        last, done = some[-1].record.seq, done + len(some)
    late: list[IndexRow] = []
    done = 0
    for rows in log.index_rows():
        told("index", 0.7 + 0.2 * min(1.0, done / TERMS / total))
        for row in rows:
            if row[1] <= last:
                sums[row[1] % SUMS] ^= hash(row)
            else:
                late.append(row)
        if len(late) >= SLICE:
            yield from _unowned(log, late)
            late = []
        done += len(rows)
    yield from _unowned(log, late)
    told("index", 0.9)
    suspects = {place for place, value in enumerate(sums) if value}
    if suspects:
        yield from _missing(log, suspects)
        yield from _orphans(log, suspects)


def of_statement(kept: Kept, before: int, term_key: bytes) -> Iterator[Broken]:
    """What a statement says by itself; `before` is the seq of the one before it."""
    record, where = kept.record, f"statement {kept.record.id}"
    try:
        value = _Statement(record.text)
        said = value["id"], value["stored"]
        terms = terms_of(term_key).of_statement(value, value.texts, authority=value["authority"], credential_id=record.credential_id)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        yield Broken("terms", where, f"its text cannot be read: {error!r}")
        return
    if said != (record.id, printed(record.seq)):
        yield Broken("order", where, f"its text says id and stored {said[0]} {said[1]}, the log {printed(record.seq)}")
    if record.seq <= before:
        yield Broken("order", where, f"stands after {printed(before)} at {printed(record.seq)}")
    if terms != kept.terms and set(terms) != set(kept.terms):
        yield Broken("terms", where, f"{len(set(terms) - set(kept.terms))} terms are missing, {len(set(kept.terms) - set(terms))} too many")
    if why := _unread(record.reading):
        yield Broken("reading", where, why)


class _Statement(dict[str, Any]):
    """A statement's members, each decoded when it is asked for. Raises ValueError for what is no JSON object in UTF-8."""

    def __init__(self, text: bytes) -> None:
        text.decode()
        self.texts = members(text)
        if "context" in self.texts:
            self["context"] = msgspec.json.decode(self.texts["context"])

    def __missing__(self, name: str) -> Any:
        text = self.texts[name]
        value = _DECODED.get(text)
        if value is None:
            value = msgspec.json.decode(text)
            if name in _REPEATED:
                _DECODED.put(text, value)
        self[name] = value
        return value


_REPEATED = ("verb", "authority")
_DECODED: Seen[Any] = Seen()


class _Version(msgspec.Struct):
    map_version: int


_VERSION = msgspec.json.Decoder(_Version)


def _unread(reading: bytes) -> str:
    """Why it is no reading that names its map, '' where it is one."""
    try:
        read.from_json(reading)
        version = _VERSION.decode(reading).map_version
    except ValueError as error:
        return f"has none that can be read: {error}"
    return "" if version >= 1 else f"names no version of the map: {version}"


def _slices(log: Log) -> Iterator[list[Kept]]:
    last = 0
    while some := log.kept(last, SLICE):
        yield some
        last = some[-1].record.seq


def _each(log: Log, attachments: _Attachments, some: list[Kept], last: int) -> Iterator[Broken]:
    key = log.term_key
    voids = [one.record for one in some if one.record.voids is not None and one.record.void_effective]
    voided = log.linked({record.voids for record in voids if record.voids}) if voids else {}
    for one in some:
        record = one.record
        yield from of_statement(one, last, key)
        if record.voided:
            yield from _voided_by_somebody(log, record)
        if b'"attachments"' in record.text:
            yield from _attached(attachments, record)
        last = record.seq
    for record in voids:
        target = voided.get(record.voids or "")
        if target is not None and not target.voided:
            yield Broken("void", f"statement {record.voids}", f"was voided by {record.id}, and is not")


def _voided_by_somebody(log: Log, record: Record) -> Iterator[Broken]:
    if not any(one.voids == record.id and one.void_effective for one in log.referring(record.id)):
        yield Broken("void", f"statement {record.id}", "is voided, and no statement voids it")


def _attached(attachments: _Attachments, record: Record) -> Iterator[Broken]:
    try:
        value = json.loads(record.text)
    except ValueError:
        return  # said already
    target = value.get("object", {})
    for one in [*value.get("attachments", ()), *(target.get("attachments", ()) if isinstance(target, dict) else ())]:
        if "fileUrl" not in one and not attachments.has(one["sha2"]):
            yield Broken("attachment", f"statement {record.id}", f"the data {one['sha2']} is not here")


def _owned(some: Iterable[Kept]) -> Iterator[IndexRow]:
    for one in some:
        seq = one.record.seq
        for term in one.terms:
            yield term, seq, 0


def _shadows(chains: Iterable[Chain]) -> Iterator[IndexRow]:
    for one in chains:
        for link in one.links:
            for term in link.terms:
                yield term, one.kept.record.seq, link.seq


def _missing(log: Log, suspects: Collection[int]) -> Iterator[Broken]:
    for all_ in _slices(log):
        some = [one for one in all_ if one.record.seq % SUMS in suspects]
        owned = set(_owned(some)) if log.own_rows else set()
        chains = chains_of(log, some)
        there = log.indexed(owned | set(_shadows(chains))) if owned or chains else set()
        for one in some:
            if missing := sum((term, one.record.seq, 0) not in there for term in one.terms) if log.own_rows else 0:
                yield Broken("index", f"the statement stored {printed(one.record.seq)}", f"{missing} of its terms are not found")
        for chain in chains:
            missing = len(set(_shadows([chain])) - there)
            if missing and not log.owes_index():
                yield Broken("index", f"statement {chain.kept.record.id}", f"{missing} terms of what it refers to are not found")


def _orphans(log: Log, suspects: Collection[int]) -> Iterator[Broken]:
    suspected = (row for rows in log.index_rows() for row in rows if row[1] % SUMS in suspects)
    while some := list(islice(suspected, SLICE)):
        yield from _unowned(log, some)


def _unowned(log: Log, some: Collection[IndexRow]) -> Iterator[Broken]:
    terms = log.terms_at({seq for row in some for seq in row[1:] if seq}) if some else {}
    referring = {seq for _, seq, via in some if via and seq in terms}
    referred = {one.kept.record.seq: one.seen for one in chains_of(log, log.kept_at(referring).values())} if referring else {}
    for term, seq, via in some:
        where = f"term {term} of the statement stored {printed(seq)}" + (f" by way of that stored {printed(via)}" if via else "")
        if seq not in terms or (via and via not in terms):
            yield Broken("orphan", where, "there is no such statement")
        elif term not in terms[via or seq]:
            yield Broken("orphan", where, "the statement has no such term")
        elif via and via not in referred.get(seq, ()):
            yield Broken("orphan", where, "it does not refer to that one")
