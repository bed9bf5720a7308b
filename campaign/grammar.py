"""Requests for every route there is, well formed at first, then mutated by what the formats' grammars allow and forbid."""
from __future__ import annotations

import base64
import gzip
import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from werkzeug.routing import Map

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "BREW")
UUIDS = ("6690e6c9-3ef0-4ed3-8b37-7f3964730bee", "fd41c918-b88b-4b20-a0a5-a4c32391aaa0", "00000000-0000-0000-0000-000000000000")
ODD_TEXT = (
    "", " ", "\0", "\ud800", "a\nb", "null", "0", "-1", "1e999", "9" * 400, "ü€🎓", "\u202e", "%00", "%ff", "../../etc/passwd",
    "' OR 1=1 --", "<script>", "mailto:", "mailto:a@b", "http://", "http://a b", "urn:x", "a" * 3000, "2026-02-30T25:61:61Z", "0000-01-01",
    "P1Y", "PT-1S", "9999-12-31T23:59:59.999999999Z", "2016-12-31T23:59:60Z", "{}", "[]", *UUIDS)
ODD_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5, 10**30, -10**400, 2**63, 2**64, 1e308, [], {}, [[]], {"": ""}, [None], {"a": {"a": {}}},
    {"objectType": "Agent"}, {"objectType": "Group", "member": []}, {"en-US": 1}, {"objectType": []}, *ODD_TEXT)
