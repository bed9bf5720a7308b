"""Builds the web application from its services: every resource, one error shape, health."""
from __future__ import annotations

from flask import Flask, Response

from lrs import admin, feeds, hooks, http, xapi
from lrs.services import Services


def create_app(services: Services) -> Flask:
    """The WSGI application on these services. It opens nothing and starts nothing by itself."""
    app = Flask("lrs", static_folder=None)
    # else a path with // is answered by a redirect in HTML, to whatever host the request names
    app.url_map.merge_slashes = False
    # first: the error shape that http installs is the one that answers, for this API's routes too
    admin.register(app)
    http.install(app, services)
    xapi.register(app, services.settings.limits.body_max)
    hooks.register(app)
    feeds.register(app)
    app.add_url_rule("/health/live", view_func=_live)
    app.add_url_rule("/health/ready", view_func=_ready)
    return app


def _live() -> Response:
    """200 as long as the process answers at all."""
    return http.answer_json({"status": "live"})


def _ready() -> Response:
    """200 when the store answers, else 503 (`StoreUnavailable`)."""
    http.services_of_request().store.statements.consistent_through()
    return http.answer_json({"status": "ready"})
