"""Who may draw which seq, and what is certain to be complete, where many processes write one log at once.

Every writer (a process) holds one of 16 places and draws only seqs ≡ place (mod 16). `low` of its document is 0, or no
seq that it has under way is below it. The argument for what is promised is in docs/adr/0007-mongodb.md. Pure: the
documents and their transactions are those of whoever calls, a server's or a simulated one's.
"""
from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from lrs.errors import StoreUnavailable

PLACES = 16
BEAT_US = 100_000
"""How old what is promised may become before a reader has it raised."""
LEASE_US = 5_000_000
"""How long an intent may stand without a commit before a reader ends it, and with it the writer's right to commit."""
NOBODY = b""


class Place(msgspec.Struct, frozen=True, eq=False):
    """A writer's document: who holds it, `low` of its intent (0: none stands), `high` its greatest committed seq, `seen`
    when it last wrote (µs), the session that its transactions are in, and `referring`, the greatest committed seq of a
    statement that refers to another. Two are the same where owner and `low` are."""

    number: int
    owner: bytes = NOBODY
    low: int = 0
    high: int = 0
    seen: int = 0
    session: object = None
    referring: int = 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Place) and (self.number, self.owner, self.low) == (other.number, other.owner, other.low)

    def __hash__(self) -> int:
        return hash((self.number, self.owner, self.low))


@dataclass(frozen=True, slots=True)
class Known:
    """All places as they were read, and the time below which no seq is drawn any more because somebody has said so."""

    given: int
    places: Sequence[Place]

    @property
    def reached(self) -> int:
        """The greatest time that was promised or drawn."""
        return max([self.given, *(one.high for one in self.places)])

    @property
    def referring(self) -> int:
        """The greatest committed seq of a statement that refers to another."""
        return max((one.referring for one in self.places), default=0)

    @property
    def standing(self) -> list[Place]:
        """The places with an intent."""
        return [one for one in self.places if one.low]


class Table(Protocol):
    """The documents of the places. Outside of a transaction each call is durable by itself; a look sees of each
    document at least what an earlier call of the same process saw. Any call may raise `StoreUnavailable`, and may then
    have been done or not; a transaction's own may raise what its owner begins again upon."""

    def look(self) -> Known:
        """Everything."""
        ...

    def change(self, place: int, was: Mapping[str, Any], to: Mapping[str, Any]) -> bool:
        """Change fields of one document if it is as `was` says; whether it was."""
        ...

    def stands(self, place: int, fields: Mapping[str, Any]) -> bool:
        """Whether the document has these fields."""
        ...

    def give(self, time: int) -> None:
        """Raise `given` to this time (µs), if it is below it."""
        ...

    def end_session(self, session: object) -> None:
        """Undo the transaction that a session may have left open."""
        ...


class Fenced(Exception):
    """The place was taken from this writer: what it was about to commit must not be; it may begin again."""


class Intent:
    """The intent of one process. Used by one thread at a time."""

    def __init__(self, table: Table, now: Callable[[], int], token: bytes, session: Callable[[], object]) -> None:
        """`now`: µs since 1970; `token`: this process's own; `session()`: what its transactions can be ended by."""
        self._table, self._now, self._token, self._of = table, now, token, session
        self._place: int | None = None
        self._low = 0

    def open(self) -> None:
        """Have an intent that stands. Raises `StoreUnavailable` when all places are in use."""
        if self._low:
            return
        now = self._now()
        if self._place is not None and self._take(self._place, {"owner": self._token}, now):
            return
        self.lost()
        for place in free(self._table.look(), now):
            if self._take(place.number, {"owner": place.owner, "low": place.low}, now):
                return
        raise StoreUnavailable(f"all {PLACES} writers' places are in use at this moment", 1)

    def _take(self, place: int, guard: Mapping[str, Any], now: int) -> bool:
        # known before it is asked: where the answer is lost, `withdraw` must find the place
        self._place = place
        change = {"owner": self._token, "low": now, "seen": now, "session": self._of()}
        # the second look: a driver repeats a write whose answer was lost, and the first may have been done
        if self._table.change(place, guard, change) or self._table.stands(place, change):
            self._low = now
            return True
        return False

    def draw(self, table: Table) -> int:
        """The first seq of the transaction that `table` is in; the next ones follow in steps of PLACES. Raises `Fenced`."""
        known = table.look()
        mine = next((one for one in known.places if one.number == self._place), None)
        if mine is None or (mine.owner, mine.low) != (self._token, self._low):
            raise Fenced
        return first_seq(mine.number, max(self._now(), self._low, known.reached + 1))

    def settle(self, table: Table, after: int, *, stay: bool, referring: int = 0) -> int:
        """In the transaction: no seq below `after` will come any more; `stay` keeps the intent, for more. `referring` is the
        last seq of it at which a statement refers to another, 0 where none does. The new low. Raises `Fenced`."""
        low = after if stay else 0
        # what is drawn in a place rises, so the newest of them is the greatest
        mark = {"referring": referring} if referring else {}
        if not table.change(self._place if self._place is not None else -1, {"owner": self._token, "low": self._low},
                            {"low": low, "high": after - PLACES, "seen": self._now(), **mark}):  # fmt: skip
            raise Fenced
        return low

    def stood(self, low: int) -> None:
        """The transaction has been committed with this low."""
        self._low = low

    def withdraw(self) -> None:
        """What was under way has failed, or its end is not known. End the intent: this write and that transaction are
        both on the writer's document, so after it the transaction stands or never will. Where it fails, a reader ends it."""
        self._low = 0
        if self._place is not None:
            with suppress(StoreUnavailable):
                self._table.change(self._place, {"owner": self._token}, {"low": 0})

    def lost(self) -> None:
        """Another has the place now."""
        self._place, self._low = None, 0

    def leave(self) -> None:
        """Give the place back."""
        if self._place is not None:
            with suppress(StoreUnavailable):
                self._table.change(self._place, {"owner": self._token}, {"low": 0, "owner": NOBODY})
            self.lost()


