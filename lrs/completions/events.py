"""The flat payload of a business event, and the tables that say a status in a destination's words."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lrs.completions.model import CREDENTIAL, LastWord, Person
from lrs.completions.outcome import Outcome
from lrs.completions.subjects import needs_person
from lrs.statements.instants import printed

COMPLETED, UPDATED, REVOKED = "learning.completed", "learning.updated", "learning.revoked"
AWARDED, CREDENTIAL_REVOKED = "credential.awarded", "credential.revoked"
OF_CREDENTIAL: Mapping[str, str] = {COMPLETED: AWARDED, REVOKED: CREDENTIAL_REVOKED}
"""What an event of a course is called where a credential is folded (rule 20); it has no updates."""
TAKING = frozenset({REVOKED, CREDENTIAL_REVOKED})
"""The events that take something back."""


@dataclass(frozen=True, slots=True)
class Said:
    """A status in a destination's words: `status` ('' where nothing is sent), a `note` to send along, and
    `if_ungraded`: sent only to a target that accepts a pass without a grade, else held."""

    status: str = ""
    note: str = ""
    if_ungraded: bool = False


PASS_FAIL_ONLY: Mapping[str, Said] = {
    "passed": Said("passed"),
    "completed": Said("passed", if_ungraded=True),
    "failed": Said("failed"),
    "completed_failed": Said("failed"),
    "passed_incomplete": Said(),
    "waived": Said("passed", "waived"),
    "attended": Said(),
    "awarded": Said(),
}
COMPLETION_ONLY: Mapping[str, Said] = {
    "passed": Said("completed"),
    "completed": Said("completed"),
    "failed": Said(),
    "completed_failed": Said("completed", "without success"),
    "passed_incomplete": Said(),
    "waived": Said("completed", "waived"),
    "attended": Said(),
    "awarded": Said(),
}
"""What each status is to a destination that knows only pass and fail, or only completion. A revoke withdraws or
corrects the record in both."""


def payload(
    event: str,
    achievement_id: str,
    revision: int,
    *,
    subject: str,
    course_id: str,
    person: Person | None,
    outcome: Outcome,
    now_us: int,
) -> dict[str, object]:
    """The one JSON shape of an event, for feed, webhooks, connectors and exports.

    `result.score` is percent (scaled × 100, at most four decimals), `duration` seconds, times ISO 8601 in UTC.
    `user.externalId` is the employee id; null, like `user.email`, while the directory does not know the learner.
    A credential event has `course.id` null and names the badge or certificate in `credential.id`, which no other
    event has; its status is `awarded`, in a revoke too: what is taken back.
    """
    credential = course_id.removeprefix(CREDENTIAL) if course_id.startswith(CREDENTIAL) else ""
    known = "" if needs_person(subject) else subject.removeprefix("person:")
    scaled = outcome.score_scaled
    return {
        "event": event,
        "id": achievement_id,
        "revision": revision,
        "occurred_at": printed(now_us),
        "user": {"externalId": (person.employee_id if person else known) or None, "email": (person.email if person else "") or None},
        "course": {"id": None if credential else course_id},
        **({"credential": {"id": credential}} if credential else {}),
        "result": {"status": outcome.status, "score": None if scaled is None else _percent(scaled)},
        "timestamp": printed(outcome.at),
        "evidence": list(outcome.statements),
        "source": outcome.source,
        "map_version": outcome.map_version,
        "duration": outcome.duration,
        "score_raw": outcome.score_raw,
        "score_scaled": scaled,
    }


def last_word(event: Mapping[str, Any]) -> LastWord:
    """What a payload of `payload` says of its achievement. Raises KeyError for anything else."""
    return LastWord(event["revision"], event["result"]["status"], event["score_scaled"], event["score_raw"],
                    event["event"] in TAKING)  # fmt: skip


def _percent(scaled: float) -> float | int:
    percent = round(scaled * 100, 4)
    return int(percent) if percent == int(percent) else percent
