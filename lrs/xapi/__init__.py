"""The resources of the xAPI standard, a module a resource; `register` puts them under /xapi."""
from __future__ import annotations

from flask import Blueprint, Flask

from lrs.xapi import about, statements
from lrs.xapi.responses import with_version


def register(app: Flask) -> None:
    """Serve the resources with and without a slash at the end."""
    xapi = Blueprint("xapi", __name__)
    # of the app, not of the blueprint: what the router refuses (404, 405) belongs to no blueprint
    app.after_request(with_version)
    for rule, method, view in (
        ("/xapi/about", "GET", about.about),
        (statements.PATH, "GET", statements.get),
        (statements.PATH, "POST", statements.post),
        (statements.PATH, "PUT", statements.put),
    ):
        # two rules: with one for both forms the router finds no other method of the form without a slash (404, no Allow)
        for form in (rule, rule + "/"):
            xapi.add_url_rule(
                form, endpoint=f"{rule.strip('/').replace('/', '_')}_{method.lower()}",
                view_func=view, methods=[method], strict_slashes=False,
            )
    app.register_blueprint(xapi)
