"""The answers of the xAPI resources: headers of the standard, one statement, a page, and multipart."""
from __future__ import annotations

import contextlib
import uuid
from datetime import UTC, datetime
from email.utils import format_datetime

from flask import Response, request

from lrs.errors import StoreUnavailable
from lrs.http import services_of_request
from lrs.statements.instants import printed
from lrs.xapi.params import ANSWERED

CONSISTENT_THROUGH = "X-Experience-API-Consistent-Through"


def with_version(response: Response) -> Response:
    """Every answer under /xapi names the version that we speak (xAPI 1.0.3 Communication 3.3), every answer to a reader
    of statements, a refusal too, how far what he could see is complete (Communication 2.1.3)."""
    if request.path.startswith("/xapi/"):
        response.headers["X-Experience-API-Version"] = ANSWERED
    if request.path.rstrip("/") == "/xapi/statements" and request.method in ("GET", "HEAD") and CONSISTENT_THROUGH not in response.headers:
        with contextlib.suppress(StoreUnavailable):
            response.headers[CONSISTENT_THROUGH] = printed(services_of_request().store.statements.consistent_through())
    return response


def statements(content: bytes, *, consistent_through: int, attachments: bool, stored: int | None = None) -> Response:
    """A statement or a page. `consistent_through` and `stored` (of a single statement) are µs since 1970 UTC.

    `attachments`: as multipart/mixed with the JSON as its first part (xAPI 1.0.3 Communication 1.5.2).
    """
    headers = {CONSISTENT_THROUGH: printed(consistent_through)}
    if stored is not None:
        headers["Last-Modified"] = format_datetime(datetime.fromtimestamp(stored // 1_000_000, UTC), usegmt=True)
    if not attachments:
        return Response(content, 200, headers, mimetype="application/json")
    boundary = uuid.uuid4().hex
    while boundary.encode() in content:
        boundary = uuid.uuid4().hex
    mark = boundary.encode("ascii")
    text = b"--" + mark + b"\r\nContent-Type: application/json\r\n\r\n" + content + b"\r\n--" + mark + b"--\r\n"
    return Response(text, 200, headers | {"Content-Type": f"multipart/mixed; boundary={boundary}"})
