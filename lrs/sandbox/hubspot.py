"""A twin of HubSpot's contacts, to rehearse against: an own process with an own file."""
from __future__ import annotations

import argparse
import json
import sqlite3
import threading
import uuid
from contextlib import suppress
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

UPSERT = ("/crm/v3/objects/contacts/batch/upsert", "/crm/objects/2026-03/contacts/batch/upsert")
UNIQUE = ("email", "employee_id")
PROPERTIES = {
    *UNIQUE, "firstname", "lastname", "learning_course_id", "learning_course_title", "learning_status", "learning_score",
    "learning_completed_at", "learning_event_id", "learning_learner", "learning_revoked",
}
INPUTS_MAX = 100


class Contacts:
    """The contacts and every write to them, in a file."""

    def __init__(self, path: str) -> None:
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute("CREATE TABLE IF NOT EXISTS contacts (id INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT)")
        self._db.execute("CREATE TABLE IF NOT EXISTS writes (n INTEGER PRIMARY KEY AUTOINCREMENT, contact INTEGER, trace TEXT, body TEXT)")
        self._lock = threading.Lock()

    def upsert(self, prop: str, value: str, properties: dict[str, str], trace: str) -> tuple[str, bool, dict[str, str]]:
        """(contact id, whether new, its properties)."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            found = self._db.execute("SELECT id, body FROM contacts WHERE json_extract(body, ?) = ?", (f"$.{prop}", value)).fetchone()
            held = {**(json.loads(found[1]) if found else {}), prop: value, **properties}
            if found:
                self._db.execute("UPDATE contacts SET body = ? WHERE id = ?", (json.dumps(held), found[0]))
                contact = found[0]
            else:
                contact = self._db.execute("INSERT INTO contacts (body) VALUES (?)", (json.dumps(held),)).lastrowid
            self._db.execute("INSERT INTO writes (contact, trace, body) VALUES (?, ?, ?)", (contact, trace, json.dumps(properties)))
            self._db.execute("COMMIT")
            return str(contact), not found, held

    def all(self) -> list[dict[str, Any]]:
        """Every contact."""
        with self._lock:
            return [{"id": str(n), "properties": json.loads(b)} for n, b in self._db.execute("SELECT id, body FROM contacts ORDER BY id")]

    def writes(self) -> list[dict[str, Any]]:
        """Every row accepted, oldest first."""
        with self._lock:
            return [{"contact": str(c), "objectWriteTraceId": t, "properties": json.loads(b)}
                    for c, t, b in self._db.execute("SELECT contact, trace, body FROM writes ORDER BY n")]


def complaint(row: Any) -> str:
    """What HubSpot would refuse about a row; '' if nothing."""
    if not isinstance(row, dict) or not isinstance(row.get("id"), str) or not row["id"]:
        return "id is required"
    if row.get("idProperty") not in UNIQUE:
        return f"Property \"{row.get('idProperty')}\" is not a unique property of contacts"
    if row["idProperty"] == "email" and "@" not in row["id"]:
        return f"Email address {row['id']} is invalid"
    properties = row.get("properties")
    if not isinstance(properties, dict):
        return "properties is required"
    for name, value in properties.items():
        if name not in PROPERTIES:
            return f"Property \"{name}\" does not exist"
        if not isinstance(value, str):
            return f"Property \"{name}\" must be a string"
    return ""


def answer(contacts: Contacts, key: str, method: str, path: str, authorization: str, body: bytes,
           query: str = "") -> tuple[int, Any]:
    """(status, JSON) of one request."""
    if path in ("/", "/health"):
        return 200, {"sandbox": "hubspot"}
    if path == "/sandbox/contacts":
        return 200, contacts.all()
    if path == "/sandbox/writes":
        return 200, contacts.writes()
    if not authorization.startswith("Bearer ") or len(authorization) < 8 or (key and authorization != f"Bearer {key}"):
        return 401, _error("INVALID_AUTHENTICATION", "Authentication credentials not found or invalid.")
    if (method, path) == ("GET", "/crm/v3/objects/contacts"):
        return 200, {"results": contacts.all()[:100]}
    if method == "GET" and path.startswith("/crm/v3/objects/contacts/"):
        wanted, prop = unquote(path.rpartition("/")[2]), parse_qs(query).get("idProperty", ["id"])[0]
        found = next((c for c in contacts.all() if wanted == (c["id"] if prop == "id" else c["properties"].get(prop))), None)
        return (200, found) if found else (404, _error("OBJECT_NOT_FOUND", "resource not found"))
    if path not in UPSERT:
        return 404, _error("OBJECT_NOT_FOUND", "no such resource")
    if method != "POST":
        return 405, _error("METHOD_NOT_ALLOWED", "method not allowed")
    try:
        inputs = json.loads(body)["inputs"]
    except (ValueError, TypeError, KeyError):
        return 400, _error("VALIDATION_ERROR", "Invalid input JSON: inputs is required")
    if not isinstance(inputs, list) or not 1 <= len(inputs) <= INPUTS_MAX:
        return 400, _error("VALIDATION_ERROR", f"inputs must hold 1 to {INPUTS_MAX} rows")
    started, results, errors = _now(), [], []
    for row in inputs:
        trace = str(row.get("objectWriteTraceId", "")) if isinstance(row, dict) else ""
        if wrong := complaint(row):
            errors.append({"status": "error", "category": "VALIDATION_ERROR", "message": wrong, "objectWriteTraceId": trace,
                           "context": {"objectWriteTraceId": [trace]}})
            continue
        contact, new, held = contacts.upsert(row["idProperty"], row["id"], row["properties"], trace)
        results.append({"id": contact, "new": new, "properties": held, "archived": False, "objectWriteTraceId": trace,
                        "createdAt": started, "updatedAt": _now()})
    value: dict[str, Any] = {"status": "COMPLETE", "results": results, "startedAt": started, "completedAt": _now()}
    if errors:
        return 207, {**value, "numErrors": len(errors), "errors": errors}
    return 200, value


def _error(category: str, message: str) -> dict[str, str]:
    return {"status": "error", "message": message, "category": category, "correlationId": str(uuid.uuid4())}


def _now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def serve(port: int, data: str, key: str) -> None:
    """Answer on 127.0.0.1 until killed."""
    contacts = Contacts(data)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _do(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            status, value = answer(contacts, key, self.command, urlsplit(self.path).path,
                                   self.headers.get("authorization", ""), body, urlsplit(self.path).query)
            text = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_PUT = do_DELETE = _do

        def log_message(self, *_: Any) -> None:
            """Quiet: what it holds can be read back at /sandbox/contacts."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
    with suppress(KeyboardInterrupt):
        server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--data", default=":memory:")
    parser.add_argument("--key", default="", help="The access token it accepts; any if empty.")
    given = parser.parse_args()
    serve(given.port, given.data, given.key)
