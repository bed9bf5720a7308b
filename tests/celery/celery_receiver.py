"""A receiver in the test's own process that remembers when each request came, and answers as the test says."""
from __future__ import annotations

import bisect
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from lrs.store.protocols.work import TargetRow


class Came(NamedTuple):
    """A request: when (s, monotonic), the webhook-id, the event, and the status it was answered with."""

    at: float
    id: str
    event: dict[str, Any]
    status: int


class Receiver(ThreadingHTTPServer):
    """Answers with `status` after `seconds`; while `hold` is clear it does not answer at all."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.came: list[Came] = []
        self.status, self.seconds = 204, 0.0
        self.hold = threading.Event()
        self.hold.set()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def target(self, name: str, **more: Any) -> TargetRow:
        """A webhook to here."""
        return TargetRow(name, "webhook", {"url": f"http://127.0.0.1:{self.server_port}/", "allow_private": True,
                                           "secret": "whsec_" + "B" * 43 + "=", "timeout": 2, **more})

    def people(self, status: int = 204) -> list[str]:
        """The employee ids of what was answered so, in order."""
        return [one.event["user"]["externalId"] for one in list(self.came) if one.status == status]

    def most_within(self, seconds: float) -> int:
        """The most requests that came within so many seconds."""
        at = sorted(one.at for one in list(self.came))
        return max((bisect.bisect_left(at, first + seconds) - n for n, first in enumerate(at)), default=0)

    def close(self) -> None:
        """Stop listening, and let go what is held."""
        self.hold.set()
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        event = json.loads(self.rfile.read(int(self.headers["content-length"])))
        status = self.server.status
        self.server.came.append(Came(time.monotonic(), self.headers["webhook-id"], event, status))
        time.sleep(self.server.seconds)
        self.server.hold.wait()
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass
