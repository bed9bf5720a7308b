"""Deliveries in memory: owed once, claimed by lease within the limits of each target, in order per achievement."""
from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from functools import lru_cache

import msgspec
import orjson

from lrs.store.claiming import AHEAD_MAX_US, COMPANY, Standing, after_loss, as_told, calls, held_back, is_suspect, judged, shares
from lrs.store.protocols.work import (
    Attempt,
    Claimed,
    DeliveryRow,
    Limits,
    Published,
    TargetRow,
    Unlimited,
    Wanted,
)
from lrs.store.sqlite.clock import Ticks, advanced, peeked
from lrs.store.sqlite.deliveries import FOR_EVER, webhook_id
from simulation.disk import File
from simulation.store.content import Outgoing, Owed, changed

UNSENT = frozenset({"pending", "waiting", "parked"})
BLOCKING = UNSENT | {"leased"}
FINISHED = frozenset({"delivered", "dead", "cancelled"})
REFUSED = frozenset({401, 403, 410, 429})
UNLIMITED = Unlimited()


def every_target(out: Outgoing) -> list[TargetRow]:
    """All targets, by name: they are kept so."""
    return list(out.targets.values())


def owe(out: Outgoing, target: str, event: Published, now: int) -> None:
    """Owe an event to a target, once. A revoke cancels what was never tried, and is sent only if something was."""
    key = webhook_id(target, event.event_id, event.revision)
    if key not in out.owed:
        out.owed[key] = Owed(key, target, event.event, event.event_id, event.revision, event.body, now, len(out.owed), due=now)
        out.revisions[target, event.event_id] = (*out.revisions.get((target, event.event_id), ()), key)
    if not event.event.endswith(".revoked"):
        return
    earlier = before(out, target, event.event_id, event.revision)
    cancel(out, (one for one in earlier if not one.tried and one.state in UNSENT), "taken back before it was sent")
    if not any(one.tried or one.state == "delivered" for one in earlier):
        cancel(out, [out.owed[key]], "the target never got what this takes back")


def before(out: Outgoing, target: str, event_id: str, revision: int) -> list[Owed]:
    """The earlier revisions of an achievement at a target."""
    keys, owed = out.revisions.get((target, event_id), ()), out.owed
    return [one for key in keys if (one := owed[key]).revision < revision] if len(keys) > 1 else []


def unfinished(out: Outgoing) -> list[Owed]:
    """Those that a claim may have to do with: what is due at some time, and what somebody holds."""
    return [row for row in out.owed.values() if row.due is not None or row.state == "leased"]


def cancel(out: Outgoing, rows: Iterable[Owed], why: str) -> None:
    """These are not sent."""
    for row in list(rows):
        out.owed[row.id] = changed(row, state="cancelled", due=None, why=why)


def cancel_unsent(out: Outgoing, event_id: str) -> None:
    """Cancel what was not sent yet of an achievement; its revoke goes on, to those who were told of it."""
    cancel(out, (one for one in out.owed.values()
                 if one.event_id == event_id and one.state in UNSENT and not one.event.endswith(".revoked")),
           "the achievement was merged into another")


def release_parked(out: Outgoing, kind: str, key: str, now: int) -> None:
    """Make parked deliveries about this person or course due."""
    for row in [row for row in out.owed.values() if row.state in ("parked", "leased")]:
        if about(row, kind) == key:
            out.owed[row.id] = changed(row, released=True) if row.state == "leased" else changed(row, state="waiting", due=now)


def about(row: Owed, kind: str) -> str | None:
    """The employee id or the course id of a delivery."""
    person, course = _about(row.payload)
    return person if kind == "person" else course


@lru_cache(maxsize=4096)
def _about(payload: bytes) -> tuple[str | None, str | None]:
    body = orjson.loads(payload)
    return (body.get("user") or {}).get("externalId"), (body.get("course") or {}).get("id")


