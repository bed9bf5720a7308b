"""Turns one valid statement into what the store keeps: text, index terms, reading, and what it refers to or voids."""
from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import verbs.read
from lrs import log
from lrs.ingest.maps import VerbMap, product_map
from lrs.statements import envelope
from lrs.statements.members import members
from lrs.statements.parse import Received
from lrs.statements.record import Prepared
from lrs.statements.terms import Terms

VOIDED = "http://adlnet.gov/expapi/verbs/voided"  # xAPI 1.0.3 Data 2.3.2
VOID_ANY = frozenset({"all", "statements/void"})
"""Scopes with which a credential may void statements of other providers."""


@dataclass(frozen=True, slots=True)
class Provider:
    """Who sends: the credential's id and scopes, the provider it belongs to, and the Agent that becomes the
    authority of its statements."""

    credential_id: str
    scopes: frozenset[str]
    provider: str
    authority: Mapping[str, Any]


def new_id() -> str:
    """A random UUID for a statement that came without one."""
    return str(uuid.uuid4())


def prepared(
    received: Received, statement_id: str, provider: Provider, terms: Terms, verb_map: VerbMap | None = None, version: str = "1.0.3",
) -> Prepared:
    """The statement, ready to be stored, read with this map (the product's where none is given). It must be valid;
    `statement_id` is in lower case, `version` the request's."""
    raw, value, texts = received.raw, received.value, received.members
    texts = members(raw) if texts is None else texts
    read_with = verb_map or product_map()
    target = _target(value)
    return Prepared(
        id=statement_id,
        parts=envelope.parts(texts, value, statement_id, provider.authority, version),
        raw=raw,
        terms=terms.of_statement(value, texts, authority=provider.authority, credential_id=provider.credential_id),
        reading=verbs.read.to_json(read_with.read(value, provider.provider)),
        credential_id=provider.credential_id,
        provider=provider.provider,
        target=target,
        voids=target if value["verb"]["id"] == VOIDED else None,
        may_void_any=not VOID_ANY.isdisjoint(provider.scopes),
        request=log.request_id.get(),
    )


def _target(value: Mapping[str, Any]) -> str | None:
    referred = value["object"]
    return referred["id"].lower() if referred.get("objectType") == "StatementRef" else None
