"""Inbound webhooks under /hooks: verified, translated by a source's pure adapter, stored as statements."""
from __future__ import annotations

from flask import Flask

from lrs.hooks.lms import lms
from lrs.hooks.zoom import zoom


def register(app: Flask) -> None:
    """Add the hooks' routes to the app."""
    app.add_url_rule("/hooks/lms/<connection>", view_func=lms, methods=["POST"], strict_slashes=False)
    app.add_url_rule("/hooks/zoom/<connection>", view_func=zoom, methods=["POST"], strict_slashes=False)
