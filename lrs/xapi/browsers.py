"""What browsers need to talk to the resources from pages of other origins (the Fetch standard, "CORS protocol")."""
from __future__ import annotations

import contextlib

from flask import Response, request

from lrs.errors import StoreUnavailable
from lrs.http import services_of_request
from lrs.services import Services

METHODS = "GET, HEAD, POST, PUT, DELETE, OPTIONS"
ASKED = ("Authorization, Content-Type, Content-Encoding, X-Experience-API-Version, X-Experience-API-Hash, If-Match, If-None-Match, "
         "Accept-Language, X-Request-ID")
SHOWN = "ETag, Last-Modified, Location, X-Experience-API-Version, X-Experience-API-Consistent-Through, X-Request-ID"
PREFLIGHT_SECONDS = 7_200
"""How long a browser may remember a preflight; none remembers it longer."""


def for_browsers(response: Response) -> Response:
    """Let pages of the allowed origins read the answer: those of the setting and of any credential, since a preflight brings
    none; `lrs.http.provider` holds the request itself to those of its own. No cookie is ever asked for, so a page can do only what the
    credential in its own hands allows; refusals are readable too, or no author could see what was wrong."""
    origin = request.headers.get("Origin")
    if origin is None or not request.path.startswith("/xapi/"):
        return response
    services = services_of_request()
    anyone = "*" in services.settings.cors_origins
    if not anyone and origin not in services.settings.cors_origins and not _of_a_credential(origin, services):
        return response
    response.headers["Access-Control-Allow-Origin"] = "*" if anyone else origin
    response.headers.add("Vary", "Origin")
    response.headers["Access-Control-Expose-Headers"] = SHOWN
    if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
        response.headers["Access-Control-Allow-Methods"] = METHODS
        response.headers["Access-Control-Allow-Headers"] = ASKED
        response.headers["Access-Control-Max-Age"] = str(PREFLIGHT_SECONDS)
    return response


def _of_a_credential(origin: str, services: Services) -> bool:
    with contextlib.suppress(StoreUnavailable):
        return origin in services.store.credentials.origins(services.now_us())
    return False
