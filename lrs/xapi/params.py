"""What every xAPI request carries besides its resource: the version header and the URL parameters."""
from __future__ import annotations

import re
from collections.abc import Iterable

from flask import request

from lrs.errors import Finding, Invalid
from lrs.http import Refused

VERSIONS = ("1.0.0", "1.0.1", "1.0.2", "1.0.3")
ANSWERED = "1.0.3"
_ACCEPTED = re.compile(r"1\.0(\.\d+)?", re.ASCII)
_HEADER = "X-Experience-API-Version"


def version() -> str:
    """The version whose rules hold for this request (xAPI 1.0.3 Communication 3.3: all of 1.0.x, `1.0` is 1.0.0).

    Raises `Refused` 400 when the header is missing or names another version.
    """
    given = request.headers.get(_HEADER)
    if given is None:
        raise Refused(400, f"the header {_HEADER} is missing; send {_HEADER}: {ANSWERED}", "version_missing")
    if not _ACCEPTED.fullmatch(given.strip()):
        raise Refused(400, f"{_HEADER}: {given[:40]} is not spoken here; accepted are {', '.join(VERSIONS)}", "version")
    return ANSWERED


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
