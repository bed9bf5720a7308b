"""The resources of the xAPI standard, a module a resource; `register` puts them under /xapi."""
from __future__ import annotations

from flask import Blueprint, Flask

from lrs.xapi import about, statements
from lrs.xapi.responses import with_version


def register(app: Flask) -> None:
    """Serve the resources with and without a slash at the end."""
    xapi = Blueprint("xapi", __name__)
    xapi.after_request(with_version)
    for rule, method, view in (
        ("/xapi/about", "GET", about.about),
        (statements.PATH, "GET", statements.get),
        (statements.PATH, "POST", statements.post),
        (statements.PATH, "PUT", statements.put),
    ):
        xapi.add_url_rule(
            rule + "/", endpoint=f"{rule.strip('/').replace('/', '_')}_{method.lower()}",
            view_func=view, methods=[method], strict_slashes=False,
        )
    app.register_blueprint(xapi)
