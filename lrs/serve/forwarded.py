"""Whom to believe about the client: `X-Forwarded-*` counts only when a trusted proxy brings it."""
from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from typing import Any

from lrs.serve.gateway import Wsgi

_SAID = ("HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST", "HTTP_X_FORWARDED_PREFIX",
         "HTTP_X_FORWARDED_PORT", "HTTP_FORWARDED", "HTTP_X_REAL_IP")


class Forwarded:
    """WSGI middleware. From a peer in `trusted` (networks) the client's address, scheme and host are taken from
    `X-Forwarded-For` (the last address that is no trusted proxy), `-Proto` and `-Host`; from others all such headers
    are dropped."""

    def __init__(self, app: Wsgi, trusted: Sequence[str] = ()) -> None:
        self._app = app
        self._trusted = [ipaddress.ip_network(network) for network in trusted]

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Pass the request on, with what may be believed about its client."""
        said = {name: environ.pop(name) for name in _SAID if name in environ}
        if said and self._trusts(environ.get("REMOTE_ADDR", "")):
            hops = [hop.strip() for hop in said.get("HTTP_X_FORWARDED_FOR", "").split(",") if hop.strip()]
            client = next((hop for hop in reversed(hops) if not self._trusts(hop)), hops[0] if hops else "")
            if client:
                environ["REMOTE_ADDR"] = client
            scheme = said.get("HTTP_X_FORWARDED_PROTO", "").split(",")[-1].strip().lower()
            if scheme in ("http", "https"):
                environ["wsgi.url_scheme"] = scheme
            host = said.get("HTTP_X_FORWARDED_HOST", "").split(",")[-1].strip()
            if host:
                environ["HTTP_HOST"] = host
        return self._app(environ, start_response)

    def _trusts(self, address: str) -> bool:
        try:
            peer = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(peer in network for network in self._trusted)
