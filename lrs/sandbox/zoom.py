"""A twin of Zoom, to rehearse against: it plays scripted meetings as signed webhooks, and has their reports afterwards."""
from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import sqlite3
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import parse_qs, unquote, urlsplit
from urllib.request import Request, urlopen

from lrs.sandbox import shell

TOKEN_SECONDS = 3600
PAGE_MIN, PAGE_MAX, PAGE_DEFAULT = 1, 300, 30
NO_MEETING = 404, {"code": 3001, "message": "Meeting does not exist"}
NO_TOKEN = 401, {"code": 124, "message": "Invalid access token."}
OLD_TOKEN = 401, {"code": 124, "message": "Access token is expired."}
NO_CLIENT = 400, {"reason": "Invalid client_id or client_secret", "error": "invalid_client"}
NO_GRANT = 400, {"reason": "unsupported grant type", "error": "unsupported_grant_type"}
NO_PAGE = 400, {"code": 300, "message": "The next page token is invalid or expired."}
NO_SCOPE = 400, {"code": 4711, "message": "Invalid access token, does not contain scopes:[report:read:list_meeting_participants:admin]."}
TOO_MANY = 429, {"code": 429, "message": "You have reached the maximum per-second rate limit for this API. Try again later."}
BROKEN = 500, {"code": 500, "message": "Internal Server Error"}
REFUSALS = {400: NO_SCOPE, 401: OLD_TOKEN, 404: NO_MEETING, 429: TOO_MANY, 500: BROKEN}
HOST = "HOST-1"
Answer = tuple[int, Any]


class Zoom:
    """The account: meetings that were scripted, tokens that are out, what was asked of it."""

    def __init__(self, path: str, key: str) -> None:
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute("CREATE TABLE IF NOT EXISTS meetings (uuid TEXT PRIMARY KEY, body TEXT)")
        self._lock = threading.Lock()
        self.key = key
        self.tokens: dict[str, float] = {}
        self.pages: dict[str, int] = {}
        self.requests: list[str] = []
        self.sent: list[dict[str, Any]] = []

    def meetings(self) -> list[dict[str, Any]]:
        """The scripts, oldest first."""
        with self._lock:
            return [json.loads(body) for (body,) in self._db.execute("SELECT body FROM meetings ORDER BY rowid")]

    def keep(self, meeting: dict[str, Any]) -> None:
        """Durable when this returns."""
        with self._lock:
            self._db.execute("INSERT OR REPLACE INTO meetings VALUES (?, ?)", (meeting["uuid"], json.dumps(meeting)))

    def meeting(self, name: str) -> dict[str, Any] | None:
        """By uuid, else the latest run of a meeting number."""
        return next((one for one in reversed(self.meetings()) if name in (one["uuid"], str(one["id"]))), None)


def token(zoom: Zoom, query: dict[str, str], authorization: str) -> Answer:
    """Server-to-Server OAuth: a token for an account; any client is known that has an id and a secret."""
    try:
        client, _, secret = base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
    except ValueError:
        client = secret = ""
    if not authorization.startswith("Basic ") or not client or not secret:
        return NO_CLIENT
    if query.get("grant_type") != "account_credentials" or not query.get("account_id"):
        return NO_GRANT
    new = secrets.token_urlsafe(32)
    zoom.tokens[new] = time.monotonic() + TOKEN_SECONDS
    return 200, {"access_token": new, "token_type": "bearer", "expires_in": TOKEN_SECONDS, "scope": "report:read:admin meeting:read:admin",
                 "api_url": "https://api.zoom.us"}


