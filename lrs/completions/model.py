"""The values that travel from readings to achievements; all of them plain data that JSON can carry."""
from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

CREDENTIAL = "credential:"
"""Prefix of the keys under which badges and certificates are folded, apart from courses (rule 20)."""

ATTENDANCE_PERCENT = 80
"""The share of a session's length that makes presence a completion where nobody says another (rule 19)."""


@dataclass(frozen=True, slots=True)
class Course:
    """A course of the catalogue. `aliases` are other ids of it (rule 1a). `single_au`: the one activity that stands
    for it; `all_of`: activities that must all be completed (rule 5). `provider` owns it ('' = anybody, rule 16).
    `repeat_after_days`: the window of an achievement. `attempts`: '' or 'per_registration'. `sessions`: ids of live
    sessions or series, or activity types, attending which completes the course (rule 19); `attendance_percent`: the
    share of a session's length (1 to 100) that makes presence a completion of this course; None: as the session was
    judged by the connection it came from, else `ATTENDANCE_PERCENT`."""

    id: str
    title: str = ""
    aliases: tuple[str, ...] = ()
    provider: str = ""
    single_au: str = ""
    all_of: tuple[str, ...] = ()
    repeat_after_days: int = 90
    attempts: str = ""
    hris_type: int | None = None
    sessions: tuple[str, ...] = ()
    attendance_percent: int | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """A person of the directory. `employee_id` is the immutable key. `identifiers` are normal forms (see
    `lrs.completions.subjects.identifier`): `mbox:a@b`, `sha1:<hex>`, `account:<homePage>|<name>`, `openid:<uri>`."""

    employee_id: str
    email: str = ""
    name: str = ""
    department: str = ""
    job_code: str = ""
    crm_id: str = ""
    hris_id: str = ""
    identifiers: tuple[str, ...] = ()


class Evidence(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One statement that speaks for an achievement. `at` is µs since 1970 of its (clamped) timestamp."""

    seq: int
    statement_id: str
    at: int
    status: str
    provider: str
    source: str = ""
    activity: str = ""
    registration: str = ""
    score_scaled: float | None = None
    score_raw: float | None = None
    duration: float | None = None
    map_version: int = 1
    voided: bool = False


@dataclass(frozen=True, slots=True)
class LastWord:
    """What the feed last said under an achievement id, whichever state said it: the revision, its status and score, and
    whether it was a revoke."""

    revision: int
    status: str
    score_scaled: float | None = None
    score_raw: float | None = None
    revoked: bool = False


@dataclass(frozen=True, slots=True)
class Publication:
    """A business event to publish: one immutable row a (achievement id, revision). `payload` is the flat JSON shape."""

    event: str
    id: str
    revision: int
    subject: str
    course: str
    payload: dict[str, object] = field(default_factory=dict)
