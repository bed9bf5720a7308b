"""All that a store keeps goes to another one, of the same kind or not: part by part, page by page, gone on with where it was broken off."""
from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from typing import Any

import msgspec

from lrs.errors import Damaged, WrongState
from lrs.management.audit import audited
from lrs.management.chains import chains_of
from lrs.store.open_store import Store, Told, nobody
from lrs.store.protocols.copied import PARTS, Row

INDEX = "references"
"""The part that is made anew: index rows of statements for those that they refer to."""
SLICE = 500
EVERY = 1 << 62
_ROWS = msgspec.msgpack.Encoder()
_HASHES: dict[int, Callable[[], Any]] = {56: hashlib.sha224, 64: hashlib.sha256, 96: hashlib.sha384, 128: hashlib.sha512}
"""By the length of what names the data of an attachment."""


@dataclass(slots=True)
class Sum:
    """How many rows, and one number for all of them, whatever their order: equal sets of rows have equal sums."""

    rows: int = 0
    digest: int = 0

    def add(self, rows: Sequence[Row]) -> None:
        """Take rows in."""
        self.rows += len(rows)
        for row in rows:
            self.digest += int.from_bytes(hashlib.sha256(_ROWS.encode(row)).digest(), "big")
        self.digest %= 1 << 256


@dataclass(slots=True)
class _State:
    """How far it has come, as it is written down in the target. `at`: the part under way, `after` the key of its last row, `sum` of
    what was copied of it."""

    source: str
    done: dict[str, Sum] = field(default_factory=dict)
    at: str = ""
    after: list[Any] | None = None
    sum: Sum = field(default_factory=Sum)

    def text(self) -> str:
        return json.dumps(asdict(self) | {"sum": _said(self.sum), "done": {part: _said(one) for part, one in self.done.items()}})

    @classmethod
    def read(cls, text: str) -> _State:
        said = json.loads(text)
        return cls(said["source"], {part: _sum(one) for part, one in said["done"].items()}, said["at"], said["after"], _sum(said["sum"]))


def _said(one: Sum) -> list[Any]:
    return [one.rows, f"{one.digest:x}"]


def _sum(said: Sequence[Any]) -> Sum:
    return Sum(said[0], int(said[1], 16))


@dataclass(frozen=True, slots=True)
class Moved:
    """What there is to move, or was moved: rows by part. `goes_on`: a part of it is there already, by an earlier run."""

    rows: dict[str, int]
    goes_on: bool


def plan(source: Store, target: Store | None) -> Moved:
    """What a move would do. Raises `WrongState` where the target (None: there is none yet) is not empty, and not half of this source."""
    goes_on = target is not None and _begun(target, _identity(source)) is not None
    return Moved({part: source.copied.count(part) for part, one in PARTS.items() if not one.seed}, goes_on)


def move(source: Store, target: Store, *, who: str, of: str, told: Told = nobody) -> Moved:
    """Copy everything, compare what the target then has with what was read, and let others open it. `of`: what to call the source in
    the target's audit log.

    Broken off, it goes on when it is called again: what it has written down is written for good. Raises `WrongState` where somebody
    works on one of the two, where the target is neither empty nor half of this source, and where the source has changed meanwhile;
    `Damaged` where the target does not have what it was given; `StoreUnavailable`.
    """
    with ExitStack() as stack:
        for one in (source, target):
            stack.enter_context(one.copied.held())
        name = _identity(source)
        state = _begun(target, name)
        goes_on = state is not None
        state = state or _State(name)
        target.copied.mark(state.text())
        counts = {part: source.copied.count(part) for part in PARTS}
        progress = _Progress(told, 2 * sum(counts.values()), sum(one.rows for one in state.done.values()) + state.sum.rows)
        for part in PARTS:
            if part not in state.done or PARTS[part].forgets:
                _copy(source, target, part, state, progress)
        if INDEX not in state.done:
            _index(target, state, progress)
        for part in PARTS:
            _compare(target, part, state.done[part], progress)
        # everything was read, and nobody has added to it since
        changed = [part for part in PARTS if not PARTS[part].forgets and source.copied.count(part) != state.done[part].rows]
        if changed:
            raise WrongState(f"the source was written to meanwhile ({', '.join(changed)}): stop every process of it, empty the target, "
                             "and move again")
        target.copied.begin_after(max(source.statements.consistent_through(), source.statements.last_seq()))
        target.copied.mark(None)
    rows = {part: state.done[part].rows for part, one in PARTS.items() if not one.seed}
    with audited(target, who, "store.move", of, rows=rows):
        pass
    return Moved(rows, goes_on)


