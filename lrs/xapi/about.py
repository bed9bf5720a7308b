"""GET /xapi/about: which versions are spoken (xAPI 1.0.3 Communication 2.8)."""
from __future__ import annotations

from dataclasses import asdict

from flask import Response, request

from lrs.http import answer_json, services_of_request
from lrs.xapi.params import HEADER, VERSIONS, spoken

FEATURES = ("attachments", "signatures", "alternate-request-syntax", "ascending", "consistent-through", "cors", "gzip", "deflate", "br",
            "launch", "cmi5-fetch")
"""What this LRS can do that a client may want to know before it tries."""


def about() -> Response:
    """The versions, and in `extensions` the limits and what is done beyond the standard; open to everyone, with or without
    a version header. Who names a version of 1.0 is told those of 1.0:
    its client may know no other (TinCan for Python then fails to read the answer)."""
    only_1 = spoken(request.headers.get(HEADER, "")) == "1.0.3"
    return answer_json({"version": [v for v in VERSIONS if v.startswith("1.") or not only_1], "extensions": _extensions()})


def _extensions() -> dict[str, object]:
    settings = services_of_request().settings
    base = settings.public_url.rstrip("/")
    return {f"{base}/about/limits": asdict(settings.limits), f"{base}/about/features": list(FEATURES)}