class ModelDeliveries:
    """The part of `ModelWork` that keeps deliveries."""

    _file: File[Outgoing]
    _wall: Callable[[], int]
    _ticks: Ticks
    _found: tuple[Outgoing, list[Owed]] | None = None

    def lease_time(self) -> int | None:
        """The time by which leases go, µs; None where it must be written down first."""
        return peeked(self._file.now.clock, self._ticks)

    def _advance(self, out: Outgoing) -> int:
        at, out.clock = advanced(out.clock, self._ticks, 0, follows=False)
        return at

    def claim_due(self, n: int, lease_seconds: float, owner: str, now: int, limits: Limits = UNLIMITED,
                  ended: Sequence[Attempt] = (), alone: bool = False) -> list[Claimed]:
        """The deliveries of at most n calls that are due, leased in one commit that also records what `ended`."""
        if not ended:
            out = self._file.read()
            leases, rows = peeked(out.clock, self._ticks), self._unfinished(out)
            if not (is_mending_due(out, rows, now, FOR_EVER if leases is None else leases)
                    or any(open_targets(out, rows, due_by_target(rows, now, alone), now, leases or 0, limits))):
                return []
        with self._file.write() as out:
            record(out, ended, limits)
            claimed = claim(out, n, self._advance(out), round(lease_seconds * 1_000_000), owner, now, limits, alone)
        return claimed

    def is_suspect_due(self, now: int, limits: Limits = UNLIMITED) -> bool:
        """Whether a claim `alone` may find something now."""
        out = self._file.read()
        rows = self._unfinished(out)
        return any(open_targets(out, rows, due_by_target(rows, now, True), now, peeked(out.clock, self._ticks) or 0, limits))

    def _unfinished(self, out: Outgoing) -> list[Owed]:
        """Those of a snapshot, which never changes: found once."""
        if self._found is None or self._found[0] is not out:
            self._found = out, unfinished(out)
        return self._found[1]

    def record(self, attempts: Sequence[Attempt], limits: Limits = UNLIMITED) -> int:
        """Write how attempts ended; a stale lease changes nothing."""
        with self._file.write() as out:
            written = record(out, attempts, limits)
        return written

    def give_back(self, claimed: Sequence[Claimed], now: int) -> None:
        """Return claims on which nothing was sent, due at once."""
        with self._file.write() as out:
            for one in claimed:
                row = out.owed.get(one.id)
                if row and row.lease == one.lease and row.state == "leased":
                    out.owed[row.id] = changed(row, state="waiting", due=now, lease="", unclear=one.unclear)

    def expire_leases(self, targets: Sequence[str], owner: str, now: int) -> int:
        """Make leases of other owners due at once, as unclear attempts."""
        count = 0
        with self._file.write() as out:
            at = self._advance(out)
            for row in list(out.owed.values()):
                if row.state == "leased" and row.target in targets and row.owner != owner:
                    out.owed[row.id] = changed(row, due=at, unclear=True)
                    count += 1
        return count

    def release(self, wanted: Wanted, *, now: int) -> int:
        """Make parked deliveries due again."""
        with self._file.write() as out:
            found = [row for row in out.owed.values() if row.state == "parked" and _is_wanted(row, wanted)]
            for row in found:
                out.owed[row.id] = changed(row, state="waiting", due=now)
        return len(found)

    def replay(self, wanted: Wanted, *, now: int, dry: bool) -> int:
        """Make finished deliveries due again under the same id, with a fresh schedule."""
        ids = _replayed(self._file.read(), wanted)
        if dry or not ids:
            return len(ids)
        count = 0
        with self._file.write() as out:
            for key in ids:
                row = out.owed[key]
                if row.state in FINISHED:
                    arrived = row.unclear or any(one.state not in ("parked", "cancelled") and not 400 <= (one.status or 0) <= 499
                                                 for one in out.attempts.get(key, ()))
                    out.alone.pop(key, None)
                    out.owed[key] = changed(row, unclear=row.state == "delivered" or arrived, state="pending", attempts=0, lost=0, due=now,
                                            why="replayed")
                    count += 1
        return count

    def cancel(self, wanted: Wanted, *, why: str, dry: bool) -> int:
        """Cancel what is not being sent at this moment and not finished; `dry` only counts them."""
        with self._file.write() as out:
            found = [row for row in out.owed.values() if row.state in UNSENT and _is_wanted(row, wanted)]
            cancel(out, found if not dry else (), why)
        return len(found)

    def deliveries(self, wanted: Wanted, limit: int = 100, before: tuple[int, str] | None = None) -> list[DeliveryRow]:
        """The newest first, by (created, id)."""
        found = [row for row in self._file.read().owed.values() if _is_wanted(row, wanted)
                 and (before is None or (row.created, row.id) < before)]
        found.sort(key=lambda row: (row.created, row.id), reverse=True)
        return [DeliveryRow(row.id, row.target, row.event, row.event_id, row.revision, row.state, row.attempts, row.due, row.why,
                            row.created) for row in found[:limit]]

    def payload(self, delivery_id: str) -> bytes | None:
        """The event that a delivery carries."""
        row = self._file.read().owed.get(delivery_id)
        return row.payload if row else None

    def attempts(self, delivery_id: str) -> list[Attempt]:
        """Every attempt of a delivery, oldest first."""
        return sorted(self._file.read().attempts.get(delivery_id, ()), key=lambda one: one.at)

    def count_by_state(self) -> dict[str, int]:
        """How many deliveries are in each state."""
        found: dict[str, int] = {}
        for row in self._file.read().owed.values():
            found[row.state] = found.get(row.state, 0) + 1
        return found


