"""What every xAPI request carries besides its resource: the version header and the URL parameters."""
from __future__ import annotations

import re
from collections.abc import Iterable

from flask import request

from lrs.errors import Finding, Invalid
from lrs.http import Refused, services_of_request

HEADER = "X-Experience-API-Version"
VERSIONS = ("1.0.0", "1.0.1", "1.0.2", "1.0.3", "2.0.0")
SPOKEN: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"1\.0(\.\d+)?", re.ASCII), "1.0.3"),
    (re.compile(r"2\.0(\.\d+)?", re.ASCII), "2.0.0"),
)
"""What a request may name → the version whose rules hold for it and that is answered (xAPI 1.0.3 Communication 3.3,
xAPI 2.0 4.1.8: all of a line is taken, and answered in its newest)."""


def version() -> str:
    """The version whose rules hold for this request. Raises `Refused` 400 when the header is missing or names another."""
    given = request.headers.get(HEADER)
    if given is None:
        raise Refused(400, f"the header {HEADER} is missing; send {HEADER}: {answered()}", "version_missing")
    found = spoken(given)
    if found is None:
        raise Refused(400, f"{HEADER}: {given[:40]} is not spoken here; accepted are {', '.join(VERSIONS)}", "version")
    return found


def spoken(given: str) -> str | None:
    """The version that is spoken to who names this one; None where we do not speak it."""
    return next((ours for pattern, ours in SPOKEN if pattern.fullmatch(given.strip())), None)


def answered() -> str:
    """The version that the answer to this request names; the setting's where the request names none that we speak."""
    return spoken(request.headers.get(HEADER, "")) or services_of_request().settings.xapi_default_version


def pairs() -> list[tuple[str, str]]:
    """The URL parameters in order, doubled ones included."""
    return list(request.args.items(multi=True))


def only(allowed: Iterable[str]) -> dict[str, str]:
    """The URL parameters of a write. Raises `Invalid` for one that is not allowed or is given twice."""
    known = set(allowed)
    broken = []
    found: dict[str, str] = {}
    for name, value in pairs():
        if name not in known or name in found:
            why = f'parameter "{name}" is given twice' if name in found else f'no such parameter "{name}" here'
            rule = "query.twice" if name in found else "query.unknown"
            broken.append(Finding(f"?{name}", why, rule, "Communication 2.1", value[:100]))
        found[name] = value
    if broken:
        raise Invalid(broken)
    return found
