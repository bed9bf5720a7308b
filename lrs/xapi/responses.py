"""The answers of the xAPI resources: headers of the standard, one statement, a page, and multipart."""
from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime

from flask import Response, request

from lrs.encodings import WORTH, asks_for_gzip, packed
from lrs.errors import StoreUnavailable
from lrs.http import services_of_request
from lrs.statements import multipart
from lrs.statements.instants import printed
from lrs.xapi.params import HEADER, answered

STATEMENTS = "/xapi/statements"
CONSISTENT_THROUGH = "X-Experience-API-Consistent-Through"


def with_version(response: Response) -> Response:
    """Every answer under /xapi names the version that we speak (xAPI 1.0.3 Communication 3.3); every answer to a reader
    of statements, a refusal too, how far what he could see is complete (Communication 2.1.3)."""
    if request.path.startswith("/xapi/"):
        response.headers[HEADER] = answered()
    if request.path.rstrip("/") == STATEMENTS and request.method in ("GET", "HEAD") and CONSISTENT_THROUGH not in response.headers:
        with contextlib.suppress(StoreUnavailable):
            response.headers[CONSISTENT_THROUGH] = printed(services_of_request().store.statements.consistent_through())
    return response


def packed_if_asked(response: Response) -> Response:
    """Send statements in gzip to who takes it. Documents are never packed: their entity tag is of the bytes as they are."""
    if request.path.rstrip("/") != STATEMENTS or request.method != "GET" or response.status_code != 200 or response.is_streamed:
        return response
    response.headers.add("Vary", "Accept-Encoding")
    if asks_for_gzip(request.headers.get("Accept-Encoding", "")) and (response.content_length or 0) >= WORTH:
        response.set_data(packed(response.get_data()))
        response.headers["Content-Encoding"] = "gzip"
    return response


def statements(
    content: bytes, *, consistent_through: int, data: Sequence[tuple[str, str, Iterator[bytes]]] | None = None, stored: int | None = None
) -> Response:
    """A statement or a page. `consistent_through` and `stored` (of a single statement) are µs since 1970 UTC.

    `data`: (hash, media type, bytes) of attachments; then the answer is multipart/mixed with the JSON as its first part
    (xAPI 1.0.3 Communication 1.5.2), and is sent piece by piece.
    """
    headers = {CONSISTENT_THROUGH: printed(consistent_through)}
    if stored is not None:
        headers["Last-Modified"] = format_datetime(datetime.fromtimestamp(stored // 1_000_000, UTC), usegmt=True)
    if data is None:
        return Response(content, 200, headers, mimetype="application/json")
    # 128 random bits: nothing that was stored before can hold it
    boundary = uuid.uuid4().hex
    return Response(_parts(boundary, content, data), 200, headers | {"Content-Type": f"multipart/mixed; boundary={boundary}"})


def _parts(boundary: str, content: bytes, data: Sequence[tuple[str, str, Iterator[bytes]]]) -> Iterator[bytes]:
    yield multipart.opening(boundary, "application/json") + content + b"\r\n"
    for sha2, kind, pieces in data:
        yield multipart.opening(boundary, kind, sha2)
        yield from pieces
        yield b"\r\n"
    yield f"--{boundary}--\r\n".encode()
