"""Concludes live sessions that are over: ONE `attended` a person, corrected when more becomes known."""
from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lrs.completions.attendance import Presence, duration, measured, met, presences
from lrs.completions.model import ATTENDANCE_PERCENT
from lrs.completions.subjects import identifier
from lrs.errors import Conflict, Forbidden, Invalid, TooLarge
from lrs.ingest.batch import accept
from lrs.ingest.prepare import VOIDED, Provider
from lrs.services import Services
from lrs.sources.sessions import ATTENDED, CLASSROOM, ENDED, JOINED, LEFT, NAMESPACE, SESSION, STARTED
from lrs.statements.instants import printed
from lrs.statements.record import Query
from lrs.statements.terms import terms_of
from lrs.store.protocols.connections import Connection
from lrs.store.protocols.sessions import SessionRow
from workers.sessions.follow import MINUTE, Senders, follow, scheduled_end
from workers.sessions.told import Told, of_connection, seen, told

log = logging.getLogger("workers.sessions")
CHANGE = 0.01
"""A person's seconds that change by no more than this share are not corrected, unless the judgement changes with them."""
TRIES = 5
BATCH = 500
AT_ONCE = 20
AGAIN = 60 * MINUTE
"""Until a session that could not be concluded is tried again."""


def conclude_due(services: Services, now_us: int) -> int:
    """Take in what was stored about sessions, and conclude what is due by `now_us` (µs since 1970 UTC); how much was
    done. May run in any number of processes, and die anywhere: the statements' ids follow from what is in the store, so
    that the same conclusion twice is the same statements once."""
    done = follow(services, now_us)
    senders = Senders(services)
    for row in services.store.sessions.due(now_us, AT_ONCE):
        connection = senders.connections.get(row.connection)
        provider = senders.provider(connection) if connection else None
        if connection is None or provider is None:
            why = "its connection is gone, or the connection's credential is revoked or may not write"
            services.store.sessions.put(replace(row, due=now_us + AGAIN, why=why))
            continue
        done += _conclude(services, row, connection, provider, now_us)
    return done


@dataclass(frozen=True, slots=True)
class Measure:
    """What presence is measured against: lengths in seconds, None where unknown."""

    end: int | None
    actual: int | None
    scheduled: int | None
    length: float | None
    against: str
    percent: int


def _conclude(services: Services, row: SessionRow, connection: Connection, provider: Provider, now_us: int) -> int:
    why = "other workers concluded it at the same time, again and again"
    for _ in range(TRIES):
        try:
            wrong, written = _write(services, row, connection, provider)
        except Conflict:
            # another worker concluded, and knew something else: what it wrote is there now
            continue
        except (Forbidden, Invalid, TooLarge) as error:
            why = f"refused: {error}"
            break
        concluded = row.concluded + 1 if written or not row.concluded else row.concluded
        if not services.store.sessions.put(replace(row, due=None, concluded=concluded, why=wrong)):
            _again(services, row, now_us)
        return 1
    log.warning("%s of %s cannot be concluded: %s", row.instance, row.connection, why)
    services.store.sessions.put(replace(row, due=now_us + AGAIN, why=why))
    return 0


def _again(services: Services, row: SessionRow, now_us: int) -> None:
    """More was heard, or another worker concluded, while we did: what we wrote may be old, so it is looked at again."""
    key = row.connection, row.instance
    while (now := services.store.sessions.rows([key])[key]).due is None and not services.store.sessions.put(replace(now, due=now_us)):
        pass


def _write(services: Services, row: SessionRow, connection: Connection, provider: Provider) -> tuple[str, int]:
    """Write what the conclusion says and the store does not yet; what was wrong, and how many statements were written."""
    about = list(_about(services, row, connection, provider))
    before = [one for one in about if one.verb == ATTENDED]
    people = _People(services)
    measure = _measure(row, about, connection.settings)
    moves = [seen(one, connection.source) for one in about if one.verb in (JOINED, LEFT)]
    found = [one for one in presences(moves, measure.end, people) if not one.open]
    present = [one for one in found if one.micros > 0]
    changes: list[list[dict[str, Any]]] = []
    left = list(before)
    for one in present:
        mine = [old for old in left if not one.forms.isdisjoint(identifier(old.actor))]
        left = [old for old in left if old not in mine]
        # a person's own number: another worker may have come further with others
        new = _attended(services, row, measure, one, max(map(_number, mine), default=0) + 1)
        if len(mine) != 1 or _differs(mine[0], new, one, people):
            changes.append([new, *(_void(row, provider, old) for old in mine)])
    # who is not found present any more, because what told of it was voided
    changes += [[_void(row, provider, old)] for old in left]
    for batch in _batches(changes):
        accept(services, json.dumps(batch).encode(), provider)
    absent = len(found) - len(present)
    flagged = sorted({flag for one in found for flag in one.flags})
    notes = ([f"{absent} without measurable presence"] if absent else []) + ([", ".join(flagged)] if flagged else [])
    return "; ".join(notes), sum(map(len, changes))


def _about(services: Services, row: SessionRow, connection: Connection, provider: Provider) -> Iterator[Told]:
    """Everything about the session that its connection sent and nobody voided, in the order of the log."""
    terms = terms_of(services.store.statements.term_key).of_filters({"activity": row.instance})
    after: int | None = None
    while True:
        page = services.store.statements.page(Query(terms, after=after, ascending=True, limit=500))
        for record in page.records:
            one = told(record)
            if one is not None and one.instance == row.instance and of_connection(one, connection, provider.provider):
                yield one
        if page.more is None:
            return
        after = page.more


