"""Whom to believe about the client: `X-Forwarded-*` counts only when a trusted proxy brings it."""
from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

from lrs.probes import FORWARDED
from lrs.serve.gateway import Wsgi

_SAID = ("HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST", "HTTP_X_FORWARDED_PREFIX",
         "HTTP_X_FORWARDED_PORT", "HTTP_FORWARDED", "HTTP_X_REAL_IP")


class Forwarded:
    """WSGI middleware. From a peer in `trusted` (networks) the client's address, scheme, host and base path are taken from
    `X-Forwarded-For` (the last address that is no trusted proxy), `-Proto`, `-Host` and `-Prefix`; from others all such
    headers are dropped. Where no `-Prefix` comes, the base path is that of `public_url`. A proxy may cut the base path off
    or leave it in: both reach the same resource (PEP 3333, SCRIPT_NAME)."""

    def __init__(self, app: Wsgi, trusted: Sequence[str] = (), public_url: str = "") -> None:
        self._app = app
        self._base = _base(urlsplit(public_url).path)
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
        else:
            if said:
                environ[FORWARDED] = True  # the peer is not the client, and who the client is nobody knows
            said = {}
        if base := _base(said.get("HTTP_X_FORWARDED_PREFIX", "").split(",")[0]) or self._base:
            environ["SCRIPT_NAME"] = base
            path = environ.get("PATH_INFO", "")
            environ["PATH_INFO"] = path.removeprefix(base) if path.startswith(base + "/") else path
        return self._app(environ, start_response)

    def _trusts(self, address: str) -> bool:
        try:
            peer = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(peer in network for network in self._trusted)


def _base(path: str) -> str:
    """A base path as SCRIPT_NAME has it: decoded, with a slash before it and none after; '' where it is none."""
    path = unquote(path.strip(), "latin-1").strip("/")
    return f"/{path}" if path and "//" not in path else ""
