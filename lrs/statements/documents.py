"""Documents of the State, Activity Profile and Agent Profile resources: what a PUT, POST or DELETE makes of one."""
from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import orjson

from lrs.errors import DocumentExists, Finding, Invalid, PreconditionFailed
from lrs.statements import syntax
from lrs.statements.members import members, put_together

DEPTH_MAX = 100
PIECE = 2**16
"""Bytes: a document up to this is held in memory, a larger one goes from and to the store in such pieces."""


@dataclass(frozen=True, slots=True)
class Key:
    """Where a document stands. `kind` is state | activity_profile | agent_profile; `agent` an identifier in the form of
    `lrs.statements.actors`; `registration` a UUID in lower case; what a kind does not have is ''. `id` is the stateId or
    profileId."""

    kind: str
    activity: str = ""
    agent: str = ""
    registration: str = ""
    id: str = ""


class Large(Protocol):
    """Content that is not held in memory."""

    @property
    def size(self) -> int:
        """Its bytes."""
        ...

    @property
    def sha1(self) -> str:
        """SHA-1 of them, lower-case hex."""
        ...

    def pieces(self) -> Iterator[bytes]:
        """All of it, from the beginning, in pieces of at most PIECE bytes; may be asked again."""
        ...


@dataclass(frozen=True, slots=True)
class Document:
    """A document: its bytes as they came, their media type, and when it was last written, µs since 1970 UTC."""

    content: bytes | Large
    content_type: str
    updated: int = 0

    @property
    def size(self) -> int:
        """Bytes of content."""
        return len(self.content) if isinstance(self.content, bytes) else self.content.size

    @property
    def sha1(self) -> str:
        """SHA-1 of the bytes in lower-case hex."""
        return hashlib.sha1(self.content, usedforsecurity=False).hexdigest() if isinstance(self.content, bytes) else self.content.sha1

    @property
    def etag(self) -> str:
        """The entity tag: SHA-1 of the bytes in lower-case hex, quoted (xAPI 1.0.3 Communication 3.1)."""
        return f'"{self.sha1}"'

    def whole(self) -> bytes:
        """The content in memory."""
        return self.content if isinstance(self.content, bytes) else b"".join(self.content.pieces())

    def pieces(self) -> Iterator[bytes]:
        """The content in pieces of at most PIECE bytes, at least one."""
        if isinstance(self.content, bytes):
            for start in range(0, max(1, len(self.content)), PIECE):
                yield self.content[start:start + PIECE]
        else:
            yield from self.content.pieces()


@dataclass(frozen=True, slots=True)
class Conditions:
    """If-Match and If-None-Match as sent, None where absent. `demanded`: when one of them must be there: never, where a
    document stands already (`existing`), or `always`."""

    if_match: str | None = None
    if_none_match: str | None = None
    demanded: str = ""

    def check(self, stored: Document | None) -> None:
        """Raises `PreconditionFailed`, `DocumentExists`, or `Invalid` where a demanded header is missing
        (xAPI 1.0.3 Communication 3.1, RFC 9110 §13.1)."""
        if self.if_match is not None and not _matches(self.if_match, stored):
            raise PreconditionFailed("If-Match: there is no document" if stored is None else
                                     f"If-Match: the document's entity tag is {stored.etag}; read it again, then write")
        if self.if_none_match is not None and _matches(self.if_none_match, stored):
            raise PreconditionFailed("If-None-Match: a document is there already")
        if self.demanded and self.if_match is None and self.if_none_match is None:
            if stored is not None:
                raise DocumentExists("a document is there already: GET it first, then PUT with If-Match: <its ETag>")
            if self.demanded == "existing":
                return
            why = "a PUT needs If-Match: <entity tag>, or If-None-Match: * for a new document"
            raise Invalid([Finding("", why, "document.condition", "Communication 3.1")])


Decide = Callable[[Document | None], Document | None]
"""From the document that stands there (None: none) to the one that shall; None deletes it. May raise."""


def put(new: Document, conditions: Conditions) -> Decide:
    """Replace whatever is there."""
    def decide(stored: Document | None) -> Document:
        conditions.check(stored)
        return new

    return decide


def post(new: Document, conditions: Conditions) -> Decide:
    """Merge into what is there (xAPI 1.0.3 Communication 2.2): both must be JSON objects; members of the new one replace
    those of the same name, one level deep. The bytes of each member stay as they came."""
    def decide(stored: Document | None) -> Document:
        conditions.check(stored)
        if stored is None:
            if is_json(new.content_type):
                _object(new, "the document")
            return new
        for document, whose in ((stored, "the stored document"), (new, "the document sent")):
            if not is_json(document.content_type):
                raise _not_mergeable(f"{whose} is {document.content_type or 'of no type'}, and only application/json can be "
                                     "merged; PUT replaces it")
            _object(document, whose)
        return Document(put_together({**members(stored.whole()), **members(new.whole())}), "application/json", new.updated)

    return decide


def delete(conditions: Conditions) -> Decide:
    """Remove what is there, if anything is."""
    def decide(stored: Document | None) -> None:
        conditions.check(stored)

    return decide


def is_json(content_type: str) -> bool:
    """Whether a media type, parameters aside, is application/json."""
    return content_type.partition(";")[0].strip().lower() == "application/json"


def _object(document: Document, whose: str) -> None:
    content = document.whole()
    try:
        value = orjson.loads(content)
    except orjson.JSONDecodeError:
        found = syntax.diagnosis(content, DEPTH_MAX)
        raise _not_mergeable(f"{whose} is not JSON: {found.why}") from None
    if not isinstance(value, dict):
        raise _not_mergeable(f"{whose} is JSON, but no object ({json.dumps(value)[:60]})")


def _not_mergeable(why: str) -> Invalid:
    return Invalid([Finding("", why, "document.merge", "Communication 2.2")])


def _matches(header: str, stored: Document | None) -> bool:
    if stored is None:
        return False
    if header.strip() == "*":
        return True
    tags = {tag.strip().removeprefix("W/") for tag in header.split(",")}
    # some clients send the tag without its quotes
    return stored.etag in tags or stored.etag.strip('"') in tags
