"""A twin of HubSpot's contacts, to rehearse against: an own process with an own file."""
from __future__ import annotations

import json
import sqlite3
import threading
import uuid
from collections import Counter
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, unquote

from lrs.sandbox.shell import Reply, Request, main

UPSERT = ("/crm/v3/objects/contacts/batch/upsert", "/crm/objects/2026-03/contacts/batch/upsert")
UNIQUE = ("email", "employee_id")
PROPERTIES = {
    *UNIQUE, "firstname", "lastname", "learning_course_id", "learning_course_title", "learning_status", "learning_score",
    "learning_completed_at", "learning_event_id", "learning_learner", "learning_revoked",
}
INPUTS_MAX = 100
REASONS = {
    401: ("INVALID_AUTHENTICATION", "Authentication credentials not found or invalid."),
    403: ("MISSING_SCOPES", "This app hasn't been granted all required scopes."),
    404: ("OBJECT_NOT_FOUND", "resource not found"),
    405: ("METHOD_NOT_ALLOWED", "method not allowed"),
    429: ("RATE_LIMITS", "You have reached your ten_secondly_rolling limit."),
}


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


class HubSpot:
    """The twin: contacts are written by upsert in batches; a bad row is refused alone."""

    def __init__(self, data: str, key: str) -> None:
        self._contacts, self._key = Contacts(data), key

    def refusal(self, status: int) -> Reply:
        """HubSpot's error object, with the policy's name where a limit was met."""
        category, message = REASONS.get(status, ("INTERNAL_ERROR", "internal error"))
        limit = {"errorType": "RATE_LIMIT", "policyName": "TEN_SECONDLY_ROLLING"} if status == 429 else {}
        return Reply(status, {**_error(category, message), **limit})

    def answer(self, request: Request) -> Reply:
        """One request to the contacts."""
        method, path = request.method, request.path
        if path in ("/", "/health"):
            return Reply(200, {"sandbox": "hubspot"})
        if path == "/sandbox/contacts":
            return Reply(200, self._contacts.all())
        if path == "/sandbox/writes":
            return Reply(200, self._contacts.writes())
        authorization = request.headers.get("authorization", "")
        if not authorization.startswith("Bearer ") or len(authorization) < 8 or (self._key and authorization != f"Bearer {self._key}"):
            return self.refusal(401)
        if (method, path) == ("GET", "/crm/v3/objects/contacts"):
            return Reply(200, {"results": self._contacts.all()[:100]})
        if method == "GET" and path.startswith("/crm/v3/objects/contacts/"):
            wanted, prop = unquote(path.rpartition("/")[2]), parse_qs(request.query).get("idProperty", ["id"])[0]
            found = next((c for c in self._contacts.all() if wanted == (c["id"] if prop == "id" else c["properties"].get(prop))), None)
            return Reply(200, found) if found else self.refusal(404)
        if path not in UPSERT:
            return self.refusal(404)
        return self._upsert(request) if method == "POST" else self.refusal(405)

    def _upsert(self, request: Request) -> Reply:
        try:
            inputs = json.loads(request.body)["inputs"]
        except (ValueError, TypeError, KeyError):
            return Reply(400, _error("VALIDATION_ERROR", "Invalid input JSON: inputs is required"))
        if not isinstance(inputs, list) or not 1 <= len(inputs) <= INPUTS_MAX:
            return Reply(400, _error("VALIDATION_ERROR", f"inputs must hold 1 to {INPUTS_MAX} rows"))
        named = Counter((str(row.get("idProperty")), str(row.get("id"))) for row in inputs if isinstance(row, dict))
        if doubled := [name for (_, name), times in named.items() if times > 1]:
            return Reply(400, _error("VALIDATION_ERROR", f"Duplicate IDs found in batch input: {doubled[0]}"))
        refused = next((n for n, row in enumerate(inputs) if request.refuse_row is not None and request.refuse_row in json.dumps(row)), -1)
        started, results, errors = _now(), [], []
        for n, row in enumerate(inputs):
            trace = str(row.get("objectWriteTraceId", "")) if isinstance(row, dict) else ""
            if wrong := "fault on demand" if n == refused else complaint(row):
                errors.append({"status": "error", "category": "VALIDATION_ERROR", "message": wrong, "objectWriteTraceId": trace,
                               "context": {"objectWriteTraceId": [trace]}})
                continue
            contact, new, held = self._contacts.upsert(row["idProperty"], row["id"], row["properties"], trace)
            results.append({"id": contact, "new": new, "properties": held, "archived": False, "objectWriteTraceId": trace,
                            "createdAt": started, "updatedAt": _now()})
        value: dict[str, Any] = {"status": "COMPLETE", "results": results, "startedAt": started, "completedAt": _now()}
        return Reply(207, {**value, "numErrors": len(errors), "errors": errors}) if errors else Reply(200, value)


def _error(category: str, message: str) -> dict[str, str]:
    return {"status": "error", "message": message, "category": category, "correlationId": str(uuid.uuid4())}


def _now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


if __name__ == "__main__":
    main(HubSpot, __doc__, "The access token it accepts; any if empty.")
