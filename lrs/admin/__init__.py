"""The management API at /api/v1, with its OpenAPI page."""
from __future__ import annotations

from flask import Flask, Response

from lrs.admin import (
    audit,
    connections,
    courses,
    credentials,
    deliveries,
    docs,
    exports,
    people,
    rejections,
    status,
    targets,
    verbs,
)
from lrs.admin.openapi import Alike, ManagementApi, install_security

NOUNS = (audit, connections, courses, credentials, deliveries, exports, people, rejections, status, targets, verbs)
"""The modules with a `blueprint`; a new noun adds itself here."""


def register(app: Flask) -> None:
    """Add the API's blueprints, /api/v1/openapi.json and the page /api/v1/docs, which loads nothing from elsewhere."""
    app.config.update(API_TITLE="Concord LRS management API", API_VERSION="v1", OPENAPI_VERSION="3.1.0", OPENAPI_URL_PREFIX="/api/v1",
                      OPENAPI_JSON_PATH="openapi.json")
    api = ManagementApi(spec_kwargs={"extra_plugins": [Alike()], "security": [{"credential": []}]})
    api.init_app(app)
    install_security(api.spec)
    for noun in NOUNS:
        api.register_blueprint(noun.blueprint)
    app.add_url_rule("/api/v1/docs", view_func=lambda: Response(docs.page(api.spec.to_dict()), mimetype="text/html"), endpoint="api_docs")