class _Progress:
    """Tells the share and the rate."""

    def __init__(self, told: Told, total: int, done: int) -> None:
        self._told, self._total, self._done = told, max(1, total), done
        self._began, self._from = time.monotonic(), done

    def add(self, what: str, rows: int) -> None:
        self._done += rows
        rate = (self._done - self._from) / max(0.001, time.monotonic() - self._began)
        self._told(f"{what} ({rate:,.0f} rows/s)".replace(",", " "), min(1.0, self._done / self._total))


def _identity(store: Store) -> str:
    """Every store hashes its index terms by a key of its own, which moves with it."""
    return hashlib.sha256(store.copied.page("term_key", None, 1)[0][0]).hexdigest()


def _begun(target: Store, source: str) -> _State | None:
    said = target.copied.marked()
    if said is not None:
        state = _State.read(said)
        if state.source != source:
            raise WrongState("the target holds half of another store: a move of that one into it is not finished")
        return state
    there = [part for part, one in PARTS.items() if not one.seed and target.copied.page(part, None, 1)]
    if there:
        raise WrongState(f"the target is not empty: it has {', '.join(there)}. A move puts nothing beside what is there")
    return None


def _copy(source: Store, target: Store, part: str, state: _State, progress: _Progress) -> None:
    key, size = PARTS[part].key, PARTS[part].page
    if state.at != part or PARTS[part].forgets:
        state.at, state.after, state.sum = part, None, Sum()
    ended = False
    while not ended:
        rows = source.copied.page(part, None if state.after is None else tuple(state.after), size)
        if part == "attachments":
            for sha2, _ in rows:
                _attachment(source, target, sha2)
        elif rows:
            target.copied.write(part, rows)
        state.sum.add(rows)
        ended = len(rows) < size
        if ended:
            state.done[part], state.at, state.after, state.sum = state.sum, "", None, Sum()
        else:
            state.after = list(rows[-1][:key])
        target.copied.mark(state.text())
        progress.add(part, len(rows))


def _attachment(source: Store, target: Store, sha2: str) -> None:
    if target.attachments.has(sha2):
        return
    staged = target.attachments.stage(source.attachments.read(sha2), sha2, _HASHES[len(sha2)]())
    try:
        if not staged.matches:
            raise Damaged(f"the data of attachment {sha2} is not what its name says: mend the source first (lrs verify)")
        staged.keep()
    finally:
        staged.discard()


def _index(target: Store, state: _State, progress: _Progress) -> None:
    last = int(state.after[0]) if state.at == INDEX and state.after else 0
    while some := target.statements.kept(last, SLICE):
        chains = chains_of(target.statements, some, EVERY)
        if chains:
            target.copied.index([(one.kept.record.seq, link.seq, link.terms) for one in chains for link in one.links if link.terms],
                                sorted({one.next for one in chains if one.next is not None}))
            state.at, state.after = INDEX, [some[-1].record.seq]
            target.copied.mark(state.text())
        last = some[-1].record.seq
        progress.add(INDEX, 0)
    state.done[INDEX], state.at, state.after = Sum(), "", None
    target.copied.mark(state.text())


def _compare(target: Store, part: str, expected: Sum, progress: _Progress) -> None:
    found, after, ended = Sum(), None, False
    while not ended:
        rows = target.copied.page(part, after, PARTS[part].page)
        found.add(rows)
        if part == "attachments":
            for sha2, _ in rows:
                _same_data(target, sha2)
        ended = len(rows) < PARTS[part].page
        after = rows[-1][:PARTS[part].key] if rows else None
        progress.add(f"comparing {part}", len(rows))
    if found != expected:
        raise Damaged(f"{part}: {expected.rows} rows were read and {found.rows} are there"
                      + ("" if found.rows != expected.rows else ", which are not the same ones") + ": empty the target, and move again")


def _same_data(target: Store, sha2: str) -> None:
    digest = _HASHES[len(sha2)]()
    for piece in target.attachments.read(sha2):
        digest.update(piece)
    if digest.hexdigest() != sha2:
        raise Damaged(f"the data of attachment {sha2} has not arrived as it was")