NUMBERS = (b"-", b"01", b"1.", b"1e", b"NaN", b"Infinity", b"1e400", b"-0", b"0" * 50, b"1" * 5000)
VERB = "http://adlnet.gov/expapi/verbs/"


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `path` is raw, before any quoting; `query` and the values of `headers` are as they go on the wire."""

    method: str
    path: str
    query: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    def printed(self) -> str:
        """For a person who wants to send it again."""
        return (f"{self.method} {self.path!r}?{self.query[:500]!r} {self.headers!r}\n"
                f"body ({len(self.body)} bytes, base64): {base64.b64encode(self.body[:20_000]).decode()}")


def agent(draw: random.Random) -> dict[str, Any]:
    """An agent or group by any kind of identifier."""
    kinds: tuple[dict[str, Any], ...] = (
        {"mbox": "mailto:a@b.example"}, {"mbox_sha1sum": "a" * 40}, {"openid": "http://a.example"}, {"objectType": "Agent", "name": "A",
         "account": {"homePage": "http://a.example", "name": "a"}}, {"objectType": "Group", "mbox": "mailto:g@b.example"},
        {"objectType": "Group", "member": [{"mbox": "mailto:m@b.example"}]})
    return draw.choice(kinds)


def statement(draw: random.Random) -> dict[str, Any]:
    """A valid statement that uses much of the standard."""
    objects: tuple[dict[str, Any], ...] = (
        {"id": "http://a.example/1"}, {"id": "http://a.example/2", "definition": {"type": "http://adlnet.gov/expapi/activities/course"}},
        {"id": "http://a.example/q", "definition": {
            "type": "http://adlnet.gov/expapi/activities/cmi.interaction", "interactionType": "choice",
            "correctResponsesPattern": ["a[,]b"], "choices": [{"id": "a"}, {"id": "b"}]}},
        {"objectType": "StatementRef", "id": draw.choice(UUIDS)}, {"objectType": "Agent", "mbox": "mailto:o@b.example"},
        {"objectType": "SubStatement", "actor": agent(draw), "verb": {"id": VERB + "answered"}, "object": {"id": "http://a.example/s"}})
    verb = {"id": VERB + draw.choice(("completed", "answered", "voided")), "display": {"en": "did"}}
    one: dict[str, Any] = {"actor": agent(draw), "verb": verb, "object": draw.choice(objects)}
    more: tuple[tuple[str, Any], ...] = (
        ("id", draw.choice(UUIDS)), ("timestamp", "2026-11-24T12:00:00.123+01:00"), ("version", draw.choice(("1.0.0", "2.0.0"))),
        ("result", {"score": {"scaled": 0.5, "raw": 5, "min": 0, "max": 10}, "success": True, "completion": True, "duration": "PT1H2M3.4S",
                    "response": "r", "extensions": {"http://x.example/e": [1.10, {"y": None}]}}),
        ("context", {"registration": UUIDS[0], "instructor": {"mbox": "mailto:i@b.example"}, "language": "en-US", "platform": "p",
                     "statement": {"objectType": "StatementRef", "id": UUIDS[1]}, "contextActivities": {"parent": [{"id": "http://a.example/p"}],
                                                                                                         "grouping": {"id": "http://a.example/g"}},
                     "team": {"objectType": "Group", "mbox": "mailto:t@b.example"}, "extensions": {"http://x.example/c": "v"}}),
        ("attachments", [{"usageType": "http://u.example", "display": {"en": "a"}, "contentType": "text/plain", "length": 3,
                          "sha2": "9834876dcfb05cb167a5c24953eba58c4ac89b1adf57f28f2f9d09af107ee8f0", "fileUrl": "http://f.example"}]),
        ("authority", {"mbox": "mailto:auth@b.example"}), ("stored", "2026-11-24T12:00:00Z"))
    return one | {name: value for name, value in more if draw.random() < 0.4}


def _lms(draw: random.Random) -> dict[str, Any]:
    return {"event": "learning.completed", "id": "e1", "user": {"email": "a@b.example", "externalId": "1"},
            "course": {"id": "http://c.example", "title": "C"}, "completedAt": "2026-11-24T12:00:00Z", "status": "passed", "score": 0.8}


def _zoom(draw: random.Random) -> dict[str, Any]:
    event = draw.choice(("meeting.participant_joined", "meeting.participant_left", "meeting.ended", "endpoint.url_validation"))
    return {"event": event, "event_ts": 1764000000000, "payload": {"plainToken": "q", "account_id": "a", "object": {
        "id": "85746065", "uuid": "4444AAAiAAAAAiAiAiiAii==", "topic": "T", "start_time": "2026-11-24T12:00:00Z", "duration": 60,
        "participant": {"user_id": "1", "user_name": "A", "email": "a@b.example", "join_time": "2026-11-24T12:00:00Z"}}}}


def _rows(draw: random.Random) -> dict[str, Any]:
    return {"courses": [{"id": "http://c.example", "title": "C", "aliases": ["http://d.example"]}],
            "rows": [{"iri": VERB + "did", "verb": "completed"}],
            "format": "csv", "text": "id,title\nhttp://c.example,C\n", "version": 1, "name": "n", "note": "why", "scopes": ["all"],
            "statement": statement(draw), "employee_id": "1", "email": "a@b.example", "connector": "webhook",
            "settings": {"url": "https://t.example", "secret": "whsec_" + "A" * 43 + "="}, "kind": "zoom", "state": "active", "ids": ["1"]}


def _some(rows: dict[str, Any], draw: random.Random) -> Any:
    return {key: rows[key] for key in draw.sample(sorted(rows), draw.randint(0, 6))} if draw.random() < 0.7 else [rows]


BODIES: Mapping[str, Callable[[random.Random], Any]] = {
    "/xapi/statements": lambda draw: statement(draw) if draw.random() < 0.5 else [statement(draw) for _ in range(draw.randint(0, 4))],
    "/hooks/lms": _lms, "/hooks/zoom": _zoom, "/xapi/": lambda draw: {"a": draw.random(), "b": [1, {"c": None}]},
    "/api/": lambda draw: _some(_rows(draw), draw),
}
"""Start of a path → a body that belongs there; the first that fits."""
PARAMETERS: Mapping[str, Sequence[str]] = {
    "statementId": UUIDS, "voidedStatementId": UUIDS,
    "agent": ('{"mbox":"mailto:a@b.example"}', '{"account":{"homePage":"http://a.example","name":"a"}}'),
    "verb": (VERB + "completed", "completed"), "activity": ("http://a.example/1",), "registration": UUIDS,
    "related_activities": ("true", "false"), "related_agents": ("true",), "since": ("2026-11-24T12:00:00Z", "0", "5"),
    "until": ("2026-11-24T12:00:00Z",), "limit": ("0", "1", "7"),
    "format": ("ids", "exact", "canonical", "csv", "ndjson", "parquet"), "attachments": ("true", "false"), "ascending": ("true",),
    "activityId": ("http://a.example/1",), "stateId": ("s",), "profileId": ("p",), "exclude_source": ("", "x"), "course": ("http://c.example",),
    "raw": ("true",), "method": ("GET", "PUT", "POST", "DELETE"), "cursor": ("1", "x"), "state": ("dead",), "target": ("t",),
    "more": ("1",), "page": ("1",), "q": ("a",), "dry": ("true",), "from": ("1",), "to": ("2",),
}


def requests(url_map: Map, key: str, secret: str, seed: int) -> Callable[[int], Request]:
    """The n-th request of a seed. Routes are taken from the application's own table, so that a new one is met at once."""
    rules = sorted({(rule.rule, method) for rule in url_map.iter_rules() for method in rule.methods or ()})
    basic = "Basic " + base64.b64encode(f"{key}:{secret}".encode()).decode()

    def nth(n: int) -> Request:
        draw = random.Random(f"{seed} {n}")
        rule, method = draw.choice(rules)
        made = _valid(rule, method, key, basic, draw)
        for _ in range(draw.choice((0, 1, 1, 1, 2, 3, 6))):
            made = draw.choice(MUTATIONS)(made, draw)
        return made

    return nth


