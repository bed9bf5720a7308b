"""The log: one line a message on stderr, as text for people or JSON for machines."""
from __future__ import annotations

import json
import logging
import sys
import time
from contextvars import ContextVar

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""The id of the request that is being answered, in the thread that answers it; else ''."""
_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def _of_request(record: logging.LogRecord) -> bool:
    """Put the request's id on the line, where one is being answered."""
    if (known := request_id.get()) and "request_id" not in vars(record):
        record.request_id = known
    return True


class Text(logging.Formatter):
    """A line for people; the request's id at its end."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as text."""
        text, known = super().format(record), vars(record).get("request_id")
        return f"{text} [{known}]" if known else text


class Json(logging.Formatter):
    """One JSON object a line; what is passed as `extra` becomes members."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line of JSON."""
        entry = {
            "at": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        entry |= {name: value for name, value in vars(record).items() if name not in _PLAIN}
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, default=str, ensure_ascii=False)


def set_up(level: str = "info", as_json: bool = False) -> None:
    """Send the messages of this process to stderr, at or above `level`."""
    out = logging.StreamHandler(sys.stderr)
    out.setFormatter(Json() if as_json else Text("%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%H:%M:%S"))
    out.addFilter(_of_request)
    logging.basicConfig(level=level.upper(), handlers=[out], force=True)
    # a line for every request to a target, with its whole address, in whose query some vendors want a key, and with the
    # headers of the answer: never wanted, at no level
    for telling in ("httpx", "httpcore", "urllib3"):
        logging.getLogger(telling).setLevel(logging.WARNING)
