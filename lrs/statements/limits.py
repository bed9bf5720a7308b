"""What one request of statements may cost."""
from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of a request; the error of each names it as the setting.

    `body_max` and `statement_max` are bytes, `batch_max` statements in one body (these three: `TooLarge`, 413);
    `depth_max` is levels of JSON in one statement, itself the first, `group_max` members of one Group (`Invalid`, 400).
    """

    body_max: int = 16 * 2**20
    statement_max: int = 2**20
    batch_max: int = 2_000
    depth_max: int = 100
    group_max: int = 1_000
