"""The resources of the xAPI standard, a module a resource; `register` puts them under /xapi."""
from __future__ import annotations

from flask import Blueprint, Flask, request

from lrs.http import Refused
from lrs.services import Services
from lrs.xapi import about, alternate, direct, documents, known, launches, statements
from lrs.xapi.browsers import for_browsers
from lrs.xapi.responses import STATEMENTS, packed_if_asked, with_version

ROUTES = (
    ("/xapi/about", "GET", about.about),
    (STATEMENTS, "GET", statements.get),
    (STATEMENTS, "POST", statements.post),
    (STATEMENTS, "PUT", statements.put),
    ("/xapi/activities", "GET", known.activities),
    ("/xapi/agents", "GET", known.agents),
    (launches.FETCH + "/<token>", "POST", launches.fetch),
    *((resource.path, method, getattr(resource, method.lower())) for resource in documents.RESOURCES
      for method in ("GET", "PUT", "POST", "DELETE")),
)


def register(app: Flask, services: Services) -> None:
    """Serve the resources with and without a slash at the end, also by the alternate request syntax."""
    xapi = Blueprint("xapi", __name__)
    # of the app, not of the blueprint: what the router refuses (404, 405) belongs to no blueprint
    for last_word in (packed_if_asked, with_version, for_browsers):
        app.after_request(last_word)
    unfolded = alternate.Alternate(app.wsgi_app, services.settings.limits.body_max)
    app.wsgi_app = direct.Direct(unfolded, services)  # type: ignore[method-assign]

    @xapi.before_request
    def readable() -> None:
        if why := request.environ.get(alternate.REFUSED):
            raise Refused(400, why, "alternate_request")

    for rule, method, view in ROUTES:
        # two rules: with one for both forms the router finds no other method of the form without a slash (404, no Allow)
        for form in (rule, rule + "/"):
            xapi.add_url_rule(
                form, endpoint=f"{rule.strip('/').partition('/<')[0].replace('/', '_')}_{method.lower()}",
                view_func=view, methods=[method], strict_slashes=False,
            )
    app.register_blueprint(xapi)
