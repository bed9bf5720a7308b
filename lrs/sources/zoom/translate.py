"""Zoom's webhooks, read into what is known of a session."""
from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from lrs.sources.sessions import ENDED, JOINED, LEFT, SHARED, STARTED, Said
from lrs.sources.zoom import identity
from lrs.sources.zoom.identity import HOME, Known, text
from lrs.statements.instants import instant, printed, to_utc

MINUTES_MAX = 60 * 24 * 366
"""A schedule longer than a year is a mistake, and no schedule."""
MICROS_MAX = 4_102_444_800_000_000  # 2100-01-01, the end of the times we believe


@dataclass(frozen=True, slots=True)
class Kind:
    """How an event is read. `verb`: '' where it says nothing of a session. `at`: the fields of its own time, in the
    participant or the meeting; after them the time at which Zoom sent it counts. `personal`: it is of a participant.
    `scheduled`: `start_time` and `duration` are those of the schedule."""

    verb: str = ""
    at: tuple[str, ...] = ()
    personal: bool = False
    scheduled: bool = True


NOTHING = Kind()
_MEETING: Mapping[str, Kind] = {
    "started": Kind(STARTED),
    "ended": Kind(ENDED, ("end_time",)),
    "participant_joined": Kind(JOINED, ("join_time",), personal=True),
    "participant_left": Kind(LEFT, ("leave_time",), personal=True),
    # waiting is no attendance, and who joins before the host is told of again when the meeting starts
    "participant_jbh_waiting": NOTHING,
    "participant_jbh_joined": NOTHING,
}
EVENTS: Mapping[str, Kind] = {
    **{f"{of}.{event}": kind for of in ("meeting", "webinar") for event, kind in _MEETING.items()},
    "recording.completed": Kind(SHARED, scheduled=False),
}
"""Event → how it is read (developers.zoom.us/docs/api/meetings/events). Any other event says nothing of attendance."""


@dataclass(frozen=True, slots=True)
class Translated:
    """What a webhook says, and, where that is nothing, why ('' for events that never say anything)."""

    said: tuple[Said, ...] = ()
    why: str = ""


@dataclass(frozen=True, slots=True)
class Meeting:
    """A run of a meeting: `number` is what people dial (shared by all runs), `uuid` this run."""

    number: str
    uuid: str
    topic: str = ""
    schedule: Mapping[str, Any] = field(default_factory=dict)

    @property
    def series(self) -> str:
        """The activity that people know the meeting by: its address in invitations, without password."""
        return f"{HOME}/j/{quote(self.number, safe='')}"

    @property
    def instance(self) -> str:
        """The activity of this run."""
        return f"{self.series}#{quote(self.uuid, safe='')}"


def translate(payload: Any, connection: str, public_url: str, known: Known) -> Translated:
    """Read a parsed webhook; whatever it holds, this raises nothing of its own.

    A participant whom nothing but a display name stands for says nothing (`why` tells). Statements about the meeting
    itself have the connection's Agent as actor, the account `connection` at `public_url`.
    """
    event = payload.get("event") if isinstance(payload, Mapping) else None
    kind = EVENTS.get(event, NOTHING) if isinstance(event, str) else NOTHING
    if not kind.verb:
        return Translated(why="" if isinstance(event, str) else "no event is named")
    inner = payload.get("payload")
    fields = inner.get("object") if isinstance(inner, Mapping) else None
    if not isinstance(fields, Mapping):
        return Translated(why="payload.object is missing")
    number, uuid = text(fields.get("id")), text(fields.get("uuid"))
    if not number or not uuid:
        return Translated(why="the meeting has no id or no uuid")
    meeting = Meeting(number, uuid, text(fields.get("topic")), _schedule(fields) if kind.scheduled else {})
    participant = fields.get("participant")
    at = _when([source.get(name) for source in (participant, fields) if isinstance(source, Mapping) for name in kind.at],
               payload.get("event_ts"))
    if not at:
        return Translated(why="it has no time")
    if kind.personal:
        one = of_participant(kind.verb, at, participant, meeting, connection, known)
        return Translated((one,)) if one else Translated(why="it names nobody: no identifier and no e-mail address")
    session: dict[str, Any] = {"connection": connection, "instance": uuid, **meeting.schedule}
    key: tuple[str, ...] = (connection, kind.verb, uuid, "", at)
    if kind.verb == SHARED:
        link = recording_link(fields)
        if not link:
            return Translated(why="no link to the recording is given")
        session["recording"] = link
        key = (connection, kind.verb, uuid, link)
    agent = {"objectType": "Agent", "account": {"homePage": public_url, "name": connection}}
    return Translated((Said(key, kind.verb, agent, meeting.instance, meeting.series, meeting.topic, at, session),))


def of_participant(verb: str, at: str, participant: Any, meeting: Meeting, connection: str, known: Known, *,
                   report: bool = False) -> Said | None:
    """That a participant (of a webhook, or a row of a report) joined or left at a time; None if nothing names him.

    The statement's id follows from connection, verb, run, device and time, so that Zoom's repetitions say nothing new.
    What a report says is another statement: it may know more of the person.
    """
    identifiers = identity.given(participant)
    agent = identity.actor(identifiers, known)
    if agent is None:
        return None
    device = identifiers.get("user_id") or identifiers.get("participant_uuid") or ""
    session: dict[str, Any] = {"connection": connection, "instance": meeting.uuid, "participant": identifiers, **meeting.schedule}
    if device:
        session["device"] = device
    if report:
        session["report"] = True
    who = device or next(iter(identifiers.values()))
    key = (connection, verb, meeting.uuid, who, at, *(("report",) if report else ()))
    return Said(key, verb, agent, meeting.instance, meeting.series, meeting.topic, at, session)


def recording_link(fields: Mapping[str, Any]) -> str:
    """The page of a recording for people: the shared one, else the first file that can be played; '' if there is none."""
    files = fields.get("recording_files")
    played = [one.get("play_url") for one in files if isinstance(one, Mapping)] if isinstance(files, Sequence) else []
    return next((link for link in (text(one) for one in (fields.get("share_url"), *played)) if link.startswith("https://")), "")


def storable(body: bytes) -> bytes:
    """The body as it may be kept: what would open a recording (download token, passcodes) is masked."""
    return _OPENS.sub(rb'\1"***"', body)


_OPENS = re.compile(rb'("(?:download_token|password|recording_play_passcode)"\s*:\s*)"(?:[^"\\]|\\.)*"')


def _schedule(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The scheduled start and length, where there are any: a length of 0 means that none is known."""
    start, minutes = _utc(text(fields.get("start_time"))), text(fields.get("duration"))
    found: dict[str, Any] = {"scheduled_start": start} if start else {}
    if minutes.isascii() and minutes.isdigit() and len(minutes) <= 9 and 0 < int(minutes) <= MINUTES_MAX:
        found["scheduled_seconds"] = int(minutes) * 60
    return found


def _when(own: Sequence[Any], sent: Any) -> str:
    """The first of the event's own times, else when Zoom sent it (ms since 1970), as ISO 8601 UTC; '' for neither."""
    for time in own:
        if found := _utc(text(time)):
            return found
    millis = text(sent)
    micros = int(millis) * 1000 if millis.isascii() and millis.isdigit() and len(millis) <= 15 else 0
    return printed(micros) if 0 < micros < MICROS_MAX else ""


def _utc(time: str) -> str:
    """The time in UTC; '' for what is none, and for 1970, which stands for "not yet"."""
    found = instant(time) if "T" in time and len(time) <= 64 else None
    return to_utc(time) if found and found.seconds >= 86_400 and found.micros < MICROS_MAX else ""