def api(zoom: Zoom, path: str, query: dict[str, str], authorization: str) -> Answer:
    """The read side under /v2: reports, past meetings, hosts and their meetings."""
    zoom.requests.append(path)
    expires = zoom.tokens.get(authorization.removeprefix("Bearer "))
    if not authorization.startswith("Bearer ") or expires is None:
        return NO_TOKEN
    if expires < time.monotonic():
        return OLD_TOKEN
    match [unquote(part) for part in path.split("/")[2:]]:
        case ["report", "meetings", name, "participants"] | ["past_meetings", name, "participants"]:
            meeting = zoom.meeting(unquote(name))
            if meeting is None or (not meeting.get("report", True) and "/report/" in path) or meeting.get("report") == "none":
                return NO_MEETING
            return page(zoom, query, "participants", rows(meeting))
        case ["report", "users"]:
            there = zoom.meetings()
            return page(zoom, query, "users", [{"id": HOST, "email": "host@example.com", "meetings": len(there)}] if there else [])
        case ["report", "users", _, "meetings"]:
            days = query.get("from", ""), query.get("to", "")
            return page(zoom, query, "meetings", [listed(m) for m in zoom.meetings()
                                                  if days[0] <= m["start_time"][:10] <= days[1] and len(m["participants"]) >= 2])
    return 404, {"code": 2300, "message": "This API endpoint is not recognized."}


