"""The deliveries collection: its documents and indexes, and the looks into it that more than one module takes."""
from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bson import Int64

from lrs.store.mongo.database import Calls, Document
from lrs.store.protocols.work import DeliveryRow, Published
from lrs.store.webhook_ids import webhook_id

NAME = "deliveries"
ATTEMPTS = "attempts"
INDEXES: dict[str, dict[str, list[tuple[str, int]]]] = {
    NAME: {"by_due": [("target", 1), ("due", 1), ("n", 1)], "by_event": [("event_id", 1), ("target", 1), ("revision", 1)],
           "by_newest": [("created", 1), ("_id", 1)], "by_leased": [("leased", 1)], "by_lost": [("lost", 1)],
           **{f"by_{field}": [(field, 1), ("created", 1), ("_id", 1)] for field in ("state", "person", "course")}},
    ATTEMPTS: {},
}
SPARSE = frozenset({"by_leased", "by_lost"})
"""`leased` (the target's name) is there while it is leased, `lost` while it is not 0, `due` until it is finished."""
UNSENT = ("pending", "waiting", "parked")
BLOCKING = (*UNSENT, "leased")
FINISHED = ("delivered", "dead", "cancelled")
ROW = dict.fromkeys(("target", "event", "event_id", "revision", "state", "attempts", "due", "why", "created"), 1)
CLAIM = dict.fromkeys(("n", "event", "event_id", "revision", "state", "due", "lost", "attempts", "unclear", "owner"), 1)
END = dict.fromkeys(("target", "state", "lease", "released", "reached", "arrived", "tries"), 1)
SIBLING = dict.fromkeys(("n", "target", "event_id", "revision", "state", "tried"), 1)
AMONG = 100
PAGE = 100
NARROWEST, NARROW = 10_000, 2_000_000
"""µs: the least width of a slice of what is due, and that with which one begins. What is narrow is not sliced at all."""
FREE = {"lease": "", "leased": "", "owner": ""}
"""What is taken out of the document of a delivery that nobody holds any more."""
_ID = re.compile(r"msg_[0-9a-f]{32}\Z")


def key(delivery_id: str) -> bytes | None:
    """The `_id` of the delivery with this webhook-id: its 16 bytes; None for what is no webhook-id."""
    return bytes.fromhex(delivery_id[4:]) if _ID.match(delivery_id) else None


def shown(name: bytes) -> str:
    """The webhook-id of an `_id`."""
    return "msg_" + name.hex()


def row(one: Document) -> DeliveryRow:
    """A delivery as an operator sees it, of a document with ROW."""
    return DeliveryRow(shown(one["_id"]), one["target"], one["event"], one["event_id"], int(one["revision"]), one["state"],
                       int(one["attempts"]), int(one["due"]) if "due" in one else None, one["why"], int(one["created"]))


def document(target: str, event: Published, n: int, now: int) -> Document:
    """A new delivery. `n` is the event's number in the feed, by which those of one time are in order."""
    return {"_id": key(webhook_id(target, event.event_id, event.revision)), "n": Int64(n), "target": target, "event": event.event,
            "event_id": event.event_id, "revision": Int64(event.revision), **about(event.event, event.body),
            "payload": event.body, "state": "pending", "attempts": 0, "due": Int64(now), "unclear": False, "tried": False,
            "reached": False, "arrived": False, "released": False, "tries": 0, "why": "", "created": Int64(now)}


def about(event: str, body: bytes) -> Document:
    """What is sought by, of an event and its payload: whether it takes back, the person, the course."""
    said = {field: value for field, value in _about(body).items() if isinstance(value, str)}
    return {"revoke": event.endswith(".revoked"), **said}


def _about(body: bytes) -> dict[str, Any]:
    try:
        said = json.loads(body)
    except ValueError:
        return {}
    user, course = (said.get(name) for name in ("user", "course")) if isinstance(said, dict) else (None, None)
    return {"person": user.get("externalId") if isinstance(user, dict) else None,
            "course": course.get("id") if isinstance(course, dict) else None}


