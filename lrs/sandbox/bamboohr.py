"""A twin of BambooHR's training records, to rehearse against: an own process with an own file."""
from __future__ import annotations

import base64
import json
import re
import sqlite3
import threading
from datetime import date
from typing import Any
from urllib.parse import unquote

from lrs.sandbox.shell import Reply, Request, main

TYPES = {"18": "Compliance", "19": "Safety", "20": "Skills"}
REASONS = {401: "Invalid API key", 403: "No access to this resource", 404: "not found", 429: "Limit exceeded",
           500: "Internal server error", 503: "Service unavailable"}
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


class BambooHr:
    """The twin. Refusals carry their reason in the header X-BambooHR-Error-Message, as BambooHR's do."""

    def __init__(self, data: str, key: str) -> None:
        self._records, self._key = Records(data), key

    def refusal(self, status: int) -> Reply:
        """BambooHR refuses with a header and no body to speak of."""
        return _refused(status, REASONS.get(status, "Something went wrong"))

    def answer(self, request: Request) -> Reply:
        """One request to the training records."""
        if request.path in ("/", "/health"):
            return Reply(200, {"sandbox": "bamboohr"})
        if request.path == "/sandbox/records":
            return Reply(200, self._records.of())
        if not self._knows(request.headers.get("authorization", "")):
            return _refused(401, "Invalid API key")
        parts = [unquote(p) for p in request.path.split("/")[1:]]
        if parts[:3] != ["api", "v1", "training"]:
            return _refused(404, "no such resource")
        if (request.method, parts[3:]) == ("GET", ["type"]):
            return Reply(200, {n: {"id": n, "name": name} for n, name in TYPES.items()})
        if len(parts) != 5 or parts[3] != "record" or not re.fullmatch(r"[0-9]+", parts[4]):
            return _refused(404, "no such resource")
        if request.method in ("POST", "PUT"):
            return self._write(request, parts[4])
        if request.method == "GET":
            return Reply(200, {r["id"]: r for r in self._records.of("employee = ?", parts[4])})
        if request.method == "DELETE":
            gone = self._records.run("DELETE FROM records WHERE id = ?", int(parts[4])).rowcount
            return Reply(200, {"id": parts[4]}) if gone else _refused(404, "no such training record")
        return _refused(405, "method not allowed")

    def _knows(self, authorization: str) -> bool:
        try:
            user = base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")[0]
        except ValueError:
            return False
        return authorization.startswith("Basic ") and bool(user) and self._key in ("", user)

    def _write(self, request: Request, number: str) -> Reply:
        try:
            record = json.loads(request.body)
        except ValueError:
            return _refused(400, "the body is not JSON")
        if wrong := complaint(record):
            return _refused(400, wrong)
        if request.method == "POST":
            made = self._records.run("INSERT INTO records (employee, body) VALUES (?, ?)", number, json.dumps(record)).lastrowid
            return Reply(201, self._records.of("id = ?", made)[0])
        if not self._records.run("UPDATE records SET body = ? WHERE id = ?", json.dumps(record), int(number)).rowcount:
            return _refused(404, "no such training record")
        return Reply(200, self._records.of("id = ?", int(number))[0])


def _refused(status: int, why: str) -> Reply:
    return Reply(status, {"error": why}, {"X-BambooHR-Error-Message": why})


if __name__ == "__main__":
    main(BambooHr, __doc__, "The API key it accepts; any if empty.")