def page(zoom: Zoom, query: dict[str, str], name: str, found: list[dict[str, Any]]) -> Answer:
    """A page, and the token of the next; a token serves once."""
    try:
        size = min(PAGE_MAX, max(PAGE_MIN, int(query.get("page_size") or PAGE_DEFAULT)))
    except ValueError:
        return 400, {"code": 300, "message": "Validation Failed.", "errors": [{"field": "page_size", "message": "Invalid field."}]}
    given = query.get("next_page_token", "")
    if given and given not in zoom.pages:
        return NO_PAGE
    start = zoom.pages.pop(given, 0)
    after = ""
    if start + size < len(found):
        after = secrets.token_urlsafe(24)
        zoom.pages[after] = start + size
    return 200, {"page_count": -(-len(found) // size), "page_size": size, "total_records": len(found), "next_page_token": after,
                 name: found[start:start + size]}


def rows(meeting: dict[str, Any]) -> list[dict[str, Any]]:
    """The report: a row a connection, with what the webhooks left out (`report_email`, drops)."""
    found = []
    for person in meeting["participants"]:
        for n, stay in enumerate(stays(person)):
            left = stay.get("leave") or meeting["end_time"]
            found.append({
                "id": person.get("id", ""), "user_id": device(person, n), "name": person.get("name", "Somebody"),
                "user_email": person.get("report_email", person.get("email", "")), "registrant_id": person.get("registrant_id", ""),
                "customer_key": person.get("customer_key", ""), "join_time": stay["join"], "leave_time": left,
                "duration": int((when(left) - when(stay["join"])).total_seconds()), "failover": False, "status": "in_meeting"})
    return found


def listed(meeting: dict[str, Any]) -> dict[str, Any]:
    """The meeting as the list of a host's past meetings prints it: `duration` is how many minutes it was."""
    length = int((when(meeting["end_time"]) - when(meeting["start_time"])).total_seconds() // 60)
    return {"uuid": meeting["uuid"], "id": meeting["id"], "type": 2, "topic": meeting["topic"], "user_name": "Host",
            "user_email": "host@example.com", "start_time": meeting["start_time"], "end_time": meeting["end_time"], "duration": length,
            "total_minutes": length, "participants_count": len(meeting["participants"])}


def events(meeting: dict[str, Any]) -> list[dict[str, Any]]:
    """The webhooks of a meeting in the order of time, without those that its script drops."""
    base = {key: meeting[key] for key in ("uuid", "id", "topic", "duration")} | {
        "host_id": HOST, "type": 2, "timezone": "UTC", "start_time": meeting.get("scheduled_start", meeting["start_time"])}
    found = [("meeting.started", meeting["start_time"], dict(base)),
             ("meeting.ended", meeting["end_time"], {**base, "end_time": meeting["end_time"]})]
    for person in meeting["participants"]:
        for n, stay in enumerate(stays(person)):
            who = {"user_id": device(person, n), "user_name": person.get("name", "Somebody"), "email": person.get("email", ""),
                   "participant_uuid": f"PU-{device(person, n)}"}
            who |= {key: person[key] for key in ("id", "registrant_id", "customer_key") if person.get(key)}
            dropped = stay.get("drop", ())
            if "joined" not in dropped:
                found.append(("meeting.participant_joined", stay["join"], {**base, "participant": {**who, "join_time": stay["join"]}}))
            if "left" not in dropped and stay.get("leave"):
                leave = {**who, "leave_time": stay["leave"], "leave_reason": "left the meeting"}
                found.append(("meeting.participant_left", stay["leave"], {**base, "participant": leave}))
    kept = [one for one in found if one[0].partition(".")[2] not in meeting.get("drop", ())]
    return [{"event": name, "event_ts": int(when(at).timestamp() * 1000), "payload": {"account_id": "ACC-1", "object": fields}}
            for name, at, fields in sorted(kept, key=lambda one: when(one[1]))]


def script(given: Any) -> dict[str, Any] | str:
    """The script of a meeting with defaults filled in, or what is wrong with it.

    `participants`: [{name, email, report_email, registrant_id, customer_key, id, user_id, stays: [{join, leave, drop}]}].
    Times are ISO 8601. `drop` of a stay: joined | left; of the meeting: started | ended | participant_joined |
    participant_left. `report`: true, false (only the past meeting has it), or "none".
    """
    if not isinstance(given, dict) or not isinstance(given.get("participants"), list):
        return "a meeting needs participants, a list"
    ends = datetime.now(UTC).replace(microsecond=0)
    meeting = {"id": "80000000001", "uuid": secrets.token_urlsafe(16), "topic": "Meeting", "duration": 60,
               "start_time": text(ends - timedelta(hours=1)), "end_time": text(ends), **given}
    try:
        times = [meeting["start_time"], meeting["end_time"]]
        times += [stay[key] for person in meeting["participants"] for stay in stays(person) for key in ("join", "leave") if stay.get(key)]
        for time_ in times:
            when(time_)
        events(meeting)
    except (TypeError, ValueError, KeyError, AttributeError) as fault:
        return f"each participant needs stays, each with a join; times are ISO 8601 ({type(fault).__name__}: {fault})"
    return meeting


def stays(person: dict[str, Any]) -> list[dict[str, Any]]:
    """The connections of a participant, one after the other or at once."""
    found: list[dict[str, Any]] = person["stays"]
    return found


def device(person: dict[str, Any], n: int) -> str:
    """Zoom gives every connection a number of its own within the meeting."""
    if person.get("user_id"):
        return f"{person['user_id']}{n or ''}"
    named = "".join(str(person.get(key, "")) for key in ("name", "email", "report_email", "registrant_id"))
    return str(16_778_240 + int(hashlib.sha256(f"{named} {n}".encode()).hexdigest()[:6], 16))


def send(zoom: Zoom, url: str, body: dict[str, Any]) -> Answer:
    """One webhook, signed as Zoom signs: `v0=` and the hex HMAC-SHA256 of `v0:<timestamp>:<body>`."""
    data, stamp = json.dumps(body, separators=(",", ":")).encode(), str(int(time.time()))
    signed = hmac.new(zoom.key.encode(), b"v0:" + stamp.encode() + b":" + data, hashlib.sha256).hexdigest()
    request = Request(url, data, {"content-type": "application/json", "user-agent": "Zoom Marketplace/1.0a",
                                  "x-zm-request-timestamp": stamp, "x-zm-signature": f"v0={signed}"})
    try:
        with urlopen(request, timeout=10) as answer:
            status, said = answer.status, answer.read(20_000)
    except HTTPError as fault:
        status, said = fault.code, fault.read(20_000)
    except (URLError, OSError, ValueError) as fault:
        status, said = 0, str(fault).encode()
    try:
        value = json.loads(said)
    except ValueError:
        value = said.decode("utf-8", "replace")
    zoom.sent.append({"event": body["event"], "status": status, "answer": value})
    return status, value


def validate(zoom: Zoom, url: str) -> Answer:
    """The handshake: whether the endpoint knows the secret token."""
    plain = secrets.token_urlsafe(16)
    question = {"event": "endpoint.url_validation", "event_ts": int(time.time() * 1000), "payload": {"plainToken": plain}}
    status, value = send(zoom, url, question)
    expected = {"plainToken": plain, "encryptedToken": hmac.new(zoom.key.encode(), plain.encode(), hashlib.sha256).hexdigest()}
    return 200, {"validated": status == 200 and value == expected, "status": status, "answer": value}


def command(zoom: Zoom, method: str, path: str, value: Any) -> Answer:
    """The side for whoever rehearses, under /sandbox: play a meeting, read back what happened."""
    url = value.get("url", "") if isinstance(value, dict) else ""
    match method, path:
        case "GET", "/sandbox/meetings":
            return 200, zoom.meetings()
        case "GET", "/sandbox/sent":
            return 200, zoom.sent
        case "GET", "/sandbox/requests":
            return 200, zoom.requests
        case "POST", "/sandbox/validate":
            return validate(zoom, url) if url else (400, {"error": "url is needed"})
        case "POST", "/sandbox/meetings":
            meeting = script(value)
            if isinstance(meeting, str):
                return 400, {"error": meeting}
            zoom.keep(meeting)
            answers = [send(zoom, url, event) for event in events(meeting)] if url else []
            return 201, {"uuid": meeting["uuid"], "sent": len(answers), "accepted": sum(status in (200, 204) for status, _ in answers)}
        case "POST", "/sandbox/tokens/expire":
            zoom.tokens = dict.fromkeys(zoom.tokens, 0.0)
            return 200, {"expired": len(zoom.tokens)}
    return 404, {"error": "no such command"}


def answer(zoom: Zoom, method: str, target: str, authorization: str, body: bytes) -> Answer:
    """(status, JSON) of one request."""
    address = urlsplit(target)
    query = {key: values[-1] for key, values in parse_qs(address.query).items()}
    if address.path in ("/", "/health"):
        return 200, {"sandbox": "zoom"}
    if address.path.startswith("/sandbox/"):
        try:
            return command(zoom, method, address.path, json.loads(body) if body else {})
        except ValueError:
            return 400, {"error": "the body is not JSON"}
    if (method, address.path) == ("POST", "/oauth/token"):
        return token(zoom, query, authorization)
    if method != "GET" or not address.path.startswith("/v2/"):
        return 404, {"code": 2300, "message": "This API endpoint is not recognized."}
    return api(zoom, address.path, query, authorization)


def when(time_: str) -> datetime:
    """An ISO 8601 time, UTC where it names no zone."""
    found = datetime.fromisoformat(time_)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def text(time_: datetime) -> str:
    """As Zoom writes times."""
    return time_.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class ZoomTwin:
    """The twin: it plays meetings, and answers the read side of the API."""

    def __init__(self, data: str, key: str) -> None:
        self._zoom = Zoom(data, key or "sandbox-secret-token")

    def answer(self, request: shell.Request) -> shell.Reply:
        """One request."""
        target = f"{request.path}?{request.query}" if request.query else request.path
        return _reply(answer(self._zoom, request.method, target, request.headers.get("authorization", ""), request.body))

    def refusal(self, status: int) -> shell.Reply:
        """Zoom's code and message; 400 says that the token lacks the scope."""
        return _reply(REFUSALS.get(status, (status, {"code": status, "message": "Internal Server Error"})))


def _reply(given: Answer) -> shell.Reply:
    return shell.Reply(given[0], given[1], content_type="application/json;charset=UTF-8")


if __name__ == "__main__":
    shell.main(ZoomTwin, __doc__, "The secret token with which it signs webhooks.")
