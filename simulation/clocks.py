"""Time as a machine has it: what really goes by, a wall clock that is set now and then, and boots."""
from __future__ import annotations

from dataclasses import dataclass

SECOND = 1_000_000
HOUR, DAY = 3600 * SECOND, 86_400 * SECOND
BEGIN = 1_780_000_000 * SECOND


@dataclass
class Clocks:
    """All in µs. `true` never goes back; the wall clock is `true + ahead`; `booted` of the last boot."""

    true: int = BEGIN
    ahead: int = 0
    booted: int = BEGIN - HOUR
    boots: int = 1

    def wall(self) -> int:
        """What the wall clock shows."""
        return self.true + self.ahead

    def uptime(self) -> int:
        """Since the last boot."""
        return self.true - self.booted

    def boot(self) -> str:
        """The id of this boot."""
        return f"boot-{self.boots}"

    def reboot(self, after: int) -> None:
        """Power is lost, and back after this time."""
        self.true += after
        self.booted, self.boots = self.true, self.boots + 1
