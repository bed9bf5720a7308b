"""The document resources (xAPI 1.0.3 Communication 2.2, 2.3, 2.6, 2.7): State, Activity Profile and Agent Profile."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime

from flask import Response, request

from lrs.errors import Finding, Invalid, TooLarge
from lrs.http import Refused, answer_json, content, provider, services_of_request
from lrs.statements import documents, query
from lrs.statements.documents import Conditions, Document, Key
from lrs.xapi import launches
from lrs.xapi.params import only, version

View = Callable[[], Response]


@dataclass(frozen=True, slots=True)
class Resource:
    """One of the three. `takes`: its parameters, each with whether it is demanded everywhere; `id`: the one that names
    the document; `many`: whether DELETE without it removes all; `conditional`: whether a PUT needs If-(None-)Match."""

    path: str
    kind: str
    scope: str
    section: str
    id: str
    takes: tuple[str, ...]
    many: bool = False
    conditional: bool = True

    def get(self) -> Response:
        """The document; without its id the ids of all that stand there, those written after `since` (exclusive), and when the
        latest of them was (Communication 2.2, Last-Modified)."""
        given = self._asked(self.scope, "since")
        store = services_of_request().store.documents
        if self.id not in given:
            since = query.value("since", given["since"], "?since", self.section) if "since" in given else None
            found = store.ids(self._key(given), since, any_registration=self._any_registration(given))
            return answer_json(list(found), headers=_modified(max(found.values())) if found else None)
        if "since" in given:
            raise Invalid([Finding("?since", f"since goes with a list; leave out {self.id}, or since", "document.since", self.section)])
        document = store.get(self._key(given))
        if document is None:
            raise Refused(404, f"there is no document {given[self.id][:200]} there")
        headers = {"ETag": document.etag, "Content-Type": document.content_type, **_modified(document.updated)}
        if isinstance(document.content, bytes):
            return Response(document.content, 200, headers)
        return Response(document.pieces(), 200, headers | {"Content-Length": str(document.size)})

    def put(self) -> Response:
        """Store the document in place of whatever is there; 204."""
        return self._write(documents.put)

    def post(self) -> Response:
        """Store the document, or merge it into the JSON object that is there; 204."""
        return self._write(documents.post)

    def delete(self) -> Response:
        """Remove the document (State without stateId: all of them); 204, also where there was none."""
        given = self._asked(self.scope)
        store = services_of_request().store.documents
        if self.id in given:
            store.change(self._key(given), documents.delete(_conditions()))
        elif self.many:
            store.delete_all(self._key(given), any_registration=self._any_registration(given))
        else:
            raise self._missing(self.id)
        return Response(status=204)

    def _write(self, decide: Callable[[Document, Conditions], documents.Decide]) -> Response:
        given = self._asked(self.scope)
        if self.id not in given:
            raise self._missing(self.id)
        limit = services_of_request().settings.limits.document_max
        new = Document(content(), request.headers.get("Content-Type", "application/octet-stream"))
        # xAPI 2.0 4.1.4 protects states too, where one would be overwritten
        demanded = "always" if self.conditional else "existing" if version() == "2.0.0" else ""
        conditions = _conditions(demanded if decide is documents.put else "")
        made = services_of_request().store.documents.change(self._key(given), _within(limit, decide(new, conditions)))
        return Response(status=204, headers={"ETag": made.etag} if made else None)

    def _asked(self, scope: str, *more: str) -> dict[str, str]:
        provider(scope, launched=True)
        version()
        given = only((*self.takes, self.id, *more))
        for name in self.takes:
            if name not in given and name != "registration":
                raise self._missing(name)
        return given

    def _key(self, given: dict[str, str]) -> Key:
        read = {name: query.value(reader, given[name], f"?{name}", self.section)
                for name, reader in (("activityId", "activity"), ("agent", "agent"), ("registration", "registration")) if name in given}
        launches.check(read.get("activityId"), read.get("agent"))
        if self.kind == "activity_profile":
            launches.check_reads()
        return Key(self.kind, read.get("activityId", ""), read.get("agent", ""), read.get("registration", ""), given.get(self.id, ""))

    def _any_registration(self, given: dict[str, str]) -> bool:
        """Without a registration a list of states holds those of every registration (Communication 2.3)."""
        return "registration" in self.takes and "registration" not in given

    def _missing(self, name: str) -> Invalid:
        return Invalid([Finding(f"?{name}", f"the parameter {name} is missing", "document.parameter", self.section)])


RESOURCES = (
    Resource("/xapi/activities/state", "state", "state", "Communication 2.3", "stateId", ("activityId", "agent", "registration"),
             many=True, conditional=False),
    Resource("/xapi/activities/profile", "activity_profile", "profile", "Communication 2.7", "profileId", ("activityId",)),
    Resource("/xapi/agents/profile", "agent_profile", "profile", "Communication 2.6", "profileId", ("agent",)),
)


def _within(limit: int, decide: documents.Decide) -> documents.Decide:
    """Also what a merge makes must not be larger than the limit: many small ones would go beyond it."""
    def decided(stored: Document | None) -> Document | None:
        made = decide(stored)
        if made is not None and made.size > limit:
            raise TooLarge(f"the document would have {made.size} bytes, the limit document_max is {limit}", "document_max", limit)
        return made

    return decided


def _conditions(demanded: str = "") -> Conditions:
    return Conditions(request.headers.get("If-Match"), request.headers.get("If-None-Match"), demanded)


def _modified(updated: int) -> dict[str, str]:
    return {"Last-Modified": format_datetime(datetime.fromtimestamp(updated // 1_000_000, UTC), usegmt=True)}
