"""The errors that cross a seam, as values with a place: what is wrong, where, by which rule."""
from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One broken rule. `where` is a JSON pointer into the statement (RFC 6901), `rule` the rule's key,
    `section` its section of the standard, `found` the offending value shortened to 100 characters."""

    where: str
    why: str
    rule: str
    section: str
    found: str = ""
    index: int | None = None


class Invalid(ValueError):
    """Input that breaks a rule; carries every finding, in order (answered 400)."""

    def __init__(self, findings: list[Finding]) -> None:
        super().__init__("; ".join(f"{f.where}: {f.why}" if f.where else f.why for f in findings[:3]))
        self.findings = findings


class Taken(Invalid):
    """What shall be made is there already, under this key or name (answered 409)."""


class NotFound(Exception):
    """There is nothing of this key or name, or nothing that whoever asks may know of (answered 404)."""


class WrongState(Exception):
    """What is asked does not fit the state of the thing, as when it is revoked already (answered 409)."""


class Lost(WrongState):
    """A part of the store that was there is gone: a file, a collection. Nothing is opened; the text says what can be done."""


class TooLarge(Exception):
    """A limit was exceeded (answered 413). `setting` names the setting that holds the limit."""

    def __init__(self, why: str, setting: str, limit: int) -> None:
        super().__init__(why)
        self.setting, self.limit = setting, limit


class Conflict(Exception):
    """Another statement already stands under this id (answered 409). `index` is its place in the batch."""

    def __init__(self, index: int, statement_id: str, stored: bytes) -> None:
        super().__init__(f"another statement is already stored under id {statement_id}; this one needs an id of its own")
        self.index, self.statement_id, self.stored = index, statement_id, stored


class Damaged(Exception):
    """A backup is not what it was when it was made, or is none; the text says all that is wrong."""


class PreconditionFailed(Exception):
    """The document is not in the state that If-Match or If-None-Match asks for (answered 412)."""


class DocumentExists(Exception):
    """A document stands there and the request does not say that it knows (answered 409)."""


class Forbidden(Exception):
    """The credential may not do this (answered 403); the text says what it lacks."""


class StoreUnavailable(Exception):
    """The store could not answer, nothing was half done (answered 503 with Retry-After, seconds). `advice` is for the client."""

    advice = "the store is unavailable; nothing was stored, send it again"

    def __init__(self, original: BaseException | str, retry_after: int = 2) -> None:
        super().__init__(f"the store is unavailable: {original}")
        self.original, self.retry_after = original, retry_after


class Undecided(StoreUnavailable):
    """The store was asked to commit and did not say whether it did: all of it stands, or nothing."""

    advice = "the store did not say whether this was stored, all or nothing; send it again with the ids of its statements in it"