def _is_wanted(row: Owed, wanted: Wanted) -> bool:
    return ((not wanted.ids or row.id in wanted.ids) and wanted.target in ("", row.target) and wanted.state in ("", row.state)
            and wanted.event in ("", row.event) and (wanted.since is None or row.created >= wanted.since)
            and (wanted.until is None or row.created < wanted.until)
            and (not wanted.person or about(row, "person") == wanted.person)
            and (not wanted.course or about(row, "course") == wanted.course))


def _replayed(out: Outgoing, wanted: Wanted) -> list[str]:
    chosen = []
    for row in out.owed.values():
        if row.state not in FINISHED or not _is_wanted(row, wanted):
            continue
        if not wanted.ids and not wanted.state and row.state == "cancelled":
            continue
        if row.event.endswith(".revoked") and not any(
                one.tried or one.state == "delivered" for one in before(out, row.target, row.event_id, row.revision)):
            continue
        chosen.append(row)
    first: dict[tuple[str, str], int] = {}
    for row in chosen:
        key = (row.target, row.event_id)
        first[key] = min(row.revision, first.get(key, row.revision))
    later = [row.id for row in out.owed.values()
             if row.state == "delivered" and row.revision > first.get((row.target, row.event_id), row.revision)]
    return list(dict.fromkeys([*(row.id for row in chosen), *later]))


def is_mending_due(out: Outgoing, rows: Sequence[Owed], now: int, leases: int) -> bool:
    """Whether a lease has ended, or a delivery is due later than any may be. `rows`: those `unfinished`."""
    return any(row.due <= leases if row.state == "leased" else row.due > now + AHEAD_MAX_US
               for row in rows if row.due is not None and row.target in out.targets)


def due_by_target(rows: Sequence[Owed], now: int, alone: bool) -> dict[str, list[Owed]]:
    """Those that are due (`alone`: suspects), by target."""
    due: dict[str, list[Owed]] = {}
    for row in rows:
        if row.state != "leased" and row.due is not None and row.due <= now and (row.lost >= COMPANY) == alone:
            due.setdefault(row.target, []).append(row)
    return due


def open_targets(out: Outgoing, rows: Sequence[Owed], due: Container[str], now: int, leases: int, limits: Limits) -> Iterator[Standing]:
    """Those targets that something is `due` for and that may be called now. `rows`: those `unfinished`."""
    if not due:
        return
    held = [row for row in rows if row.state == "leased" and row.due is not None and row.due > leases]
    for target in every_target(out):
        if target.state != "active" or target.name not in due:
            continue
        in_flight = len({row.lease for row in held if row.target == target.name}) if held else 0
        admission = limits.admit(target, in_flight, now)
        if admission.calls > 0:
            yield Standing(target, in_flight, admission)


