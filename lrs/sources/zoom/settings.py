"""What a connection to Zoom asks of whoever sets it up."""
from __future__ import annotations

from collections.abc import Callable

from lrs.schema import COMMON, Setting

RETENTION_DAYS = 30


def _between(low: int, high: int) -> Callable[[str], str]:
    return lambda value: "" if low <= int(value) <= high else f"must be between {low} and {high}"


def _tokens(text: str) -> str:
    short = [one for one in text.split() if len(one) < 8]
    return "a secret token has at least 8 characters; separate several by spaces" if short else ""


SCHEMA: tuple[Setting, ...] = (
    Setting("secret_token", "The app's Secret Token (Marketplace: your app, Features, Access). While it is changed: the new "
                            "and the old one, separated by a space, the new one first.", "secret", required=True, check=_tokens),
    Setting("account_id", "Account ID of a Server-to-Server OAuth app; for the reports that add what webhooks missed."),
    Setting("client_id", "Client ID of that app."),
    Setting("client_secret", "Client Secret of that app.", "secret"),
    Setting("url", "Base of Zoom's API.", "url", default="https://api.zoom.us"),
    Setting("auth_url", "Where its tokens are had.", "url", default="https://zoom.us"),
    Setting("attendance_percent", "Share of a session's length that makes presence a completion (1 to 100).", "int",
            default=80, check=_between(1, 100)),
    Setting("attendance_of", "What the share is taken of: scheduled (the actual length where none is known) or actual.",
            default="scheduled", check=lambda v: "" if v in ("scheduled", "actual") else "must be scheduled or actual"),
    Setting("retention_days", "Days that webhooks are kept as they came (1 to 365).", "int",
            default=RETENTION_DAYS, check=_between(1, 365)),
    *COMMON,
)
"""The settings of a connection with the source `zoom`."""
