"""GET /xapi/about: which versions are spoken (xAPI 1.0.3 Communication 2.8)."""
from __future__ import annotations

from flask import Response, request

from lrs.http import answer_json
from lrs.xapi.params import HEADER, VERSIONS, spoken


def about() -> Response:
    """The versions; open to everyone, with or without a version header. Who names a version of 1.0 is told those of 1.0:
    its client may know no other (TinCan for Python then fails to read the answer)."""
    only_1 = spoken(request.headers.get(HEADER, "")) == "1.0.3"
    return answer_json({"version": [v for v in VERSIONS if v.startswith("1.") or not only_1], "extensions": {}})
