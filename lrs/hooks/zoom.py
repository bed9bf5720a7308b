"""POST /hooks/zoom/<connection>: Zoom tells who joined and left, when a session started and ended, where its recording is."""
from __future__ import annotations

import json
import logging
import time
from collections.abc import Collection
from typing import Any

import orjson
from flask import Response, g, request

from lrs import http
from lrs.auth import scopes
from lrs.errors import Conflict, Finding, Forbidden, Invalid, TooLarge
from lrs.ingest.batch import accept
from lrs.ingest.prepare import Provider
from lrs.services import Services
from lrs.sources.sessions import statement
from lrs.sources.zoom import signature
from lrs.sources.zoom.translate import Translated, storable, translate
from lrs.store.protocols.connections import Connection
from lrs.store.protocols.rejections import Rejection

HELP = "docs/zoom.md"
_log = logging.getLogger("lrs.hooks.zoom")


def zoom(connection: str) -> Response:
    """Store what the webhook says; 200 with the ids of its statements once they and the payload are durable.

    What is proved to be Zoom's and yet cannot be read is answered 200 too, kept as it came, and listed with the
    rejections: Zoom would send the very same again. 401: no such connection, or not Zoom's. 403: the connection is
    paused, or its credential may not write; Zoom tries again for 85 minutes. 503: the store is down; as before.
    """
    services = http.services_of_request()
    body = http.body()
    there = services.store.connections.by_name(connection)
    if there is None or there.source != "zoom":
        raise http.Unauthorized("there is no such connection")
    secret = str(there.settings.get("secret_token", ""))
    payload, readable = _parsed(body)
    event = _event(payload)
    proof = {name: request.headers.get(name, "") for name in (signature.SIGNATURE, signature.TIMESTAMP)}
    wrong = signature.verify(proof, body, secret, time.time())
    if event == signature.VALIDATION and (not wrong or not proof[signature.SIGNATURE]):
        return _handshake(payload, secret)
    if wrong:
        _log.info("%s: refused, %s", connection, wrong)
        raise http.Unauthorized(f"this is not signed by Zoom for this connection: {wrong}")
    who = _provider(services, there)
    kept = storable(body)
    services.store.payloads.keep(connection, event, kept)
    ids, why = _taken(services, who, translate(payload, connection, services.settings.public_url, _known(services)))
    why = why if readable else "not JSON"
    if why:
        services.store.payloads.keep(connection, event, kept, why)
        _note(services, who, f"{event or 'a webhook'} of {connection}: {why}")
    return http.answer_json({"statements": ids, "kept": True, "why": why})


def _parsed(body: bytes) -> tuple[Any, bool]:
    try:
        return orjson.loads(body), True
    except orjson.JSONDecodeError:
        return None, False


def _event(payload: Any) -> str:
    event = payload.get("event") if isinstance(payload, dict) else None
    return event[:100] if isinstance(event, str) else ""


def _handshake(payload: Any, secret: str) -> Response:
    """The answer to Zoom's question, repeated every 72 hours, whether we know the secret. Zoom signs it; it is answered
    unsigned too (what it can have signed is no event), and while paused (else Zoom would give the address up)."""
    answer = signature.handshake(payload, secret)
    if answer is None:
        raise Invalid([Finding("/payload/plainToken", "8 to 64 letters, digits, dashes or underscores", "zoom.handshake", "")])
    return http.answer_json(answer)


def _provider(services: Services, there: Connection) -> Provider:
    credential = services.store.credentials.by_key(there.credential)
    if credential is None:
        raise Forbidden(f'the credential of the connection "{there.name}" is no more')
    g.provider = who = Provider(credential.key, credential.scopes, credential.provider, json.loads(credential.authority))
    if there.state != "active":
        raise Forbidden(f'the connection "{there.name}" is {there.state}; resume it, and Zoom sends again what is younger than 85 minutes')
    if credential.revoked or not scopes.allowed(credential.scopes, "statements/write"):
        raise Forbidden(f'the credential of the connection "{there.name}" is revoked or lacks the scope statements/write')
    return who


def _known(services: Services) -> Any:
    def known(identifiers: Collection[str]) -> Collection[str]:
        return services.store.directory.person_by_identifier(identifiers)
    return known


def _taken(services: Services, who: Provider, translated: Translated) -> tuple[list[str], str]:
    """Store what was said; the ids, and why something was not stored ('' where all is)."""
    ids, why = [], translated.why
    for said in translated.said:
        try:
            ids.append(accept(services, json.dumps(statement(said)).encode(), who)[0].id)
        except Conflict:
            # e.g. the directory has learned the person since: what was said first stands
            why = "said before, with other words; the first stands"
        except (Invalid, TooLarge) as error:
            why = str(error)
    return ids, why


def _note(services: Services, who: Provider, message: str) -> None:
    """List it with the rejections, though the answer is 200: there is where one looks for what did not count."""
    detail = json.dumps({"status": 200, "code": "kept", "message": message, "help": HELP}, ensure_ascii=False)
    services.store.rejections.note(Rejection(time.time_ns() // 1000, who.credential_id, 200, "kept", detail, ""))
