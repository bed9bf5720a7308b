"""Whether somebody was present in a live session for long enough to complete what it is tied to (rule 19)."""
from __future__ import annotations

import math
from collections.abc import Mapping

from lrs.completions.model import ATTENDANCE_PERCENT

SESSION = "https://concord-lrs.org/xapi/extensions/session"
"""Context extension of a statement about a live session, as `lrs.sources.sessions` writes it."""


def long_enough(session: Mapping[object, object], completion: bool | None, seconds: float | None, percent: int | None) -> bool:
    """Whether a presence completes the course. `session` is the extension (empty: none), `completion` and `seconds`
    (the duration) those of the result, `percent` the course's own threshold.

    The course's own threshold decides over `completion`, which was judged by the connection's, wherever presence and
    length are known. Else an explicit `completion` decides; where there is none, the threshold that the session was
    concluded with, and without a length nothing completes.
    """
    length = length_of(session)
    if length is None or seconds is None or (percent is None and completion is not None):
        return completion is True
    share = percent if percent is not None else _positive(session.get("threshold_percent")) or ATTENDANCE_PERCENT
    return seconds * 100 >= share * length


def length_of(session: Mapping[object, object]) -> float | None:
    """The length that presence is measured against, in seconds: the scheduled one, the actual one where that is 0 or
    unknown or the conclusion says that it measured so; None if neither is known."""
    scheduled, actual = _positive(session.get("scheduled_seconds")), _positive(session.get("length_seconds"))
    if session.get("measured_against") == "actual":
        return actual or scheduled
    return scheduled or actual


def _positive(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e12 or not math.isfinite(value):
        return None
    return float(value)
