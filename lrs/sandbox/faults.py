"""Faults on demand: what a vendor does on a bad day, for the next requests, for some of them, or for all."""
from __future__ import annotations

import random
import re
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

KINDS: dict[str, str] = {
    "latency": "answer after ARG milliseconds (default 1000)",
    "reset": "close the connection with a reset before anything is done",
    "reset-after": "do what is asked, then close the connection with a reset instead of an answer",
    "half": "do what is asked, then send half of the answer and close",
    "drip": "do what is asked, then send the answer a byte every ARG milliseconds (default 100)",
    "status": "answer status ARG (default 500) in the vendor's shape; nothing is done",
    "throttle": "answer 429 in the vendor's shape, with Retry-After: ARG seconds, or without if ARG is missing",
    "expired": "answer 401 as the vendor does for an expired token or key",
    "html": "answer 200 with a page in HTML, as a proxy in between does",
    "redirect": "answer 302 to ARG (default http://127.0.0.1:1/)",
    "row": "refuse one row of a batch (the first whose text holds ARG; without ARG the first)",
}
NUMBERS = frozenset({"latency", "drip", "status", "throttle"})
_TEXT = re.compile(r"(?P<kind>[a-z-]+)(?::(?P<arg>[^@]*?))?(?:@(?P<share>[0-9]+(?:\.[0-9]+)?)|x(?P<times>[0-9]{1,9}))?"
                   r"(?: (?P<path>/\S*))?(?: ~(?P<holds>.+))?")


class BadFault(ValueError):
    """A fault that cannot be; the text says what would be right."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. `times` is how often it still happens (None: for ever), `share` which part of the requests it hits,
    `path` with what their path begins, `holds` a text that their address or body holds: the key of a record."""

    kind: str
    arg: str = ""
    times: int | None = None
    share: float = 1.0
    path: str = ""
    holds: str = ""

    def number(self, default: int) -> int:
        """Its argument as a number."""
        return int(self.arg) if self.arg else default


def fault(text: str) -> Fault:
    """A fault as typed: `KIND[:ARG][@SHARE|xTIMES][ /path][ ~TEXT]`, e.g. `status:503x3`, `reset@0.3`, `status:422 ~00417`.
    Raises `BadFault`."""
    found = _TEXT.fullmatch(text.strip())
    if found is None:
        raise BadFault(f"{text[:60]!r} is no fault; write KIND[:ARG][@SHARE|xTIMES][ /path][ ~TEXT], for instance status:503x3")
    return checked({"kind": found["kind"], "arg": found["arg"] or "", "path": found["path"] or "", "holds": found["holds"] or "",
                    **({"share": float(found["share"])} if found["share"] else {}),
                    **({"times": int(found["times"])} if found["times"] else {})})


def checked(value: Any) -> Fault:
    """A fault from JSON: `{"kind": "status", "arg": "503", "times": 3}`. Raises `BadFault`."""
    if not isinstance(value, dict) or set(value) - {"kind", "arg", "times", "share", "path", "holds"}:
        raise BadFault("a fault is an object with kind, and perhaps arg, times, share, path, holds")
    kind, arg, share, times = value.get("kind"), str(value.get("arg", "")), value.get("share", 1.0), value.get("times")
    if kind not in KINDS:
        raise BadFault(f"there is no fault {str(kind)[:30]!r}; there are: {', '.join(KINDS)}")
    if kind in NUMBERS and arg and not (arg.isascii() and arg.isdigit() and len(arg) < 7):
        raise BadFault(f"the argument of {kind} is a whole number below 1000000, not {arg[:30]!r}")
    if kind == "status" and arg and not 400 <= int(arg) <= 599:
        raise BadFault("status takes 400 to 599")
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share <= 1:
        raise BadFault("share is above 0 and at most 1")
    if times is not None and (isinstance(times, bool) or not isinstance(times, int) or times < 1):
        raise BadFault("times is a whole number from 1")
    return Fault(str(kind), arg, times, float(share), str(value.get("path", "")), str(value.get("holds", "")))


class Faults:
    """The faults that are switched on. Which request is hit by a share follows from the seed alone."""

    def __init__(self, given: list[Fault] | None = None, seed: int = 0) -> None:
        self._faults = list(given or [])
        self._draw: Callable[[], float] = random.Random(seed).random
        self._lock = threading.Lock()

    def hit(self, path: str, text: str = "") -> Fault | None:
        """The fault for a request to this path that holds this text, None for none; it is used up once."""
        with self._lock:
            for index, one in enumerate(self._faults):
                if path.startswith(one.path) and one.holds in text and (one.share >= 1 or self._draw() < one.share):
                    if one.times is not None:
                        self._faults[index:index + 1] = [replace(one, times=one.times - 1)] if one.times > 1 else []
                    return one
        return None

    def add(self, one: Fault) -> None:
        """Switch one on, after those that are on already."""
        with self._lock:
            self._faults.append(one)

    def clear(self) -> None:
        """Switch all off."""
        with self._lock:
            self._faults.clear()

    def all(self) -> list[dict[str, Any]]:
        """Those that are on."""
        with self._lock:
            return [asdict(one) for one in self._faults]
