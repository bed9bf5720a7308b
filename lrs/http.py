"""The request guard that every HTTP resource shares: who asks, may they, how large, and how a refusal looks.

Every error is one JSON shape, whatever the resource::

    {"status": 400, "code": "invalid", "message": "…", "request_id": "…", "help": "…",
     "total": 24, "findings": [{"index": 3, "pointer": "/result/score", "rule": "…", "section": "…",
                                "found": "…", "why": "…"}]}

`findings` and `total` are there when a statement or a parameter breaks a rule. `total` counts the bad statements of
the batch (1 for a parameter); `findings` are those of the first 100 of them, ten or more of each. `index` is the
statement's place in the batch, `pointer` a JSON pointer into it (or `?name` for a URL parameter).
"""
from __future__ import annotations

import json
import logging
import re
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any, cast
from urllib.parse import quote, urlsplit

from flask import Flask, Response, current_app, g, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge
from werkzeug.exceptions import NotFound as NotFoundHere

from lrs import log
from lrs.auth import masking
from lrs.auth.credentials import authenticate, unproven
from lrs.auth.scopes import allowed
from lrs.encodings import inflated
from lrs.errors import (
    Conflict,
    DocumentExists,
    Finding,
    Forbidden,
    Invalid,
    NotFound,
    PreconditionFailed,
    StoreUnavailable,
    Taken,
    TooLarge,
    Undecided,
    WrongState,
)
from lrs.ingest import conflicts
from lrs.ingest.batch import BatchRefused
from lrs.ingest.prepare import Provider
from lrs.services import Services
from lrs.statements.documents import PIECE, Large
from lrs.store.protocols.credentials import Credential, Launch
from lrs.store.protocols.rejections import Rejection
from lrs.store.spooled import spooled
from lrs.traces import REQUEST, STATEMENTS_MOST

FINDINGS_MAX = 1000  # entries of one answer; 100 bad statements, so at least ten of each
EXCERPT = 2048
HELP = "docs/xapi.md"
NOTHING_HERE = ("there is no such address. Statements are at /xapi/statements (one: ?statementId=), completions at /feeds/completions, "
                "the management API at /api/v1/docs, health at /health/ready")
_POSITION = re.compile(rb"&cursor=\d{1,19}\Z")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
ARRIVED = "lrs.arrived"
"""In the environ: when the whole request was here, by `time.perf_counter`."""
_log = logging.getLogger("lrs.http")


class Unauthorized(Exception):
    """The request proves no credential (answered 401)."""


@dataclass(frozen=True, slots=True)
class Answer:
    """How one kind of error is answered: status, code, a hint where to read on, and the headers that it asks for."""

    status: int
    code: str
    help: str = HELP
    headers: Callable[[Any], Mapping[str, str]] = field(default=lambda error: {})


ANSWERS: dict[type[Exception], Answer] = {
    Invalid: Answer(400, "invalid"),
    BatchRefused: Answer(400, "invalid"),
    Taken: Answer(409, "taken"),
    NotFound: Answer(404, "not_found"),
    WrongState: Answer(409, "wrong_state"),
    Unauthorized: Answer(401, "unauthorized", headers=lambda _: {"WWW-Authenticate": 'Basic realm="Concord LRS"'}),
    Forbidden: Answer(403, "forbidden"),
    Conflict: Answer(409, "conflict"),
    DocumentExists: Answer(409, "document_exists"),
    PreconditionFailed: Answer(412, "precondition_failed"),
    TooLarge: Answer(413, "too_large", help="docs/settings.md"),
    Undecided: Answer(503, "store_undecided", headers=lambda error: {"Retry-After": str(error.retry_after)}),
    StoreUnavailable: Answer(503, "store_unavailable", headers=lambda error: {"Retry-After": str(error.retry_after)}),
}
"""Error → answer; what is not in it is either an HTTP error of the router or a fault of ours (500, no detail)."""

CODES: dict[int, str] = {
    400: "bad_request",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    413: "too_large",
    414: "url_too_long",
    415: "unsupported_media_type",
    500: "internal",
}


class Refused(Exception):
    """A refusal that concerns the request and not the data: wrong media type, header, URL, or nothing there."""

    def __init__(self, status: int, message: str, code: str = "") -> None:
        super().__init__(message)
        self.status, self.code = status, code or CODES.get(status, "refused")


