"""What is wrong with a configuration before anything starts, and how to mend it: a table of checks."""
from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from lrs.config import Settings
from lrs.errors import NotFound, StoreUnavailable, WrongState
from lrs.management import check_machine as machine
from lrs.management import check_setup as setup
from lrs.management.findings import ERROR, Check, Finding, Look
from lrs.services import store_of
from lrs.store.open_store import Store

#: In the order in which they are run and printed.
CHECKS: Mapping[str, Check] = {
    "address": machine.address,
    "certificate": machine.certificate,
    "data directory": machine.directory,
    "disk": machine.disk,
    "sqlite": machine.sqlite,
    "clock": machine.clock,
    "broker": machine.broker,
    "credentials": setup.credentials,
    "connections": setup.connections,
    "targets": setup.targets,
    "secrets": setup.secrets,
    "people": setup.people,
    "verbs": setup.unmapped_verbs,
    "courses": setup.uncatalogued_courses,
}


@dataclass(slots=True)
class Checked:
    """What every check found, by its name."""

    findings: dict[str, list[Finding]] = field(default_factory=dict)

    @property
    def errors(self) -> int:
        """How many findings are errors."""
        return sum(one.level == ERROR for found in self.findings.values() for one in found)

    @property
    def warnings(self) -> int:
        """How many findings are warnings."""
        return sum(map(len, self.findings.values())) - self.errors


def check(settings: Settings, *, network: bool = True, now_us: Callable[[], int] = lambda: time.time_ns() // 1000) -> Checked:
    """Run every check. Nothing is created: where there is no store yet, what needs one finds nothing. `network`: also
    talk to targets and broker. A check that fails itself is a finding, never an exception."""
    told = Checked()
    with _store(settings, told) as store:
        look = Look(settings, store, now_us(), network)
        for name, one in CHECKS.items():
            told.findings.setdefault(name, []).extend(_run(name, one, look))
    return told


def as_json(told: Checked) -> dict[str, Any]:
    """The findings as plain data."""
    return {"errors": told.errors, "warnings": told.warnings, "checks": list(told.findings),
            "findings": [{"check": name, **asdict(one)} for name, found in told.findings.items() for one in found]}


@contextlib.contextmanager
def _store(settings: Settings, told: Checked) -> Iterator[Store | None]:
    store = None
    try:
        store = store_of(settings, first=False)
    except (NotFound, OSError):
        pass
    except WrongState as fault:
        told.findings["store"] = [Finding(ERROR, "store", str(fault), "do what it says, and check again")]
    except StoreUnavailable as fault:
        what = f"the store cannot be opened: {fault}"
        told.findings["store"] = [
            Finding(ERROR, "store", f"{settings.shown_place}: {what}", "start it, or correct LRS_STORE") if settings.store else
            Finding(ERROR, "data", what, "see what is said about the data directory; if its files are damaged, take a backup")]
    try:
        yield store
    finally:
        if store is not None:
            store.close()


def _run(name: str, one: Check, look: Look) -> list[Finding]:
    found: list[Finding] = []
    try:
        found.extend(one(look))
    except Exception as fault:
        found.append(Finding(ERROR, name, f"it could not be checked: {type(fault).__name__}: {fault}", "mend that, and check again"))
    return found
