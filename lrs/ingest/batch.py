"""Takes a request's statements in: all of them or none, with every broken rule named by index."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from lrs.errors import Finding, Invalid
from lrs.ingest import maps
from lrs.ingest.prepare import Provider, new_id, prepared
from lrs.statements.equality import same
from lrs.statements.parse import Received, parse
from lrs.statements.record import Added
from lrs.statements.terms import terms_of
from lrs.statements.validate import batch_findings
from lrs.store.protocols.mappings import Mappings
from lrs.store.protocols.statements import Statements


class _Store(Protocol):
    @property
    def statements(self) -> Statements: ...
    @property
    def mappings(self) -> Mappings: ...


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
    services: Ingesting, body: bytes, provider: Provider, *, statement_id: str | None = None, version: str = "1.0.3"
) -> list[Added]:
    """Store the statement or the array of statements in `body`, durable on return, in order.

    `statement_id`: the id of a PUT, whose body must be that one statement. `version`: the rules to hold it to.
    Raises `Invalid` (`BatchRefused`: every bad statement by index), `TooLarge`, `Conflict`, `Forbidden` (a void of
    another provider's statement), `StoreUnavailable`; whatever is raised, nothing was stored.
    """
    received = parse(body, services.settings.limits, version)
    if statement_id is not None:
        received = [_put(body, received, statement_id)]
    return store(services, received, provider, version=version)


def store(
    services: Ingesting, received: Sequence[Received], provider: Provider, *, version: str = "1.0.3"
) -> list[Added]:
    """Store statements that are parsed already; promises and errors of `accept`."""
    broken, bad = batch_findings(received, version)
    if broken:
        raise BatchRefused(broken, bad=bad, valid=len(received) - bad)
    ids = [_identity(item.value) for item in received]
    terms = terms_of(services.store.statements.term_key)
    verb_map = maps.current(services.store)
    batch = [prepared(item.raw, item.value, name, provider, terms, verb_map) for item, name in zip(received, ids, strict=True)]
    added = services.store.statements.add(batch, same)
    services.wake()
    return added


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
    return Received(one.raw, {**one.value, "id": given})
