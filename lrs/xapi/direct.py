"""The short way in: a plain POST of statements that succeeds is answered without the framework, all else goes through it."""
from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Iterable
from typing import Any

from lrs import log
from lrs.auth.credentials import authenticate
from lrs.auth.scopes import allowed
from lrs.http import ARRIVED, request_id, told
from lrs.ingest.batch import accept
from lrs.ingest.prepare import Provider
from lrs.services import Services
from lrs.xapi.params import HEADER, spoken
from lrs.xapi.responses import STATEMENTS

Wsgi = Callable[..., Iterable[bytes]]

RAISED = "lrs.raised"
"""Under this name the environ holds the error with which statements were refused here; the resource raises it."""
PLAIN = frozenset({"application/json", "application/json; charset=utf-8", "application/json;charset=utf-8"})


class Direct:
    """WSGI middleware. It decides by what the resource decides by (`lrs.xapi.statements.post`) and in its words; what it
    does not know or would refuse — another type of body, a page's origin, a launch, no credential — it passes on with the
    body unread or put back. Statements are taken in once: an error of the store is told, never tried again."""

    def __init__(self, app: Wsgi, services: Services) -> None:
        self._app, self._services = app, services

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """The WSGI entry (PEP 3333)."""
        began = environ.get(ARRIVED) or time.perf_counter()
        rules = spoken(environ.get("HTTP_X_EXPERIENCE_API_VERSION", "")) if self._plain(environ) else None
        who = None if rules is None else self._provider(environ)
        if rules is None or who is None:
            return self._app(environ, start_response)
        size, named = int(environ["CONTENT_LENGTH"]), request_id(environ.get("HTTP_X_REQUEST_ID", ""))
        body = environ["wsgi.input"].read(size)
        log.request_id.set(named)
        try:
            if len(body) == size:
                ids = [item.id for item in accept(self._services, body, who, version=rules)]
                text = json.dumps(ids).encode()
                told(self._services, "POST", STATEMENTS, 200, time.perf_counter() - began, named, ids)
                start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(text))),
                                          ("X-Request-ID", named), (HEADER, rules)])
                return [text]
        except Exception as error:
            environ[RAISED] = error
        finally:
            log.request_id.set("")
        environ["wsgi.input"] = io.BytesIO(body)
        return self._app(environ, start_response)

    def _plain(self, environ: dict[str, Any]) -> bool:
        """Whether nothing in the request asks for more than its body to be stored."""
        limits, length = self._services.settings.limits, environ.get("CONTENT_LENGTH", "")
        return (environ["REQUEST_METHOD"] == "POST" and environ.get("PATH_INFO") == STATEMENTS and not environ.get("QUERY_STRING")
                and environ.get("CONTENT_TYPE", "").lower() in PLAIN and "HTTP_ORIGIN" not in environ
                and "HTTP_CONTENT_ENCODING" not in environ and length.isascii() and length.isdigit() and len(length) < 10
                and int(length) <= limits.body_max and len(STATEMENTS) < limits.url_max)

    def _provider(self, environ: dict[str, Any]) -> Provider | None:
        """Who sends, where a lasting credential that may write proves it."""
        try:
            credential = authenticate(self._services.store.credentials, environ.get("HTTP_AUTHORIZATION"), self._services.now_us())
        except Exception:
            return None  # the way through the framework meets it again, and answers it
        if credential is None or credential.launch is not None or not allowed(credential.scopes, "statements/write"):
            return None
        return Provider(credential.key, credential.scopes, credential.provider, json.loads(credential.authority))
