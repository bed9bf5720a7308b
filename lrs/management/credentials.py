"""Credentials as an administrator meets them: list, create, revoke, and a test statement that says what would happen."""
from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from lrs.auth import credentials as auth
from lrs.auth import launch as launches
from lrs.auth.scopes import MEANING, allowed
from lrs.errors import Finding, Forbidden, Invalid, NotFound, Taken, WrongState
from lrs.ingest.batch import accept
from lrs.ingest.prepare import Provider, new_id
from lrs.management import verbs
from lrs.management.audit import audited
from lrs.services import Services
from lrs.statements.instants import printed
from lrs.store.open_store import Store
from lrs.store.protocols.credentials import Credential

EXPERIENCED = "http://adlnet.gov/expapi/verbs/experienced"
"""No rule makes a completion of it."""


def shown(one: Credential) -> dict[str, Any]:
    """A credential without its secret, which nobody keeps."""
    return {"key": one.key, "name": one.name, "provider": one.provider, "scopes": sorted(one.scopes), "created": printed(one.created),
            "revoked": one.revoked, "origins": list(one.origins)}


def listed(store: Store, after: str = "", limit: int | None = None) -> list[dict[str, Any]]:
    """The credentials, oldest first, from the first after the key `after` on. Raises `Invalid` for an unknown `after`."""
    known = store.credentials.list()
    start = next((place for place, one in enumerate(known, 1) if one.key == after), None) if after else 0
    if start is None:
        raise Invalid([Finding("?cursor", "this is the cursor of no page", "api.cursor", "", after[:100])])
    return [shown(one) for one in known[start:][:limit]]


def by_key(store: Store, key: str) -> Credential:
    """The credential with this key, revoked ones included. Raises `NotFound`."""
    found = store.credentials.by_key(key) if "\0" not in key else None
    if found is None:
        raise NotFound(f'there is no credential "{key}"; see: lrs credentials list')
    return found


def create(services: Services, *, who: str, name: str, provider: str = "", scopes: Iterable[str] = (), key: str = "",
           secret: str = "", origins: Iterable[str] = ()) -> dict[str, Any]:
    """Store a new credential: what `shown` says of it, its `secret`, this once, and its `webhook_secret`.

    Raises `Taken` for a taken key, else `Invalid` as `lrs.auth.credentials.create`.
    """
    store = services.store
    chosen, pages, key = sorted(scopes), list(origins), key or secrets.token_hex(10)
    with audited(store, who, "credentials.create", key, name=name, provider=provider, scopes=chosen, origins=pages):
        try:
            made = auth.create(store.credentials, name=name, public_url=services.settings.public_url, provider=provider, scopes=chosen,
                               key=key, secret=secret, origins=pages)
        except Invalid as error:
            taken = [one.rule for one in error.findings] == ["key"] and store.credentials.by_key(key)
            raise Taken(error.findings) if taken else error from None
    return {**shown(made.credential), "secret": made.secret, "webhook_secret": auth.webhook_secret(store.credentials, made.credential.key)}


def launch(services: Services, *, who: str, actor: Mapping[str, Any], activity: str, minutes: int = launches.MINUTES,
           registration: str = "", name: str = "", for_key: str = "", origins: Iterable[str] = ()) -> dict[str, Any]:
    """Make a credential for one launch of content (docs/xapi.md, "One launch"): its key and `secret`, this once, when it
    `expires`, the xAPI `endpoint`, the one-time `fetch` URL, and the `query` that cmi5 content is launched with (cmi5 8.1).

    `for_key`: the credential whose provider and authority its statements have, and with which it ends. Raises `Invalid`,
    `NotFound`, `WrongState` where that one is revoked.
    """
    store = services.store
    with audited(store, who, "credentials.launch", activity[:200], minutes=minutes, registration=registration, for_key=for_key):
        parent = by_key(store, for_key) if for_key else None
        if parent is not None and (parent.revoked or parent.launch):
            raise WrongState(f'the credential "{for_key}" is {"revoked" if parent.revoked else "of a launch"}; nothing is launched for it')
        made = launches.create(store.credentials, actor=actor, activity=activity, now=services.now_us(), minutes=minutes, name=name,
                               public_url=services.settings.public_url, registration=registration, parent=parent, origins=origins)
    base = services.settings.public_url.rstrip("/")
    limits = made.credential.launch
    assert limits is not None
    endpoint, fetch = f"{base}/xapi/", f"{base}/xapi/fetch/{made.token}"
    query = {"endpoint": endpoint, "fetch": fetch, "actor": limits.actor.decode(), "activityId": activity}
    query |= {"registration": limits.registration} if limits.registration else {}
    return {"key": made.credential.key, "secret": made.secret, "expires": printed(limits.expires), "actor": json.loads(limits.actor),
            "activity": activity, "registration": limits.registration, "provider": made.credential.provider,
            "origins": list(made.credential.origins), "endpoint": endpoint, "fetch": fetch, "query": urlencode(query, quote_via=quote)}


