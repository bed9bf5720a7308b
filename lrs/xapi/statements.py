"""The Statement resource (xAPI 1.0.3 Communication 2.1): POST, PUT, GET and HEAD of /xapi/statements."""
from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from urllib.parse import quote

import orjson
from flask import Response, request

from lrs.auth.scopes import allowed
from lrs.errors import Finding, Invalid
from lrs.http import Refused, answer_json, body, launch_of_request, provider, services_of_request, stored, stream
from lrs.ingest import attached
from lrs.ingest.attached import attachments_of
from lrs.ingest.batch import accept
from lrs.statements import formats
from lrs.statements.languages import preferred
from lrs.statements.query import CURSOR, Asked, read
from lrs.statements.record import Record
from lrs.statements.terms import terms_of
from lrs.store.protocols.attachments import Staged
from lrs.xapi import launches
from lrs.xapi.direct import RAISED
from lrs.xapi.known import definitions_of
from lrs.xapi.params import answered, only, pairs, version
from lrs.xapi.responses import STATEMENTS, statements

SPELLED = "%!$&'()*+,;=:@/?-._~"
"""What may stand in a query as it is (RFC 3986 3.4)."""
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)


def post() -> Response:
    """Store one statement or an array; 200 with their ids in order."""
    who = provider("statements/write", launched=True)
    rules = version()
    only(())
    if refused := request.environ.pop(RAISED, None):
        raise refused
    with _sent() as (text, data):
        added = accept(services_of_request(), text, who, version=rules, data=data, permit=launches.permit())
    ids = [item.id for item in added]
    stored(ids)
    return answer_json(ids)


def put() -> Response:
    """Store the statement under the id of `?statementId`; 204."""
    who = provider("statements/write", launched=True)
    rules = version()
    statement_id = only(("statementId",)).get("statementId")
    if statement_id is None or not _UUID.fullmatch(statement_id):
        why = "PUT needs the parameter statementId, a UUID"
        raise Invalid([Finding("?statementId", why, "query.statementId", "Communication 2.1.1", (statement_id or "")[:100])])
    with _sent() as (text, data):
        accept(services_of_request(), text, who, statement_id=statement_id.lower(), version=rules, data=data,
               permit=launches.permit())
    stored([statement_id.lower()])
    return Response(status=204)


def get() -> Response:
    """One statement by `statementId` or `voidedStatementId`, else a page of those that the filters find."""
    who = provider("statements/read/mine", launched=True)
    version()
    services = services_of_request()
    limits = services.settings.limits
    # the credential of a launch reads what others stored too, of its actor and activity
    mine = None if allowed(who.scopes, "statements/read") or launch_of_request() else who.credential_id
    terms = terms_of(services.store.statements.term_key)
    asked = read(launches.narrowed(pairs()), terms, page_default=limits.page_default, page_max=limits.page_max, mine=mine)
    return _page(asked) if asked.statement_id is None else _single(asked, asked.statement_id, mine)


def _single(asked: Asked, statement_id: str, mine: str | None) -> Response:
    store = services_of_request().store.statements
    # asked before the statement is looked up: what is found then is never newer than what the header promises
    through = store.consistent_through()
    record = store.get(statement_id, voided=asked.voided)
    if record is None or not _readable(record, mine):
        other = store.get(statement_id, voided=not asked.voided)
        there = other is not None and _readable(other, mine)
        raise Refused(404, f"statement {statement_id} is {'not ' if asked.voided else ''}voided: ask for it with "
                           f"{'statementId' if asked.voided else 'voidedStatementId'}" if there else
                           f"there is no {'voided ' if asked.voided else ''}statement {statement_id} that you may read")
    text = _formatted(asked, [record])[0]
    return statements(text, consistent_through=through, data=_data([record]) if asked.attachments else None, stored=record.seq)


def _readable(record: Record, mine: str | None) -> bool:
    return (mine is None or record.credential_id == mine) and launches.readable(record)


def _page(asked: Asked) -> Response:
    page = services_of_request().store.statements.page(asked.query)
    records = [record for record in page.records if launches.readable(record)]
    content = formats.page(_formatted(asked, records), "" if page.more is None else _more(page.more))
    return statements(content, consistent_through=page.consistent_through, data=_data(records) if asked.attachments else None)


def _data(records: Iterable[Record]) -> list[tuple[str, str, Iterator[bytes]]]:
    """Hash, media type and bytes of each attachment of these statements whose data is here; each hash once."""
    store = services_of_request().store.attachments
    found = {str(one["sha2"]).lower(): str(one["contentType"]) for record in records if b'"attachments"' in record.text
             for one in attachments_of(orjson.loads(record.text))}
    return [(sha2, kind, store.read(sha2)) for sha2, kind in found.items() if store.has(sha2)]


def _shown(record: Record) -> bytes:
    """The statement's text as this client may see it."""
    strict = services_of_request().settings.strict_versions
    return formats.downgraded(record.text) if strict and answered() == "1.0.3" else record.text


def _more(position: int) -> str:
    """Where the next page stands: a path on this host with the same parameters (xAPI 1.0.3 Data 2.5)."""
    # the client's own spelling: written anew it could grow beyond the longest URL that is taken
    asked = [one for one in request.query_string.decode("latin-1").split("&") if one and not one.startswith(f"{CURSOR}=")]
    query = "&".join([quote(one, safe=SPELLED, encoding="latin-1") for one in asked] + [f"{CURSOR}={position}"])
    return f"{quote(request.script_root)}{STATEMENTS}?{query}"


def _formatted(asked: Asked, records: Sequence[Record]) -> list[bytes]:
    """The statements' texts in the format that was asked for."""
    known = definitions_of(records) if asked.format == "canonical" and records else formats.nothing_known
    languages = _languages()
    return [formats.formatted(_shown(record), asked.format, languages, known) for record in records]


def _languages() -> tuple[str, ...]:
    return preferred(request.headers.get("Accept-Language"))


@contextlib.contextmanager
def _sent() -> Iterator[tuple[bytes, Mapping[str, Staged]]]:
    """The text of the statements, and the data of their attachments (Communication 1.5)."""
    given = request.mimetype
    if given == "multipart/mixed":
        services = services_of_request()
        limits = services.settings.limits
        with attached.sent(stream(), request.headers["Content-Type"], services.store.attachments, text_max=limits.body_max,
                           data_max=limits.attachment_max) as found:
            yield found.text, found.data
        return
    if given != "application/json":
        raise Refused(400, f'Content-Type must be application/json or multipart/mixed, it is "{given[:60]}"', "content_type")
    yield body(), {}
