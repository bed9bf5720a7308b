"""A twin of BambooHR's training records, to rehearse against: an own process with an own file."""
from __future__ import annotations

import argparse
import base64
import json
import re
import sqlite3
import threading
from contextlib import suppress
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

TYPES = {"18": "Compliance", "19": "Safety", "20": "Skills"}
FIELDS = {"completed", "type", "cost", "instructor", "hours", "credits", "notes"}


class Records:
    """The training records, in a file."""

    def __init__(self, path: str) -> None:
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute("CREATE TABLE IF NOT EXISTS records (id INTEGER PRIMARY KEY AUTOINCREMENT, employee TEXT, body TEXT)")
        self._lock = threading.Lock()

    def run(self, sql: str, *values: Any) -> sqlite3.Cursor:
        """One statement, durable when this returns."""
        with self._lock:
            return self._db.execute(sql, values)

    def of(self, where: str = "1", *values: Any) -> list[dict[str, Any]]:
        """The records as BambooHR prints them."""
        with self._lock:
            rows = self._db.execute(f"SELECT id, employee, body FROM records WHERE {where} ORDER BY id", values).fetchall()
        return [{"id": str(n), "employeeId": employee, **json.loads(body)} for n, employee, body in rows]


def complaint(record: Any) -> str:
    """What BambooHR would refuse about a training record; '' if nothing."""
    if not isinstance(record, dict):
        return "the body must be a JSON object"
    if unknown := set(record) - FIELDS:
        return f"unknown field: {', '.join(sorted(unknown))}"
    try:
        if not re.fullmatch(r"\d{4}-\d\d-\d\d", str(record.get("completed"))):
            raise ValueError
        date.fromisoformat(record["completed"])
    except ValueError:
        return "completed is required and must be yyyy-mm-dd"
    kind = record.get("type")
    if not isinstance(kind, int) or isinstance(kind, bool):
        return "type is required and must be an integer"
    if str(kind) not in TYPES:
        return f"there is no training type {kind}"
    for name in ("hours", "credits"):
        if name in record and (isinstance(record[name], bool) or not isinstance(record[name], int | float)):
            return f"{name} must be a number"
    cost = record.get("cost")
    if cost is not None and not (isinstance(cost, dict) and {"currency", "amount"} <= set(cost)):
        return "cost must hold currency and amount"
    return "" if all(isinstance(record.get(n, ""), str) for n in ("notes", "instructor")) else "notes and instructor are text"


def answer(records: Records, key: str, method: str, path: str, authorization: str, body: bytes) -> tuple[int, Any]:
    """(status, JSON) of one request."""
    if path in ("/", "/health"):
        return 200, {"sandbox": "bamboohr"}
    if path == "/sandbox/records":
        return 200, records.of()
    try:
        user = base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")[0]
    except ValueError:
        user = ""
    if not authorization.startswith("Basic ") or not user or (key and user != key):
        return 401, {"error": "invalid API key"}
    parts = [unquote(p) for p in path.split("/")[1:]]
    if parts[:3] != ["api", "v1", "training"]:
        return 404, {"error": "no such resource"}
    if (method, parts[3:]) == ("GET", ["type"]):
        return 200, {n: {"id": n, "name": name} for n, name in TYPES.items()}
    if len(parts) != 5 or parts[3] != "record" or not re.fullmatch(r"[0-9]+", parts[4]):
        return 404, {"error": "no such resource"}
    if method == "GET":
        return 200, {r["id"]: r for r in records.of("employee = ?", parts[4])}
    if method == "DELETE":
        gone = records.run("DELETE FROM records WHERE id = ?", int(parts[4])).rowcount
        return (200, {"id": parts[4]}) if gone else (404, {"error": "no such training record"})
    try:
        record = json.loads(body)
    except ValueError:
        return 400, {"error": "the body is not JSON"}
    if wrong := complaint(record):
        return 400, {"error": wrong}
    if method == "POST":
        made = records.run("INSERT INTO records (employee, body) VALUES (?, ?)", parts[4], json.dumps(record)).lastrowid
        return 201, records.of("id = ?", made)[0]
    if method == "PUT":
        if not records.run("UPDATE records SET body = ? WHERE id = ?", json.dumps(record), int(parts[4])).rowcount:
            return 404, {"error": "no such training record"}
        return 200, records.of("id = ?", int(parts[4]))[0]
    return 405, {"error": "method not allowed"}


def serve(port: int, data: str, key: str) -> None:
    """Answer on 127.0.0.1 until killed."""
    records = Records(data)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _do(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            status, value = answer(records, key, self.command, urlsplit(self.path).path,
                                   self.headers.get("authorization", ""), body)
            text = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_PUT = do_DELETE = _do

        def log_message(self, *_: Any) -> None:
            """Quiet: what it holds can be read back at /sandbox/records."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
    with suppress(KeyboardInterrupt):
        server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--data", default=":memory:")
    parser.add_argument("--key", default="", help="The API key it accepts; any if empty.")
    given = parser.parse_args()
    serve(given.port, given.data, given.key)
