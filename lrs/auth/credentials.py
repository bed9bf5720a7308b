"""Basic credentials: create one, and recognise the one that a request brings."""
from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass

from lrs.auth.scopes import DEFAULT, MEANING
from lrs.errors import Finding, Invalid
from lrs.store.protocols.credentials import Credential, Credentials

SECRET_MIN = 32
"""Characters of a secret chosen by a person; a fast hash is only safe for long random secrets."""
KEY = re.compile(r"[A-Za-z0-9._~-]{3,100}\Z")


@dataclass(frozen=True, slots=True)
class Created:
    """A new credential and its secret, which is shown this once and kept only as a hash."""

    credential: Credential
    secret: str


def create(
    store: Credentials, *, name: str, public_url: str, provider: str = "", scopes: Iterable[str] = DEFAULT,
    key: str = "", secret: str = "",
) -> Created:
    """Store a new credential; key and secret are generated unless given. `provider` defaults to the name in lower
    case with dashes, or the key where no Latin letter is in it. Raises `Invalid` for an unknown scope, a bad or
    taken key, a secret under 32 characters."""
    chosen = frozenset(scopes) or DEFAULT
    problems = [Finding("/scope", f'"{scope}" is no scope; there are: {", ".join(MEANING)}', "scope", "")
                for scope in sorted(chosen - set(MEANING))]
    if not name.strip():
        problems.append(Finding("/name", "a credential needs a name", "name", ""))
    if key and not KEY.match(key):
        problems.append(Finding("/key", "3 to 100 letters, digits, dots, dashes, underscores or tildes", "key", "", key))
    if secret and len(secret) < SECRET_MIN:
        problems.append(Finding("/secret", f"at least {SECRET_MIN} characters, or leave it out and one is generated", "secret", ""))
    if problems:
        raise Invalid(problems)
    key = key or secrets.token_hex(10)
    secret = secret or secrets.token_urlsafe(32)
    authority = {"objectType": "Agent", "name": name, "account": {"homePage": public_url, "name": key}}
    credential = Credential(
        key, name, provider or re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or key, chosen, digest(store, secret),
        json.dumps(authority, ensure_ascii=False, separators=(",", ":")).encode(), time.time_ns() // 1000)
    if not store.create(credential):
        raise Invalid([Finding("/key", "this key is taken", "key", "", key)])
    return Created(credential, secret)


def digest(store: Credentials, secret: str) -> bytes:
    """The keyed hash under which a secret is kept."""
    return hashlib.blake2b(secret.encode(), key=store.secret_key, digest_size=32).digest()


def webhook_secret(store: Credentials, key: str) -> str:
    """The Standard Webhooks secret (`whsec_…`) of a credential's inbound hook, derived from the store's key so that
    it can be shown again and is kept nowhere."""
    derived = hashlib.blake2b(f"hook:{key}".encode(), key=store.secret_key, digest_size=32).digest()
    return "whsec_" + base64.b64encode(derived).decode()


def authenticate(store: Credentials, authorization: str | None) -> Credential | None:
    """The credential that an Authorization header proves (RFC 7617), None if it proves none."""
    scheme, _, value = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        key, colon, secret = base64.b64decode(value.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return None
    found = store.by_key(key) if colon and "\0" not in key else None
    # hashed also where there is no such key, so that the time taken does not tell
    given = digest(store, secret)
    if found is None or found.revoked or not hmac.compare_digest(found.digest, given):
        return None
    return found
