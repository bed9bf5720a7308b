"""POST /hooks/lms/<connection>: an LMS reports its own completions."""
from __future__ import annotations

import json
import time

import orjson
from flask import Response, g, request

from lrs import http
from lrs.auth import credentials, scopes
from lrs.completions.model import Course
from lrs.errors import Finding, Forbidden, Invalid
from lrs.ingest.batch import accept
from lrs.ingest.prepare import Provider
from lrs.sources import signature
from lrs.sources.lms.translate import translate


def lms(connection: str) -> Response:
    """Store the flat `learning.completed` payload as a statement; 200 with its id once it is durable.

    `connection` is the key of a credential with the scope statements/write. The request proves itself by that
    credential (Basic), or by Standard Webhooks headers signed with the credential's webhook secret. A payload sent
    again is the same statement (`repeated` is true).
    """
    services = http.services_of_request()
    body = http.body()
    who = _proved(connection, body)
    try:
        payload = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Invalid([Finding("", f"not JSON: {error}", "hook.json", "", body[:100].decode("utf-8", "replace"))]) from None
    translated = translate(payload, raw=body, connection=connection, public_url=services.settings.public_url,
                           event_id=request.headers.get("webhook-id", ""))
    added = accept(services, translated.statement, who)[0]
    # afterwards, so that a refused payload lists no course; a sender whose answer got lost sends again, and lists it then
    _catalogue(translated.course_id, translated.course_title)
    return http.answer_json({"statement": added.id, "repeated": added.repeated})


def _proved(connection: str, body: bytes) -> Provider:
    if "webhook-signature" not in request.headers:
        who = http.provider("statements/write")
        if who.credential_id != connection:
            raise Forbidden(f'this credential is not the one of the connection "{connection}"')
        return who
    store = http.services_of_request().store.credentials
    credential = store.by_key(connection)
    if credential is None or credential.revoked or not scopes.allowed(credential.scopes, "statements/write"):
        raise http.Unauthorized("there is no such connection")
    wrong = signature.verify(
        body, message_id=request.headers.get("webhook-id", ""), timestamp=request.headers.get("webhook-timestamp", ""),
        signature=request.headers["webhook-signature"], secret=credentials.webhook_secret(store, connection), now=time.time())
    if wrong:
        raise http.Unauthorized(f"the signature does not fit: {wrong}")
    who = Provider(credential.key, credential.scopes, credential.provider, json.loads(credential.authority))
    g.provider = who
    return who


def _catalogue(course_id: str, title: str) -> None:
    """List the course where nobody has yet, so that it can be mapped and counted."""
    directory = http.services_of_request().store.directory
    if not directory.has_course(course_id):
        directory.put_courses([Course(course_id, title)], only_new=True)
