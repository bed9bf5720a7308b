"""What a check is given to look at, and what it says."""
from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from lrs.config import Settings
from lrs.store.open_store import Store

ERROR, WARNING = "error", "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong: `level` is error (it will not work) or warning (it works, and somebody will be
    surprised); `where` names the setting, file, target or verb; `what` the fault; `mend` what to do."""

    level: str
    where: str
    what: str
    mend: str


@dataclass(frozen=True, slots=True)
class Look:
    """What the checks look at. `store` is None while there is none, or it cannot be opened; `now_us` is the clock, µs;
    `network`: whether targets and the broker may be talked to."""

    settings: Settings
    store: Store | None
    now_us: int
    network: bool = True


Check = Callable[[Look], Iterator[Finding]]