def install(app: Flask, services: Services) -> None:
    """Give every request an id, hold it to the URL's limit, and answer every error of the app in the one shape."""
    app.extensions["lrs"] = services
    app.config["MAX_CONTENT_LENGTH"] = services.settings.limits.body_max

    @app.before_request
    def begin() -> None:
        g.began = request.environ.get(ARRIVED) or time.perf_counter()
        g.request_id = request_id(request.headers.get("X-Request-ID", ""))
        log.request_id.set(g.request_id)
        url_max = services.settings.limits.url_max
        # a link that we gave, the same URL with a position after it, must never be too long
        length = len(request.path.encode()) + 1 + len(_POSITION.sub(b"", request.query_string))
        if length > url_max:
            raise Refused(414, f"the URL has {length} bytes, the limit url_max is {url_max}")

    @app.after_request
    def end(response: Response) -> Response:
        response.headers["X-Request-ID"] = _request_id()
        route = request.url_rule.rule if request.url_rule else "unmatched"
        seconds = time.perf_counter() - g.get("began", time.perf_counter())
        told(services, request.method, route, response.status_code, seconds, _request_id(), g.get("stored", ()))
        where = response.headers.get("Location", "")
        if where.startswith("/") and request.script_root:
            response.headers["Location"] = quote(request.script_root) + where
        return response

    @app.teardown_request
    def over(error: BaseException | None) -> None:
        log.request_id.set("")

    for kind in ANSWERS:
        app.register_error_handler(kind, _known)
    app.register_error_handler(Refused, _refused)
    app.register_error_handler(HTTPException, _of_router)
    app.register_error_handler(Exception, _fault)


def stored(statements: Sequence[str]) -> None:
    """Say which statements (ids) this request stored, for its line in the log and its traces."""
    g.stored = statements


def told(services: Services, method: str, route: str, status: int, seconds: float, named: str, ids: Sequence[str] = ()) -> None:
    """Count an answered request, and write its line and its traces where they are wanted. `named`: its id; `ids`: of the
    statements that it stored; `route` never the path itself: in one of them a token stands."""
    services.metrics.request(route, method, status, seconds)
    if services.traces and status < 300:
        for one in ids[:STATEMENTS_MOST]:
            services.traces.span(one, REQUEST, seconds, {"request_id": named, "http.request.method": method, "http.route": route,
                                                         "statements": len(ids)})
    if services.settings.log_requests:
        _log.info("%s %s %d in %.1f ms", method, route, status, seconds * 1000,
                  extra={"method": method, "route": route, "status": status, "milliseconds": round(seconds * 1000, 3),
                         **({"stored": len(ids), "first": ids[0], "last": ids[-1]} if ids else {})})


def request_id(given: str) -> str:
    """The id of a request that brings this one in X-Request-ID: the same where it is fit to be one, else a new one."""
    return given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


def services_of_request() -> Services:
    """The services of the app that answers this request."""
    return cast(Services, current_app.extensions["lrs"])


def provider(*scopes: str, launched: bool = False) -> Provider:
    """Who asks, when one of these scopes is open to them (table in `lrs.auth.scopes`). `launched`: the credential of a launch
    may ask too, and the caller holds it to the limits of `launch_of_request`.

    Raises `Unauthorized` without a valid Basic credential, `Forbidden` when it opens none of the scopes, or the page that
    asks is of an origin that may not use it.
    """
    services, header = services_of_request(), request.headers.get("Authorization")
    credential = authenticate(services.store.credentials, header, services.now_us())
    if credential is None:
        raise Unauthorized(unproven(header))
    who = Provider(credential.key, credential.scopes, credential.provider, json.loads(credential.authority))
    g.provider, g.launch = who, credential.launch
    _check_origin(credential, services)
    if credential.launch is not None:
        if not launched:
            raise Forbidden("a launch credential opens statements, state and profiles of its actor and activity, and nothing else")
        return who
    if not any(allowed(who.scopes, scope) for scope in scopes):
        raise Forbidden(f"this credential needs the scope {' or '.join(scopes)}; it has {', '.join(sorted(who.scopes))}")
    return who


