"""GET /xapi/about: which versions are spoken (xAPI 1.0.3 Communication 2.8)."""
from __future__ import annotations

from flask import Response

from lrs.http import answer_json
from lrs.xapi.params import VERSIONS


def about() -> Response:
    """The versions; open to everyone, with or without a version header."""
    return answer_json({"version": list(VERSIONS), "extensions": {}})
