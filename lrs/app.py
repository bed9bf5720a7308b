"""Builds the web application from its services: every resource, one error shape, health."""
from __future__ import annotations

from flask import Flask

from lrs import admin, feeds, hooks, http, probes, xapi
from lrs.services import Services


def create_app(services: Services) -> Flask:
    """The WSGI application on these services. It opens nothing and starts nothing by itself."""
    app = Flask("lrs", static_folder=None)
    # else a path with // is answered by a redirect in HTML, to whatever host the request names
    app.url_map.merge_slashes = False
    # first: the error shape that http installs is the one that answers, for this API's routes too
    admin.register(app)
    http.install(app, services)
    xapi.register(app, services)
    hooks.register(app)
    feeds.register(app)
    probes.register(app, services)
    return app
