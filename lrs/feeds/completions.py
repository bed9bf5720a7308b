"""One page of the feed: the rows after a cursor, each with the bytes it was published with."""
from __future__ import annotations

import json
from urllib.parse import quote, urlencode

from flask import Response, request

from lrs import http
from lrs.errors import Finding, Invalid

LIMIT_DEFAULT, LIMIT_MAX = 100, 1000
PARAMETERS = ("since", "limit", "exclude_source")


def completions() -> Response:
    """`GET /feeds/completions?since=&limit=&exclude_source=`, scope feeds/read.

    Answers `{"items": […], "next": "<url>", "cursor": n, "more": bool}`. `since` is the last row number that the reader has (0 at
    first), `limit` rows a page (1 to 1000, default 100). `next` is always there: it leads to what comes later. The
    highest `revision` of an `id` is the truth. Rows are immutable, so that re-reading a cursor gives the same bytes.
    Events whose source is the caller's own provider are left out; `exclude_source` names another provider, or nobody
    when empty.
    """
    who = http.provider("feeds/read")
    findings = [Finding(f"?{name}", f"no such parameter; there are {', '.join(PARAMETERS)}", "feed.parameter", "")
                for name in request.args if name not in PARAMETERS]
    findings += [Finding(f"?{name}", "given twice", "feed.twice", "")
                 for name in PARAMETERS if len(request.args.getlist(name)) > 1]
    since = _whole("since", 0, 0, 2**63 - 1, findings)
    limit = _whole("limit", LIMIT_DEFAULT, 1, LIMIT_MAX, findings)
    if findings:
        raise Invalid(findings)
    excluded = request.args.get("exclude_source", who.provider)
    rows = http.services_of_request().store.work.feed(since, limit)
    shown = [row.body for row in rows if not excluded or json.loads(row.body).get("source") != excluded]
    cursor = rows[-1].n if rows else since
    parameters: dict[str, str | int] = {"since": cursor, "limit": limit}
    if "exclude_source" in request.args:
        parameters["exclude_source"] = excluded
    following = f"{quote(request.script_root)}{request.path}?{urlencode(parameters)}"
    tail = json.dumps({"next": following, "cursor": cursor, "more": len(rows) == limit})
    return http.answer_json(b'{"items":[' + b",".join(shown) + b"]," + tail[1:].encode())


def _whole(name: str, default: int, least: int, most: int, findings: list[Finding]) -> int:
    text = request.args.get(name)
    if text is None:
        return default
    if text.isascii() and text.isdigit() and len(text) < 20 and least <= int(text) <= most:
        return int(text)
    findings.append(Finding(f"?{name}", f"a whole number from {least} to {most}", f"feed.{name}", "", text[:100]))
    return default