def _valid(rule: str, method: str, key: str, basic: str, draw: random.Random) -> Request:
    path = ""
    for part in rule.split("<"):
        _, closed, rest = part.partition(">")
        path += draw.choice((key, "1", "2", *UUIDS)) + rest if closed else part
    names = _likely(rule)
    query = urlencode([(name, draw.choice(list(PARAMETERS[name]))) for name in names if draw.random() < 0.6])
    headers = [("Authorization", basic), ("X-Experience-API-Version", draw.choice(("1.0.3", "1.0.3", "2.0.0")))]
    body = b""
    if method in ("POST", "PUT", "PATCH"):
        make = next((make for start, make in BODIES.items() if rule.startswith(start)), BODIES["/api/"])
        body = encoded(make(draw))
        headers.append(("Content-Type", "application/json"))
    if rule.startswith("/xapi/") and method == "POST" and draw.random() < 0.1:
        inner = draw.choice(("GET", "PUT", "POST", "DELETE"))
        form = [("Authorization", basic), ("X-Experience-API-Version", "1.0.3"), ("Content-Type", "application/json"),
                *((name, draw.choice(list(PARAMETERS[name]))) for name in names), ("content", body.decode("utf-8", "replace"))]
        query, body = f"method={inner}", urlencode(form).encode()
        headers = [("Content-Type", "application/x-www-form-urlencoded")]
    elif rule.startswith("/xapi/statements") and method in ("POST", "PUT") and draw.random() < 0.15:
        body, kind = multipart(body, draw)
        headers[-1] = ("Content-Type", kind)
    return Request(method, path, query, tuple(headers), body)


def _likely(rule: str) -> Sequence[str]:
    if rule.startswith("/xapi/statements"):
        return ("verb", "agent", "activity", "registration", "since", "until", "limit", "format", "ascending", "attachments",
                "related_agents", "related_activities", "statementId")
    if rule.startswith("/xapi/"):
        return ("activityId", "agent", "stateId" if "state" in rule else "profileId", "registration")
    return ("since", "limit", "format", "verb", "course", "exclude_source", "cursor", "state")


def encoded(value: Any) -> bytes:
    """JSON, lone surrogates as escapes."""
    return json.dumps(value, ensure_ascii=True).encode()


def multipart(body: bytes, draw: random.Random) -> tuple[bytes, str]:
    """The body with an attachment, and its media type."""
    boundary = draw.choice(("b", "abc def", "-", "x" * 70))
    line = b"--" + boundary.encode()
    return (line + b"\r\nContent-Type: application/json\r\n\r\n" + body + b"\r\n" + line +
            b"\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: binary\r\nX-Experience-API-Hash: "
            b"9834876dcfb05cb167a5c24953eba58c4ac89b1adf57f28f2f9d09af107ee8f0\r\n\r\naaa\r\n" + line + b"--\r\n",
            f'multipart/mixed; boundary="{boundary}"')


def _places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(place for key, one in inner for place in _places(one, (*at, key)))]


def _json(made: Request, draw: random.Random) -> Request:
    """Replace, remove, double, rename or wrap one place of the body's tree."""
    try:
        tree = json.loads(made.body)
        places = _places(tree)
    except (ValueError, RecursionError):  # no JSON, or made so deep before that nothing can be done to it here
        return made
    place = draw.choice(places)
    odd = draw.choice(ODD_VALUES)
    if not place:
        return replace(made, body=encoded(draw.choice((odd, [tree, tree], {"a": tree}))))
    holder = tree
    for step in place[:-1]:
        holder = holder[step]
    last = place[-1]
    what = draw.randrange(5)
    if what == 0:
        del holder[last]
    elif what == 1 and isinstance(holder, dict):
        holder[draw.choice((*ODD_TEXT, "ID", "mbox", "objectType", "id"))] = holder.pop(last)
    elif what == 2 and isinstance(holder, dict):
        holder[draw.choice(ODD_TEXT)] = odd
    elif what == 3:
        for _ in range(draw.choice((2, 20, 150))):
            holder[last] = draw.choice(([holder[last]], {"a": holder[last]}))
    else:
        holder[last] = odd
    return replace(made, body=encoded(tree))