def claim(out: Outgoing, n: int, leases: int, lease: int, owner: str, now: int, limits: Limits, alone: bool = False) -> list[Claimed]:
    """Lease the deliveries of at most n calls for `lease` µs from `leases` on; `alone`: those of one call, that of a suspect."""
    rows = unfinished(out)
    if _find_lost(out, rows, now, leases, limits):
        rows = unfinished(out)
    leased = [row for row in rows if row.state == "leased"]
    holders = [row.owner for row in leased if is_suspect(row.lost)]
    if held_back(alone, owner, holders, any(row.owner == owner for row in leased)):
        return []
    n = min(n, 1) if alone else n
    waiting, standing = {}, {}
    due = due_by_target(rows, now, alone)
    for one in open_targets(out, rows, due, now, leases, limits):
        name, admission = one.target.name, one.admission
        ready = [row for row in due[name] if len(out.revisions[name, row.event_id]) == 1
                 or not any(one.state in BLOCKING for one in before(out, name, row.event_id, row.revision))]
        ready = sorted(ready, key=lambda row: (row.due, row.order))[:min(admission.calls, n) * admission.batch]
        if found := calls(ready, admission.batch, lambda row: row.lost):
            waiting[name], standing[name] = found[:admission.calls], one
    claimed: list[Claimed] = []
    for name, count in shares(n, standing, waiting).items():
        target, health = standing[name].target, standing[name].admission.health
        for call in waiting[name][:count]:
            out.leases += 1
            claimed += [one for row in call if (one := _lease(out, row.id, f"lease-{out.leases}", owner, leases + lease)) is not None]
        tokens = None if health.tokens is None else health.tokens - count
        out.targets[name] = TargetRow(name, target.connector, target.settings, target.state, target.why,
                                      msgspec.structs.replace(health, served_at=now, tokens=tokens))
    for one in claimed if alone else ():
        out.alone[one.id] = out.alone.get(one.id, 0) + 1
    return claimed


def _lease(out: Outgoing, key: str, lease: str, owner: str, until: int) -> Claimed | None:
    row = out.owed[key]
    earlier = before(out, row.target, row.event_id, row.revision)
    told = as_told(row.event, row.payload, got=any(one.state == "delivered" for one in earlier), tried=any(one.tried for one in earlier))
    if told is None:
        cancel(out, (one for one in [*earlier, row] if one.state in UNSENT), "taken back before the target ever got it")
        return None
    out.owed[key] = changed(row, state="leased", lease=lease, owner=owner, due=until, tried=True, released=False)
    return Claimed(key, row.target, told[0], row.event_id, row.revision, told[1], row.attempts, row.unclear, lease, until)


def _find_lost(out: Outgoing, rows: Sequence[Owed], now: int, leases: int, limits: Limits) -> bool:
    """Whether one of them was waiting for too long, or its worker ended."""
    found = False
    for row in rows:
        if row.due is None:
            continue
        if row.state in ("pending", "waiting"):
            if row.due > now + AHEAD_MAX_US:
                out.owed[row.id], found = changed(row, due=now), True
        elif row.state == "leased" and row.due <= leases:
            loss, found = after_loss(row.lost, row.owner, row.due, now, limits.lone_waits), True
            out.owed[row.id] = changed(row, state=loss.state, lost=loss.lost, due=loss.due, why=loss.why, lease="", owner="", unclear=True,
                                       released=False)
            if loss.noted:
                _note(out, Attempt(row.id, "", now, loss.state, row.attempts, None, loss.why))
    return found


def _note(out: Outgoing, attempt: Attempt) -> None:
    out.attempts[attempt.id] = (*out.attempts.get(attempt.id, ()), attempt)


def record(out: Outgoing, attempts: Sequence[Attempt], limits: Limits) -> int:
    """Write how attempts ended and what it makes of their targets; how many were written."""
    written: list[tuple[str, Attempt]] = []
    for one in attempts:
        row = out.owed.get(one.id)
        if row is None or row.lease != one.lease or row.state != "leased":
            continue
        written.append((row.target, one))
        out.alone.pop(one.id, None)
        _note(out, Attempt(one.id, "", one.at, one.state, one.attempts, None, one.why, one.status, one.milliseconds, one.body[:2048]))
        tried = one.unclear or any(had.state not in ("parked", "cancelled") and had.status not in REFUSED for had in out.attempts[one.id])
        state, due = ("waiting", one.at) if one.state == "parked" and row.released else (one.state, one.due)
        out.owed[one.id] = changed(row, state=state, attempts=one.attempts, due=due if state == "waiting" else None,
                                   why=one.why, lease="", owner="", unclear=one.unclear, lost=0, tried=tried)
    for target, _ in judged(every_target(out), written, limits) if written else ():
        out.targets[target.name] = target
    return len(written)
