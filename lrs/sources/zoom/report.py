"""Zoom's reports after a meeting, read into what is known of a session: who joined and left, when it started and ended."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote

from lrs.completions.attendance import moment
from lrs.sources.sessions import ENDED, JOINED, LEFT, STARTED, Said
from lrs.sources.zoom.identity import Known, text
from lrs.sources.zoom.translate import Meeting, of_participant
from lrs.statements.instants import to_utc

WAITING = "in_waiting_room"
"""A row's `status` for somebody who was not let in: waiting is no attendance."""


def of_row(row: Any, meeting: Meeting, connection: str, known: Known) -> list[Said]:
    """That the participant of a row joined, and left where the row says when; empty for a row that names nobody, has no
    time, or is of the waiting room. One row is one connection: a rejoin is another row.

    Rows of `/v2/report/meetings/{id}/participants` and of `/v2/past_meetings/{id}/participants` are the same to this.
    """
    if not isinstance(row, Mapping) or row.get("status") == WAITING:
        return []
    joined, left = _time(row.get("join_time")), _time(row.get("leave_time"))
    if not joined:
        return []
    found = [of_participant(verb, at, row, meeting, connection, known, report=True) for verb, at in ((JOINED, joined), (LEFT, left)) if at]
    return [said for said in found if said is not None]


def of_meeting(row: Any, connection: str, public_url: str) -> tuple[Meeting, list[Said]] | None:
    """That a meeting of the list `/v2/report/users/{id}/meetings` started and ended; None for a row without id, uuid or
    end. The list has no schedule: its `duration` is how long the meeting was."""
    if not isinstance(row, Mapping):
        return None
    meeting = Meeting(text(row.get("id")), text(row.get("uuid")), text(row.get("topic")))
    started, ended = _time(row.get("start_time")), _time(row.get("end_time"))
    if not meeting.number or not meeting.uuid or not ended:
        return None
    agent = {"objectType": "Agent", "account": {"homePage": public_url, "name": connection}}
    session = {"connection": connection, "instance": meeting.uuid, "report": True}
    return meeting, [
        Said((connection, verb, meeting.uuid, "", at, "report"), verb, agent, meeting.instance, meeting.series, meeting.topic, at, session)
        for verb, at in ((STARTED, started), (ENDED, ended)) if at]


def meeting_of(series: str, uuid: str, topic: str) -> Meeting:
    """The run of a meeting, from the activity id of its series (`Meeting.series`)."""
    return Meeting(unquote(series.rpartition("/")[2]), uuid, topic)


def in_path(uuid: str) -> str:
    """A run's uuid for the path of a request: encoded twice, since one that begins with `/` or holds `//` is not found
    otherwise (Zoom, "Meetings" API, path parameter `meetingId`)."""
    return quote(quote(uuid, safe=""), safe="")


def _time(value: Any) -> str:
    given = text(value)
    return to_utc(given) if moment(given) is not None and "T" in given else ""