def _bytes(made: Request, draw: random.Random) -> Request:
    """Cut, flip, insert, repeat bytes of the body, or put an odd number or key where one stands."""
    body = bytearray(made.body or b"x")
    at = draw.randrange(len(body))
    what = draw.randrange(6)
    if what == 0:
        del body[at:]
    elif what == 1:
        body[at] ^= 1 << draw.randrange(8)
    elif what == 2:
        body[at:at] = draw.choice(
            (b"\0", b"\xff", b"\xed\xa0\x80", b"\\ud800", b"\xef\xbb\xbf", b",", b"}", b'"', b"[" * 500, b'{"a":' * 200))
    elif what == 3:
        body[at:at] = body[at:at + draw.randrange(1, 200)]
    elif what == 4:
        number = draw.choice((b"0.5", b"true", b"null", b"10", b"5"))
        body = bytearray(bytes(body).replace(number, draw.choice(NUMBERS)))
    else:
        doubled = bytes(body).replace(b'"actor"', b'"actor":{},"actor"')
        body = bytearray(doubled.replace(b'"id"', draw.choice((b'"id":1,"id"', b'"i\\u0064"'))))
    return replace(made, body=bytes(body))


def _query(made: Request, draw: random.Random) -> Request:
    """Drop, double, add a parameter, or give it an odd value, quoted well or not at all."""
    given = [one for one in made.query.split("&") if one]
    odd = draw.choice(ODD_TEXT)
    value = urlencode({"": odd}, errors="surrogatepass")[1:]
    if draw.random() < 0.2:
        value = draw.choice(("%", "%zz", "a=b=c", "%ff%fe", ";", "&&", "+"))
    name = draw.choice((*PARAMETERS, "", "unknown"))
    what = draw.randrange(4)
    if given and what == 0:
        given.remove(draw.choice(given))
    elif given and what == 1:
        given.append(draw.choice(given))
    elif given and what == 2:
        at = draw.randrange(len(given))
        given[at] = f"{given[at].partition('=')[0]}={value}"
    else:
        given.append(f"{name}={value}")
    return replace(made, query="&".join(given))


HEADERS: Mapping[str, Sequence[str]] = {
    "Authorization": (
        "", "Basic", "Basic !!!", "Basic " + base64.b64encode(b"a").decode(), "Basic " + base64.b64encode(b"\xff:\0").decode(),
        "Bearer x", "Basic " + "A" * 5000),
    "X-Experience-API-Version": ("", "0.9", "1.0", "1.0.99", "2", "2.0.0", "3.0.0", "1.0.3\xe9", " 1.0.3 "),
    "Content-Type": (
        "", "text/plain", "application/json; charset=utf-16", "multipart/mixed", "multipart/mixed; boundary=",
        "multipart/mixed; boundary=b", "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=b", ";", "a/b/c", "application/JSON"),
    "Content-Encoding": ("gzip", "deflate", "br", "gzip, gzip", "identity", "x", ","),
    "If-Match": ("*", '"', '"a"', "a", 'W/"a"', '"a", "b"'), "If-None-Match": ("*", '"a"', ""),
    "Accept-Language": ("de", "*;q=0", "en;q=x", ",,", "a" * 500), "Accept-Encoding": ("gzip", "gzip;q=0", "*;q=x"),
    "Host": ("", "evil.example", "a:b:c", "[::1", "\xff"), "Accept": ("text/html", "", "*/*;q=2"),
    "X-Request-ID": ("a" * 100, "\xe9", "ok"), "Origin": ("null", "http://evil.example", ""), "Range": ("bytes=0-", "bytes=9-1"),
    "If-Modified-Since": ("x", "Tue, 24 Nov 2026 12:00:00 GMT"), "X-Forwarded-For": ("1.2.3.4, x", ""), "Cookie": ("a=b; c", "\xff"),
    "webhook-id": ("a", ""), "webhook-timestamp": ("0", "x", "9" * 30), "webhook-signature": ("v1,", "v1,!", "x", "v1,a v2,b"),
    "x-zm-signature": ("v0=", "v0=aa", "\xe9"), "x-zm-request-timestamp": ("0", "x", "9" * 30), "Expect": ("100-continue", "x"),
}


def _header(made: Request, draw: random.Random) -> Request:
    """Drop a header, or put an odd one in its place; a coding may fit the body."""
    name = draw.choice(list(HEADERS))
    rest = tuple(one for one in made.headers if one[0] != name)
    if draw.random() < 0.15:
        return replace(made, headers=rest)
    value = draw.choice(list(HEADERS[name]))
    body = gzip.compress(made.body, 1) if name == "Content-Encoding" and value == "gzip" and draw.random() < 0.7 else made.body
    return replace(made, headers=(*rest, (name, value)), body=body)


def _line(made: Request, draw: random.Random) -> Request:
    """Another method, or an odd path."""
    if draw.random() < 0.5:
        return replace(made, method=draw.choice(METHODS))
    parts = made.path.split("/")
    parts[draw.randrange(1, len(parts))] = draw.choice((*ODD_TEXT, "..", ".", "statements", "1" * 30, "%2f"))
    return replace(made, path="/".join(parts) or "/")


Mutation = Callable[[Request, random.Random], Request]
MUTATIONS: tuple[Mutation, ...] = (_json, _json, _json, _bytes, _query, _header, _line)
