"""Chooses one language of a language map by the client's Accept-Language."""
from __future__ import annotations

import re
from collections.abc import Sequence

_RANGE = re.compile(r"\s*([A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*|\*)\s*(?:;\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*)?")


def preferred(header: str | None) -> tuple[str, ...]:
    """The language ranges of an Accept-Language header in lower case, the most wanted first (RFC 9110 12.5.4).

    Ranges with q=0 and parts that are no range are left out.
    """
    found: list[tuple[float, str]] = []
    for part in (header or "").split(","):
        read = _RANGE.fullmatch(part)
        if read and float(read[2] or 1) > 0:
            found.append((float(read[2] or 1), read[1].lower()))
    return tuple(tag for _, tag in sorted(found, key=lambda item: -item[0]))


def chosen(tags: Sequence[str], wanted: Sequence[str]) -> str | None:
    """The tag that serves these ranges best (RFC 4647 lookup, then a longer tag of the range), else the first."""
    lower = {tag.lower(): tag for tag in reversed(tags)}
    for want in wanted:
        if want == "*":
            break
        parts = want.split("-")
        for length in range(len(parts), 0, -1):
            short = "-".join(parts[:length])
            if short in lower:
                return lower[short]
            longer = next((tag for tag in tags if tag.lower().startswith(short + "-")), None)
            if longer is not None:
                return longer
    return tags[0] if tags else None