def attempt(name: bytes, place: int, at: int, state: str, used: int, why: str, status: int | None = None, milliseconds: float = 0.0,
            body: str = "") -> Document:
    """The document of the `place`-th attempt of a delivery: written twice it would be the same."""
    return {"_id": name + place.to_bytes(4, "big"), "at": Int64(at), "state": state, "attempts": used, "why": why,
            "status": status, "milliseconds": milliseconds, "body": body[:2048]}


def chunks(values: Iterable[Any], size: int = AMONG) -> Iterator[list[Any]]:
    """The values in lists of at most this size."""
    listed = list(values)
    for start in range(0, len(listed), size):
        yield listed[start:start + size]


def until_now(now: int) -> Document:
    """The bound of what is due now. Not `$lte`: where more fields follow in the index, SecantusDB leaves out the equal ones."""
    return {"$lt": now + 1}


@dataclass
class Head:
    """Where the backlog of a target seems to begin (`since`, µs; at first nobody knows), and how wide a slice of it is that holds
    about a page. Only speed depends on it: what is due before is looked for, too."""

    since: int = 1 << 62
    width: int = NARROW


Heads = defaultdict[str, Head]
"""By target, of one process."""


def due(calls: Calls, target: str, now: int, head: Head, page: int = PAGE) -> Iterator[list[Document]]:
    """What is due at a target, in the order in which it became so, a page at a time: first all from before its `head`, of which
    there is little, then slice by slice. There are servers that read whatever matches before they give the first of it."""
    low, high = 0, head.since if head.since < now - NARROW else now + 1
    while True:
        pages = between(calls, target, {"$gte": low, "$lt": high}, page)
        first = next(pages, [])
        if low:
            _fit(head, first, page, high <= now)
        if first:
            yield first
            yield from pages
        if high > now:
            return
        low, high = high, min(high + head.width, now + 1)


def _fit(head: Head, first: Sequence[Document], page: int, more: bool) -> None:
    if len(first) == page:
        head.width = max(NARROWEST, int(first[-1]["due"] - first[0]["due"]))
    elif more and len(first) < page // 2:
        head.width *= 2


def between(calls: Calls, target: str, bounds: Document, page: int, **more: Any) -> Iterator[list[Document]]:
    """What becomes due at a target within these bounds, in that order, a page at a time."""
    sort = [("due", 1), ("n", 1)]
    until = {name: value for name, value in bounds.items() if name == "$lt"}
    found = calls.find(NAME, {"target": target, "due": bounds, **more}, CLAIM, sort=sort, limit=page)
    full = len(found) == page
    while found:
        yield found
        last = found[-1]
        found = []
        if full:
            found = calls.find(NAME, {"target": target, "due": last["due"], "n": {"$gt": last["n"]}, **more}, CLAIM, sort=[("n", 1)],
                               limit=page)
            if not found:
                found = calls.find(NAME, {"target": target, "due": {"$gt": last["due"], **until}, **more}, CLAIM, sort=sort, limit=page)
                full = len(found) == page


def siblings(calls: Calls, event_ids: Iterable[str], target: str | None = None) -> dict[tuple[str, str], list[Document]]:
    """All revisions of these achievements (at one target), by target and achievement."""
    found: dict[tuple[str, str], list[Document]] = {}
    of: Document = {} if target is None else {"target": target}
    for some in chunks(dict.fromkeys(event_ids)):
        for one in calls.find(NAME, {"event_id": {"$in": some}, **of}, SIBLING):
            found.setdefault((one["target"], one["event_id"]), []).append(one)
    return found


def heard(revisions: Sequence[Mapping[str, Any]], before: int) -> tuple[bool, bool]:
    """(whether the target got a revision before this one, whether one may have come to it)."""
    earlier = [one for one in revisions if one["revision"] < before]
    return any(one["state"] == "delivered" for one in earlier), any(one["tried"] for one in earlier)


def cancel(calls: Calls, names: Iterable[bytes], why: str) -> None:
    """Cancel these, where they are not sent yet."""
    for some in chunks(names):
        calls.update_many(NAME, {"_id": {"$in": some}, "state": {"$in": UNSENT}},
                          {"$set": {"state": "cancelled", "why": why}, "$unset": {"due": ""}})
