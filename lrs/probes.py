"""For those who watch: /health/live, /health/ready and /metrics, and who may see them."""
from __future__ import annotations

import ipaddress

from flask import Flask, Response, request

from lrs import http
from lrs.errors import Forbidden, StoreUnavailable
from lrs.management.health import Standing, reasons
from lrs.metrics import CONTENT_TYPE
from lrs.services import Services

FORWARDED = "lrs.forwarded"
"""In the environ: the request came through a proxy whose word does not count (`lrs.serve.forwarded`)."""
LOOPBACK = ("127.0.0.0/8", "::1/128")


def register(app: Flask, services: Services) -> None:
    """Add the routes. `/health/…` tell everybody live or not, ready or not; why, and the metrics, are for `may_watch`."""
    standing = Standing(services)

    def live() -> Response:
        """200 as long as the process answers at all."""
        return http.answer_json({"status": "live"})

    def ready() -> Response:
        """200 when statements are taken in and worked on, else 503."""
        found = reasons(services)
        if not found:
            return http.answer_json({"status": "ready"})
        told = {"reasons": found} if watches(services) else {}
        return http.answer_json({"status": "not ready", **told}, 503, {"Retry-After": "5", "Cache-Control": "no-store"})

    def metrics() -> Response:
        """Everything of `lrs.metrics.METRICS` in Prometheus' text format."""
        if not near(services):
            http.provider("all/read")
        return Response(services.metrics.exposed(standing), content_type=CONTENT_TYPE)

    app.add_url_rule("/health/live", view_func=live)
    app.add_url_rule("/health/ready", view_func=ready)
    app.add_url_rule("/metrics", view_func=metrics)


def near(services: Services) -> bool:
    """Whether the client is of the networks that may watch without a credential. Behind a proxy every client may seem to be this
    machine: then nobody is, unless the setting says so, and what a proxy that is not trusted passes on never is."""
    settings = services.settings
    networks = settings.watch_networks or (() if settings.behind_proxy else LOOPBACK)
    if request.environ.get(FORWARDED):
        return False
    try:
        peer = ipaddress.ip_address(request.remote_addr or "")
    except ValueError:
        return False
    return any(peer in ipaddress.ip_network(network) for network in networks)


def watches(services: Services) -> bool:
    """Whether who asks may know more than yes or no: near, or with a credential that reads everything."""
    if near(services):
        return True
    try:
        http.provider("all/read")
    except (http.Unauthorized, Forbidden, StoreUnavailable):
        return False
    return True
