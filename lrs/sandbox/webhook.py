"""A receiver of Standard Webhooks, to rehearse against: it verifies, drops repeats and keeps what came."""
from __future__ import annotations

import argparse
import base64
import hashlib
import hmac
import json
import sqlite3
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

TOLERANCE = 300


class Received:
    """Every request that was accepted, repeats too, in a file."""

    def __init__(self, path: str) -> None:
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute("CREATE TABLE IF NOT EXISTS received (n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT, body TEXT)")
        self._lock = threading.Lock()

    def add(self, message_id: str, body: str) -> None:
        """Keep one request."""
        with self._lock:
            self._db.execute("INSERT INTO received (id, body) VALUES (?, ?)", (message_id, body))

    def all(self) -> list[dict[str, Any]]:
        """One row a webhook-id, in order of arrival: `id`, `event`, and how many `times` it came."""
        with self._lock:
            rows = self._db.execute("SELECT id, body, count(*) FROM received GROUP BY id ORDER BY min(n)").fetchall()
        return [{"id": i, "event": json.loads(b), "times": t} for i, b, t in rows]


def complaint(headers: Mapping[str, str], body: bytes, secret: str, now: float) -> str:
    """Why a request is not a webhook signed with `secret`; '' if it is."""
    message_id, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not message_id or not stamp.isdigit():
        return "webhook-id and webhook-timestamp are required"
    if abs(now - int(stamp)) > TOLERANCE:
        return "webhook-timestamp is too far from now"
    if not secret:
        return ""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    mine = base64.b64encode(hmac.new(key, f"{message_id}.{stamp}.".encode() + body, hashlib.sha256).digest()).decode()
    given = [s.removeprefix("v1,") for s in headers.get("webhook-signature", "").split() if s.startswith("v1,")]
    return "" if any(hmac.compare_digest(mine, one) for one in given) else "no signature matches"


def serve(port: int, data: str, secret: str) -> None:
    """Answer on 127.0.0.1 until killed."""
    received = Received(data)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self, status: int, value: Any) -> None:
            text = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def do_GET(self) -> None:
            """What it holds."""
            self._answer(200, received.all() if urlsplit(self.path).path == "/sandbox/received" else {"sandbox": "webhook"})

        def do_POST(self) -> None:
            """Verify, keep, acknowledge."""
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {k.lower(): v for k, v in self.headers.items()}
            wrong = complaint(headers, body, secret, time.time())
            if wrong:
                self._answer(401, {"error": wrong})
                return
            try:
                json.loads(body)
            except ValueError:
                self._answer(400, {"error": "the body is not JSON"})
                return
            received.add(headers["webhook-id"], body.decode())
            self._answer(200, {"received": headers["webhook-id"]})

        def log_message(self, *_: Any) -> None:
            """Quiet: what it holds can be read back at /sandbox/received."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
    with suppress(KeyboardInterrupt):
        server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--data", default=":memory:")
    parser.add_argument("--key", default="", help="The signing secret, whsec_…; unsigned requests pass if empty.")
    given = parser.parse_args()
    serve(given.port, given.data, given.key)
