"""The log of refused requests as operators and providers meet it: what was refused, by which rule, how often."""
from __future__ import annotations

import json
from typing import Any

from lrs.errors import NotFound
from lrs.statements.instants import printed
from lrs.store.open_store import Store
from lrs.store.protocols.rejections import ALL, Rejection, Sought

COUNTED_MOST = 10_000
"""The newest rows that are counted in one request."""


def listed(store: Store, sought: Sought = ALL, *, before: int | None = None, limit: int = 100) -> list[dict[str, Any]]:
    """At most `limit` rejections, the newest first, those with n < `before`; without excerpt and findings, which `shown` has."""
    return [_short(one) for one in store.rejections.list(sought=sought, before=before, limit=limit)]


def shown(store: Store, n: int, *, only_of: str = "") -> dict[str, Any]:
    """The rejection with this number, with its findings and the beginning of what was sent, masked.
    `only_of`: the key of the only credential whose rejections may be seen. Raises `NotFound`, in the same words for both."""
    found = store.rejections.by_number(n) if 0 < n < 2**63 else None
    if found is None or (only_of and found.credential_id != only_of):
        raise NotFound(f"there is no rejection {n}: they are kept for 30 days")
    return {**_short(found), "detail": _detail(found), "excerpt": found.excerpt}


def counts(store: Store, by: str, sought: Sought = ALL) -> dict[str, Any]:
    """How many of the newest `COUNTED_MOST` there are of each rule, cause, code, status or credential, the most frequent first."""
    return {"by": by, "counted_most": COUNTED_MOST,
            "items": [{by: key, "count": count} for key, count in store.rejections.counts(by, sought, COUNTED_MOST).items()]}


def _short(one: Rejection) -> dict[str, Any]:
    detail = _detail(one)
    findings = detail.get("findings")
    return {"n": one.n, "at": printed(one.at), "credential": one.credential_id, "status": one.status, "code": one.code,
            "message": str(detail.get("message", "")), "request_id": str(detail.get("request_id", "")),
            "rules": list(dict.fromkeys(str(finding.get("rule", "")) for finding in (findings if isinstance(findings, list) else ())
                                  if isinstance(finding, dict)))}


def _detail(one: Rejection) -> dict[str, Any]:
    try:
        value = json.loads(one.detail)
    except ValueError:
        return {"message": one.detail}
    return value if isinstance(value, dict) else {"message": one.detail}