def webhook_secret(store: Store, key: str, *, who: str) -> str:
    """The Standard Webhooks secret of the credential's hook; looking at it is logged. Raises `NotFound`."""
    by_key(store, key)
    with audited(store, who, "credentials.show_webhook_secret", key):
        return auth.webhook_secret(store.credentials, key)


def revoke(store: Store, key: str, *, who: str, even_last: bool = False) -> bool:
    """Close a credential, from the next request on; what it stored stays. False if it was closed before.

    Raises `NotFound`; `WrongState` for the last open one with the scope all, without which nobody can change anything over
    HTTP any more, unless `even_last`.
    """
    if by_key(store, key).revoked:
        return False
    with audited(store, who, "credentials.revoke", key):
        if not even_last and last_with_all(store, key):
            raise WrongState("this is the last credential with the scope all: create another first, or revoke it on the machine itself "
                             f"(lrs credentials revoke {key})")
        store.credentials.revoke(key)
    return True


def last_with_all(store: Store, key: str) -> bool:
    """Whether no other credential opens everything."""
    opens = [one.key for one in store.credentials.list() if not one.revoked and "all" in one.scopes]
    return opens == [key]


def test_statement(public_url: str, key: str) -> dict[str, Any]:
    """A statement that is clearly a test and completes nothing: `experienced` on `<public url>/test` by the credential
    itself. Each has an id of its own."""
    return {"id": new_id(),
            "actor": {"objectType": "Agent", "account": {"homePage": public_url, "name": key}},
            "verb": {"id": EXPERIENCED, "display": {"en": "experienced"}},
            "object": {"objectType": "Activity", "id": f"{public_url.rstrip('/')}/test",
                       "definition": {"name": {"en": "Test statement"}, "description": {"en": "Sent to see whether statements arrive."}}}}


def test(services: Services, key: str, *, who: str) -> dict[str, Any]:
    """Store one test statement as this credential would: its `id`, when it was `stored`, how it was `read`, what it
    `triggers`, and where to `see` it.

    Raises `NotFound`, `WrongState` where it is revoked, `Forbidden` with what to do where it may not store statements.
    """
    store, public_url = services.store, services.settings.public_url
    credential = by_key(store, key)
    with audited(store, who, "credentials.test", key):
        if credential.revoked:
            raise WrongState(f'the credential "{key}" is revoked: every request of it is answered 401; create another')
        if not allowed(credential.scopes, "statements/write"):
            raise Forbidden(f'the credential "{key}" may not store statements: it has {", ".join(sorted(credential.scopes))}, and needs '
                            f"statements/write ({MEANING['statements/write']}); create one with that scope")
        statement = test_statement(public_url, key)
        provider = Provider(credential.key, credential.scopes, credential.provider, json.loads(credential.authority))
        [added] = accept(services, json.dumps(statement).encode(), provider)
    told = verbs.explain(store, statement, credential.provider)
    reads = allowed(credential.scopes, "statements/read/mine")
    return {
        "id": added.id, "stored": printed(added.seq), "provider": credential.provider,
        "read": {"verb": told["verb"], "rule": told["rule"], "why": told["why"]},
        "triggers": "nothing: experienced completes no course",
        "see": f"{public_url.rstrip('/')}/xapi/statements?statementId={added.id}",
        "see_with": "this credential" if reads else "a credential with the scope statements/read, which this one has not",
    }
