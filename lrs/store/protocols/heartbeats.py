"""What a store promises about heartbeats: which worker was last seen at which kind of work."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

KEPT_US = 86_400 * 1_000_000
"""µs that a worker which is gone is remembered."""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A worker (a process) was at this kind of work at `at`, µs since 1970 UTC."""

    worker: str
    consumer: str
    at: int


class Heartbeats(Protocol):
    """Small and overwritten in place. Every method may raise `StoreUnavailable`."""

    def beat(self, worker: str, seen: Mapping[str, int]) -> None:
        """The worker was at these kinds of work at these times (µs); an older time changes nothing. Workers not heard of for
        `KEPT_US` before the newest of them are forgotten."""
        ...

    def list(self) -> list[Heartbeat]:
        """All of them, by consumer, the latest first."""
        ...
