"""Reads a stored statement about a live session: what it says, of which run of which meeting, by which connection."""
from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from lrs.completions.attendance import Seen, moment
from lrs.sources.sessions import ATTENDED, CLASSROOM, ENDED, JOINED, LEFT, SESSION, STARTED
from lrs.sources.zoom import identity
from lrs.statements.record import Record
from lrs.store.protocols.connections import Connection

VERBS = frozenset({JOINED, LEFT, STARTED, ENDED, ATTENDED})
LENGTH_MAX = 366 * 86_400
"""Seconds; a schedule that is longer is none."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a statement says of a session. `at` is µs since 1970 UTC; `session` the extension."""

    id: str
    provider: str
    verb: str
    actor: Mapping[str, Any]
    instance: str
    series: str
    title: str
    at: int
    session: Mapping[str, Any]
    result: Mapping[str, Any]

    @property
    def connection(self) -> str:
        """The connection it says it came by; see `of_connection`."""
        return _text(self.session.get("connection"))

    @property
    def scheduled_start(self) -> int | None:
        """The scheduled start, µs since 1970 UTC."""
        return moment(self.session.get("scheduled_start"))

    @property
    def scheduled_seconds(self) -> int | None:
        """The scheduled length; 0 is none."""
        found = self.session.get("scheduled_seconds")
        return found if isinstance(found, int) and not isinstance(found, bool) and 0 < found <= LENGTH_MAX else None


def told(record: Record) -> Told | None:
    """What the record says of a session; None for any other statement, whatever it holds."""
    # most statements are about no session: they are not parsed
    if SESSION.encode() not in record.text:
        return None
    value = orjson.loads(record.text)
    object_, context = value.get("object", {}), value.get("context", {})
    session = context.get("extensions", {}).get(SESSION)
    definition = object_.get("definition", {})
    at = moment(value.get("timestamp"))
    if not isinstance(session, dict) or value["verb"]["id"] not in VERBS or definition.get("type") != CLASSROOM or at is None:
        return None
    parents = context.get("contextActivities", {}).get("parent") or [{}]
    return Told(record.id, record.provider, value["verb"]["id"], value["actor"], object_["id"], _text(parents[0].get("id")),
                next(iter(definition.get("name", {}).values()), ""), at, session, value.get("result", {}))


def seen(one: Told, source: str) -> Seen:
    """The join or leave that it tells of, with everything that its vendor's identifiers can mean."""
    given = one.session.get("participant")
    given = {k: v for k, v in given.items() if isinstance(v, str) and v} if isinstance(given, dict) else {}
    agents = tuple(AGENTS[source](given)) if source in AGENTS else ()
    return Seen(one.at, one.verb == JOINED, one.actor, agents or (one.actor,), tuple(f"{k}:{given[k]}" for k in sorted(given)),
                _text(one.session.get("device")), one.session.get("report") is True)


def _zoom(given: Mapping[str, str]) -> list[Mapping[str, Any]]:
    found = [identity.actor({name: given[name]}, lambda _: ()) for name in identity.FIELDS if name in given]
    return [agent for agent in found if agent is not None]


AGENTS: Mapping[str, Callable[[Mapping[str, str]], list[Mapping[str, Any]]]] = {"zoom": _zoom}
"""Source → the Agents that a participant's identifiers can stand for, the strongest first."""


def of_connection(one: Told, connection: Connection | None, provider: str) -> bool:
    """Whether the connection's own credential sent it: another's word on its sessions is not taken."""
    return connection is not None and one.connection == connection.name and bool(provider) and one.provider == provider


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