def launch_of_request() -> Launch | None:
    """The launch whose credential asks, after `provider`; None for any other credential."""
    return cast("Launch | None", g.get("launch"))


def _check_origin(credential: Credential, services: Services) -> None:
    """A page may use a credential only from the origins of that credential, or where it has none, of the setting: what a
    preflight answered was for all of them, since it carries no credential."""
    origin = request.headers.get("Origin")
    allowed_here = credential.origins or services.settings.cors_origins
    if origin is None or "*" in allowed_here or origin in allowed_here:
        return
    own = urlsplit(services.settings.public_url)
    if origin not in (f"{own.scheme}://{own.netloc}", request.host_url.rstrip("/")):
        whose = "of this credential" if credential.origins else "of the setting cors_origins"
        raise Forbidden(f"pages of {origin[:100]} may not use this credential; it is none of the origins {whose}")


def body() -> bytes:
    """The request's body, without its content coding. Raises `TooLarge` beyond `body_max`, enforced while reading and
    while unpacking, `Invalid` for a coding that is not known."""
    limit = services_of_request().settings.limits.body_max
    try:
        return inflated(request.get_data(cache=True), request.headers.get("Content-Encoding", ""), limit)
    except RequestEntityTooLarge:
        raise TooLarge(f"the body is larger than the limit body_max of {limit} bytes", "body_max", limit) from None


def content() -> bytes | Large:
    """The request's body as content of a document: beyond 64 kB from a file, where no content coding is on it. Raises as
    `body` does."""
    limit = services_of_request().settings.limits.body_max
    if request.headers.get("Content-Encoding") or (request.content_length or 0) <= PIECE:
        return body()
    if (request.content_length or 0) > limit:
        raise TooLarge(f"the body is larger than the limit body_max of {limit} bytes", "body_max", limit)
    # the server hands over a file of its own already; any other WSGI server a stream
    pieces = iter(lambda: request.stream.read(PIECE), b"")
    g.streamed = True
    return spooled(pieces, services_of_request().settings.incoming)


def stream() -> IO[bytes]:
    """The request's body to be read piece by piece, where it may be larger than `body_max`: the caller limits what it
    keeps. It is not noted in the rejections log."""
    g.streamed = True
    return cast(IO[bytes], request.environ["wsgi.input"])


