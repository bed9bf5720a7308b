"""The completion feed at /feeds/completions: published events, oldest first, by cursor."""
from __future__ import annotations

from flask import Flask

from lrs.feeds.completions import completions


def register(app: Flask) -> None:
    """Add the feed's route to the app."""
    app.add_url_rule("/feeds/completions", view_func=completions, methods=["GET"], strict_slashes=False)
