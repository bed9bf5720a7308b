"""Takes a request's statements in: all of them or none, with every broken rule named by index."""
from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from lrs.errors import Finding, Invalid
from lrs.ingest import attached, maps, signed
from lrs.ingest.prepare import Provider, new_id, prepared
from lrs.statements.checks.formats import is_sha2, is_uuid
from lrs.statements.equality import same
from lrs.statements.parse import Received, parse
from lrs.statements.record import Added
from lrs.statements.terms import terms_of
from lrs.statements.validate import batch_findings
from lrs.store.protocols.attachments import Attachments, Staged
from lrs.store.protocols.mappings import Mappings
from lrs.store.protocols.statements import Statements

Permit = Callable[[Iterable[Mapping[str, Any]]], None]
"""Looks at statements that are valid, and raises `Forbidden` where they may not be stored."""
NO_DATA: Mapping[str, Staged] = {}


class _Store(Protocol):
    @property
    def statements(self) -> Statements: ...
    @property
    def mappings(self) -> Mappings: ...
    @property
    def attachments(self) -> Attachments: ...


class _Settings(Protocol):
    @property
    def limits(self) -> Any: ...  # the fields of lrs.statements.limits.Limits


class Ingesting(Protocol):
    """What ingest needs of `lrs.services.Services`: the store, the limits, and the consumers' alarm clock."""

    @property
    def store(self) -> _Store: ...
    @property
    def settings(self) -> _Settings: ...
    @property
    def wake(self) -> Callable[[], Any]: ...


class BatchRefused(Invalid):
    """A batch with `bad` bad statements, of which the first 100 are listed; the `valid` ones are not stored either."""

    def __init__(self, broken: list[Finding], *, bad: int, valid: int) -> None:
        super().__init__(broken)
        self.bad, self.valid = bad, valid


def accept(
    services: Ingesting, body: bytes, provider: Provider, *, statement_id: str | None = None, version: str = "1.0.3",
    data: Mapping[str, Staged] = NO_DATA, permit: Permit | None = None,
) -> list[Added]:
    """Store the statement or the array of statements in `body`, durable on return, in order.

    `statement_id`: the id of a PUT, whose body must be that one statement. `version`: the rules to hold it to.
    `data`: that of attachments, by hash. `permit`: asked before anything is stored.
    Raises `Invalid` (`BatchRefused`: every bad statement by index), `TooLarge`,
    `Conflict`, `Forbidden` (a void of another provider's statement), `StoreUnavailable`; whatever is raised, no statement
    was stored.
    """
    received = parse(body, services.settings.limits, version)
    if statement_id is not None:
        received = [_put(body, received, statement_id)]
    return store(services, received, provider, version=version, data=data, permit=permit)


def store(
    services: Ingesting, received: Sequence[Received], provider: Provider, *, version: str = "1.0.3",
    data: Mapping[str, Staged] = NO_DATA, permit: Permit | None = None,
) -> list[Added]:
    """Store statements that are parsed already; promises and errors of `accept`."""
    broken, bad = batch_findings(received, version, {*data, *_resent(services, received)})
    if not broken and data:
        attached.check_used(data, (item.value for item in received))
        broken = [finding for index, item in enumerate(received) for finding in signed.findings(index, item, data)]
        bad = len({finding.index for finding in broken})
    if broken:
        raise BatchRefused(broken, bad=bad, valid=len(received) - bad)
    if permit is not None:
        permit(item.value for item in received)
    # before the statements: a statement whose data is not here must never be seen
    for one in data.values():
        one.keep()
    ids = [_identity(item.value) for item in received]
    terms = terms_of(services.store.statements.term_key)
    verb_map = maps.current(services.store)
    batch = [prepared(item, name, provider, terms, verb_map, version)
             for item, name in zip(received, ids, strict=True)]
    added = services.store.statements.add(batch, same)
    services.wake()
    return added


def _resent(services: Ingesting, received: Sequence[Received]) -> set[str]:
    """The hashes whose data need not come again: of a statement that is stored already and is sent once more."""
    found: set[str] = set()
    for item in received:
        if b'"attachments"' in item.raw and isinstance(name := item.value.get("id"), str) and is_uuid(name):
            hashes = {str(one.get("sha2", "")).lower() for one in attached.attachments_of(item.value)}
            if hashes and services.store.statements.get(name.lower()) is not None:
                found |= {sha2 for sha2 in hashes if is_sha2(sha2) and services.store.attachments.has(sha2)}
    return found


def _identity(value: dict[str, Any]) -> str:
    given = value.get("id")
    return given.lower() if isinstance(given, str) else new_id()


def _put(body: bytes, received: list[Received], statement_id: str) -> Received:
    if len(received) != 1 or body.lstrip()[:1] == b"[":
        raise Invalid([Finding("", "PUT takes one statement, not an array", "put.single", "Communication 2.1.1")])
    one = received[0]
    given = one.value.get("id", statement_id)
    if isinstance(given, str) and given.lower() != statement_id.lower():
        why = f"the statement's id differs from the parameter statementId ({statement_id})"
        raise Invalid([Finding("/id", why, "put.id", "Communication 2.1.1", given[:100], 0)])
    return Received(one.raw, {**one.value, "id": given}, one.members)