def answer_json(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer."""
    text = value if isinstance(value, bytes) else json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
    return Response(text, status, dict(headers or {}), mimetype="application/json")


def failed(
    status: int, code: str, message: str, *, findings: Sequence[Finding] = (), total: int | None = None, help: str = HELP,
    headers: Mapping[str, str] | None = None, noted: Mapping[str, Any] | None = None,
) -> Response:
    """An error in the one documented shape; noted in the rejections log when a known credential sent it, there with
    what only operators may see (`noted`)."""
    shown = [
        {"index": f.index, "pointer": f.where, "rule": f.rule, "section": f.section, "found": f.found, "why": f.why}
        for f in _shown(findings)
    ]
    told: dict[str, Any] = {"status": status, "code": code, "message": message, "request_id": _request_id()}
    if help:
        told["help"] = help
    if findings:
        told |= {"total": len({f.index for f in findings}) if total is None else total, "findings": shown}
    services_of_request().metrics.rejected({finding.rule for finding in findings} or (code,))
    _note(status, code, {**told, **(noted or {})})
    return answer_json(told, status, headers)


def _shown(findings: Sequence[Finding]) -> list[Finding]:
    """As many findings as an answer holds, the same number of each statement."""
    of: dict[int | None, list[Finding]] = {}
    for finding in findings:
        of.setdefault(finding.index, []).append(finding)
    each = max(1, FINDINGS_MAX // max(1, len(of)))
    return [finding for found in of.values() for finding in found[:each]]


def _request_id() -> str:
    return str(g.get("request_id") or g.setdefault("request_id", uuid.uuid4().hex))


def _known(error: Exception) -> Response:
    how = ANSWERS[type(error)] if type(error) in ANSWERS else next(a for k, a in ANSWERS.items() if isinstance(error, k))
    findings: list[Finding] = error.findings if isinstance(error, Invalid) else []
    if isinstance(error, Conflict):
        findings = [Finding("/id", str(error), "statement.conflict", "Communication 2.1.1", error.statement_id, error.index)]
    total = error.bad if isinstance(error, BatchRefused) else None
    noted = _conflict(error) if isinstance(error, Conflict) else None
    return failed(
        how.status, how.code, _message(error), findings=findings, total=total, help=how.help, headers=how.headers(error), noted=noted
    )


def _conflict(error: Conflict) -> dict[str, Any]:
    """Both sides of a conflict for the rejections log; a completion of a course that is refused so is an alert."""
    if g.get("streamed"):
        return {}
    try:
        sent = json.loads(request.get_data(cache=True))
    except ValueError:
        return {}
    refused = sent[error.index] if isinstance(sent, list) else sent
    conflict = conflicts.told(error.stored, refused)
    if conflict["refused_is_course"]:
        _log.warning("refused: %s of course %s under the id of another statement (%s); %s", conflict["refused"]["verb"],
                     conflict["refused"]["object"], error.statement_id, conflict["cause"] or "ids must be unique")
    stored = masking.masked(error.stored[:EXCERPT].decode("utf-8", "replace"))
    return {"conflict": conflict, "stored_statement": stored}


def _message(error: Exception) -> str:
    if isinstance(error, BatchRefused):
        first = error.findings[0]
        return (f"{error.bad} of {error.bad + error.valid} statements broken; nothing was stored "
                f"({error.valid} valid statements not stored). The first, at index {first.index}: {first.where or '/'}: {first.why}")
    if isinstance(error, Invalid):
        return str(error) or "the request breaks a rule"
    if isinstance(error, StoreUnavailable):
        return error.advice
    return str(error)


def _refused(error: Refused) -> Response:
    return failed(error.status, error.code, str(error))


def _of_router(error: HTTPException) -> Response:
    if isinstance(error, RequestEntityTooLarge):
        limit = services_of_request().settings.limits.body_max
        return _known(TooLarge(f"the body is larger than the limit body_max of {limit} bytes", "body_max", limit))
    status = error.code or 500
    allow = error.get_response().headers.get("Allow")
    why = error.description or error.name
    if isinstance(error, NotFoundHere) and why == NotFoundHere.description:
        why = NOTHING_HERE
    elif allow:
        why = f"this address takes {allow}"
    return failed(
        status,
        CODES.get(status, error.name.lower().replace(" ", "_")),
        f"{request.method} {request.path}: {why}",
        headers={"Allow": allow} if allow else None,
    )


def _fault(error: Exception) -> Response:
    _log.exception("request %s failed", _request_id(), exc_info=error)
    return failed(500, "internal", "a fault of ours; the log has it under this request id", help="")


def _note(status: int, code: str, told: Mapping[str, Any]) -> None:
    who: Provider | None = g.get("provider")
    if who is None or request.method not in ("POST", "PUT", "PATCH", "DELETE") or status >= 500:
        return
    rejections, now = services_of_request().store.rejections, time.time_ns() // 1000
    if not rejections.wants(who.credential_id, now):
        return  # to mask what nobody keeps would be most of the cost of a refusal, and who sends a flood would choose it
    try:
        excerpt = "" if g.get("streamed") else request.get_data(cache=True)[:EXCERPT].decode("utf-8", "replace")
    except HTTPException:
        excerpt = ""  # larger than the limit: nothing of it was read
    if request.mimetype == "text/csv":
        excerpt = ""  # a directory has persons in columns, whose names nothing in a cell tells
    detail = {**told, "message": masking.plain(str(told.get("message", "")))}
    if "findings" in told:
        detail["findings"] = [_noted(finding) for finding in told["findings"]]
    rejections.note(
        Rejection(
            at=now,
            credential_id=who.credential_id,
            status=status,
            code=code,
            detail=json.dumps(detail, ensure_ascii=False),
            excerpt=masking.masked(excerpt),
        )
    )


def _noted(finding: Mapping[str, Any]) -> dict[str, Any]:
    """The finding without what it found of a person or a secret."""
    found = str(finding["found"])
    found = masking.MASK if found and masking.personal(str(finding["pointer"])) else masking.plain(found)
    return {**finding, "found": found, "why": masking.plain(str(finding["why"]))}
