"""What must have become of everything at the end: computed anew from the statements, the directory and the maps alone."""
from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from lrs.completions.catalogue import Catalogue
from lrs.completions.fold import fold, standings
from lrs.completions.judge import judge
from lrs.completions.model import Evidence
from lrs.completions.state import from_json
from lrs.completions.subjects import needs_person
from lrs.ingest import maps
from lrs.statements.instants import instant
from simulation.store import ModelStore

Held = tuple[str, str, str, float | None]
"""(employee id, course id, status, scaled score) of an achievement that stands."""


def expected(store: ModelStore, now: int) -> Counter[Held]:
    """The achievements that stand when everything is read at once, in order of time, with what is known at the end."""
    log = store.log.now
    verb_map = maps.current(store)  # type: ignore[arg-type]
    catalogue = Catalogue([log.courses[key] for key in sorted(log.courses)], verb_map.rules)
    said: list[tuple[int, str, str, Evidence]] = []
    for row in log.rows.values():
        record = row.record
        if record.voids is not None:
            continue
        value = orjson.loads(record.text)
        judgement = judge(value, verb_map.read(value, record.provider), seq=record.seq, stored_us=record.seq, provider=record.provider,
                          catalogue=catalogue, now_us=now, voided=record.voided, source=record.provider)
        who = next((log.identifiers[name] for name in judgement.identifiers if name in log.identifiers), None)
        if who is not None:
            said += [(instant(value["timestamp"]).micros, who, key, one) for key, one in judgement.evidence]
    evidence: dict[tuple[str, str], list[Evidence]] = defaultdict(list)
    for _, who, key, one in sorted(said, key=lambda found: (found[0], found[3].seq)):
        evidence[who, catalogue.course(key).id].append(one)
    found: Counter[Held] = Counter()
    for (who, key), ones in evidence.items():
        course = catalogue.course(key)
        state = fold(None, ones, course=course, subject=f"person:{who}", person=log.people[who], now_us=now).state
        found.update((who, key, one.outcome.status, one.outcome.score_scaled) for one in standings(state, course) if one.outcome)
    return found


def holding(store: ModelStore, events: Iterable[dict[str, Any]]) -> Counter[Held]:
    """The achievements that stand by these events, each the last of its achievement; courses by their ids of now."""
    log = store.log.now
    catalogue = Catalogue([log.courses[key] for key in sorted(log.courses)])
    return Counter((event["user"]["externalId"], catalogue.course(event["course"]["id"]).id, event["result"]["status"],
                    event["score_scaled"]) for event in events if not event["event"].endswith(".revoked"))


def believed(store: ModelStore) -> Iterator[tuple[str, str]]:
    """(subject, achievement) of everything that the states of people have evidence for and have sent."""
    catalogue = Catalogue([store.log.now.courses[key] for key in sorted(store.log.now.courses)])
    for row in store.outgoing.now.states.values():
        if row.body is not None and not needs_person(row.subject):
            for one in standings(from_json(row.body), catalogue.course(row.course)):
                if one.outcome and one.window.revision and not one.window.revoked:
                    yield row.subject, one.window.id


def last_of_feed(store: ModelStore) -> dict[str, dict[str, Any]]:
    """The highest revision of each achievement."""
    last: dict[str, dict[str, Any]] = {}
    for row in store.outgoing.now.feed:
        last[row.event_id] = orjson.loads(row.body)
    return last