class _People:
    """The directory, asked once for each identifier."""

    def __init__(self, services: Services) -> None:
        self._directory = services.store.directory
        self._found: dict[str, str | None] = {}

    def __call__(self, forms: Collection[str]) -> Mapping[str, str]:
        unasked = [form for form in forms if form not in self._found]
        if unasked:
            known = self._directory.person_by_identifier(unasked)
            self._found |= {form: known[form].employee_id if form in known else None for form in unasked}
        return {form: person for form in forms if (person := self._found[form]) is not None}


def _measure(row: SessionRow, about: Sequence[Told], settings: Mapping[str, Any]) -> Measure:
    ended = max((one.at for one in about if one.verb == ENDED), default=None)
    started = min((one.at for one in about if one.verb in (STARTED, JOINED)), default=None)
    reported = max((one.at for one in about if one.verb == LEFT and one.session.get("report") is True), default=None)
    known = ended if ended is not None else reported
    last = max((one.at for one in about if one.verb != ATTENDED), default=None)
    # nobody told the end: who did not leave stayed to the planned end, or to the last that was heard if that is later
    end = known if known is not None else max((at for at in (scheduled_end(row), last) if at is not None), default=None)
    actual = max(0, known - started) // 1_000_000 if known is not None and started is not None else None
    length, against = measured(row.scheduled_seconds, actual, str(settings.get("attendance_of", "scheduled")))
    percent = settings.get("attendance_percent", ATTENDANCE_PERCENT)
    return Measure(end, actual or None, row.scheduled_seconds, length, against, int(percent))


def _attended(services: Services, row: SessionRow, measure: Measure, one: Presence, number: int) -> dict[str, Any]:
    done = met(one.micros, measure.length, measure.percent)
    who = one.person or min(one.forms)
    name = _id(row, "attended", who, str(number))
    while services.store.statements.get(name, voided=True) is not None:
        # what was taken back is not said again under its id
        number += 1
        name = _id(row, "attended", who, str(number))
    session = {
        "connection": row.connection, "instance": row.run, "conclusion": number, "length_seconds": measure.actual,
        "scheduled_seconds": measure.scheduled, "measured_against": measure.against or None,
        "threshold_percent": measure.percent, "report": one.report, "flags": list(one.flags) or None}
    definition = {"type": CLASSROOM, **({"name": {"und": row.title}} if row.title else {})}
    activity = {"objectType": "Activity", "definition": definition}
    parents = {"contextActivities": {"parent": [{"id": row.series, **activity}]}} if row.series else {}
    return {
        "id": name, "actor": dict(one.actor), "verb": {"id": ATTENDED, "display": {"en": "attended"}},
        "object": {"id": row.instance, **activity},
        "result": {"duration": duration(one.micros), **({} if done is None else {"completion": done})},
        "context": {**parents, "extensions": {SESSION: {k: v for k, v in session.items() if v is not None}}},
        "timestamp": printed(one.first)}


def _differs(old: Told, new: Mapping[str, Any], one: Presence, people: _People) -> bool:
    """Whether a correction is due: another person, another judgement, or more than 1 % more or less time."""
    if (old.result.get("completion")) is not new["result"].get("completion"):
        return True
    was = _seconds(old.result.get("duration"))
    if was is None or abs(one.micros / 1_000_000 - was) > CHANGE * was:
        return True
    session = new["context"]["extensions"][SESSION]
    if any(old.session.get(key) != session.get(key) for key in ("scheduled_seconds", "measured_against", "threshold_percent")):
        return True
    length, lasted = session.get("length_seconds") or 0, old.session.get("length_seconds")
    if session.get("measured_against") == "actual" and (not isinstance(lasted, int) or abs(length - lasted) > CHANGE * lasted):
        return True
    if dict(old.actor) == dict(one.actor):
        return False
    # two identifiers of one person of the directory name the same
    return not one.person or one.person not in people(identifier(old.actor)).values()


def _void(row: SessionRow, provider: Provider, old: Told) -> dict[str, Any]:
    # without a timestamp of its own: two workers who void the same must write the same
    return {"id": _id(row, "voided", old.id), "actor": dict(provider.authority), "verb": {"id": VOIDED, "display": {"en": "voided"}},
            "object": {"objectType": "StatementRef", "id": old.id}}


def _id(row: SessionRow, *parts: str) -> str:
    return str(uuid.uuid5(NAMESPACE, "\n".join((row.connection, row.instance, *parts))))


def _number(one: Told) -> int:
    found = one.session.get("conclusion")
    return found if isinstance(found, int) and not isinstance(found, bool) and 0 <= found < 2**31 else 0


def _seconds(text: object) -> float | None:
    if not isinstance(text, str) or not text.startswith("PT") or not text.endswith("S"):
        return None
    try:
        return float(text[2:-1])
    except ValueError:
        return None


def _batches(changes: Sequence[list[dict[str, Any]]]) -> Iterator[list[dict[str, Any]]]:
    """The statements in batches, what belongs to one person never apart."""
    batch: list[dict[str, Any]] = []
    for change in changes:
        if batch and len(batch) + len(change) > BATCH:
            yield batch
            batch = []
        batch += change
    if batch:
        yield batch