class Promise:
    """What one process has said to be complete. Safe from many threads."""

    def __init__(self, now: Callable[[], int]) -> None:
        self._now = now
        self._mutex = threading.Lock()
        self._said = self._ended = self._reached = self._referring = 0
        self._met: dict[Place, int] = {}

    def through(self, table: Table) -> int:
        """µs: all with a seq up to it are seen by every later look of this caller, and none can appear any more.

        The order decides: first what has been promised or drawn, then, in a later look, whose intents stand. Where nothing was
        promised or drawn since an earlier call, the first look is that call's, and one is enough.
        """
        before, now, known = self._reached, self._now(), table.look()
        reached = known.reached
        if now - reached > BEAT_US:
            # a store that takes no writes still answers reads: it just promises nothing new
            with suppress(StoreUnavailable):
                table.give(now)
                reached = now
        if reached > before:
            self._reached = reached
            known = table.look()
        standing = known.standing
        oldest = dead(self._since(standing, now), now)
        if oldest and abs(now - self._ended) > BEAT_US:
            self._ended = now
            self._end(table, oldest)
        certain = complete(reached, standing)
        with self._mutex:
            # a promise holds for ever, so what is promised never falls back
            self._said = max(self._said, certain)
            self._referring = max(self._referring, known.referring)
            return self._said

    @property
    def referring(self) -> int:
        """Of all that has been promised before, nothing with a seq above it refers to another statement."""
        with self._mutex:
            return self._referring

    def _since(self, standing: Iterable[Place], now: int) -> dict[Place, int]:
        """Since when each intent stands, by this process's clock: where a clock was ahead, `low` alone says it of the future."""
        with self._mutex:
            self._met = {one: min(one.low, now, self._met.get(one, now)) for one in standing}
            return self._met

    def _end(self, table: Table, intent: Place) -> None:
        # a transaction that its process left open holds the document, and whoever writes it, for a minute and more
        with suppress(StoreUnavailable):
            table.end_session(intent.session)
        with suppress(StoreUnavailable):
            table.change(intent.number, {"owner": intent.owner, "low": intent.low}, {"low": 0, "owner": NOBODY})


def free(known: Known, now: int) -> list[Place]:
    """The places that a writer may try to take, those that nobody has first, then those unused for longest."""
    return sorted((one for one in known.places if one.low < now - LEASE_US), key=lambda one: (one.owner != NOBODY, one.seen))


def first_seq(place: int, least: int) -> int:
    """The first seq of this place that is not below `least`."""
    return least + (place - least) % PLACES


def dead(since: Mapping[Place, int], now: int) -> Place | None:
    """The oldest intent that has stood for too long."""
    return min((one for one in since if now - since[one] > LEASE_US), key=lambda one: one.low, default=None)


def complete(reached: int, standing: Iterable[Place]) -> int:
    """Up to where nothing can appear any more, given the intents that stood after `reached` had been."""
    return min([reached, *(one.low - 1 for one in standing)])
