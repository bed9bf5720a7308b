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
from urllib.parse import urlsplit

from lrs.auth.scopes import DEFAULT, MEANING
from lrs.errors import Finding, Invalid
from lrs.store.protocols.credentials import Credential, Credentials, Launch

SECRET_MIN = 32
"""Characters of a secret chosen by a person; a fast hash is only safe for long random secrets."""
ORIGIN = re.compile(r"https?://[a-z0-9.\-\[\]:]{1,255}", re.ASCII)
KEY = re.compile(r"[A-Za-z0-9._~-]{3,100}\Z")


@dataclass(frozen=True, slots=True)
class Created:
    """A new credential and its secret, which is shown this once and kept only as a hash."""

    credential: Credential
    secret: str


def create(
    store: Credentials, *, name: str, public_url: str, provider: str = "", scopes: Iterable[str] = DEFAULT,
    key: str = "", secret: str = "", origins: Iterable[str] = (),
) -> Created:
    """Store a new credential; key and secret are generated unless given. `provider` defaults to the name in lower
    case with dashes, or the key where no Latin letter is in it. `origins`: the pages that may use it from a browser; none:
    those of the setting. Raises `Invalid` for an unknown scope, a bad or taken key, a secret under 32 characters, what is
    no origin."""
    chosen = frozenset(scopes) or DEFAULT
    problems = [Finding("/scope", f'"{scope}" is no scope; there are: {", ".join(MEANING)}', "scope", "")
                for scope in sorted(chosen - set(MEANING))]
    if not name.strip():
        problems.append(Finding("/name", "a credential needs a name", "name", ""))
    if key and not KEY.match(key):
        problems.append(Finding("/key", "3 to 100 letters, digits, dots, dashes, underscores or tildes", "key", "", key))
    if secret and len(secret) < SECRET_MIN:
        problems.append(Finding("/secret", f"at least {SECRET_MIN} characters, or leave it out and one is generated", "secret", ""))
    pages = tuple(dict.fromkeys(one.strip().rstrip("/") for one in origins))
    problems += origin_findings(pages)
    if problems:
        raise Invalid(problems)
    key = key or secrets.token_hex(10)
    secret = secret or secrets.token_urlsafe(32)
    authority = {"objectType": "Agent", "name": name, "account": {"homePage": public_url, "name": key}}
    credential = Credential(
        key, name, provider or re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or key, chosen, digest(store, secret),
        json.dumps(authority, ensure_ascii=False, separators=(",", ":")).encode(), time.time_ns() // 1000, origins=pages)
    if not store.create(credential):
        raise Invalid([Finding("/key", "this key is taken", "key", "", key)])
    return Created(credential, secret)


def origin_findings(origins: Iterable[str]) -> list[Finding]:
    """What is wrong with a list of origins (RFC 6454: scheme, host, port; no path)."""
    return [Finding(f"/origins/{place}", "an origin such as https://courses.example.org, without a path", "origin", "", one[:100])
            for place, one in enumerate(origins) if not ORIGIN.fullmatch(one) or not urlsplit(one).hostname]


def digest(store: Credentials, secret: str) -> bytes:
    """The keyed hash under which a secret is kept."""
    return hashlib.blake2b(secret.encode(), key=store.secret_key, digest_size=32).digest()


def webhook_secret(store: Credentials, key: str) -> str:
    """The Standard Webhooks secret (`whsec_…`) of a credential's inbound hook, derived from the store's key so that
    it can be shown again and is kept nowhere."""
    derived = hashlib.blake2b(f"hook:{key}".encode(), key=store.secret_key, digest_size=32).digest()
    return "whsec_" + base64.b64encode(derived).decode()


def authenticate(store: Credentials, authorization: str | None, now: int | None = None) -> Credential | None:
    """The credential that an Authorization header proves (RFC 7617) at `now` (µs since 1970 UTC; the machine's), None if it proves none:
    it is not known, revoked, or of a launch that is over."""
    basic = _basic(authorization)
    if isinstance(basic, str):
        return None
    key, secret = basic
    found = store.by_key(key) if "\0" not in key else None
    # hashed also where there is no such key, so that the time taken does not tell
    given = digest(store, secret)
    if found is None or found.revoked or not hmac.compare_digest(found.digest, given):
        return None
    return None if found.launch and not _runs(store, found.launch, time.time_ns() // 1000 if now is None else now) else found


def unproven(authorization: str | None) -> str:
    """Why this header proves no credential: what is wrong with its form, else that its key and secret do not fit."""
    basic = _basic(authorization)
    return basic if isinstance(basic, str) else "this key and secret are not known, revoked or expired"


def _basic(authorization: str | None) -> tuple[str, str] | str:
    """Key and secret, or why there are none."""
    scheme, _, value = (authorization or "").partition(" ")
    if not scheme:
        return "send a Basic credential (key and secret)"
    if scheme.lower() != "basic":
        return "send a Basic credential (key and secret): the header Authorization has another scheme"
    try:
        key, colon, secret = base64.b64decode(value.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        colon = ""
    return (key, secret) if colon else "what stands after Basic in the header Authorization is not key:secret in base64"


def _runs(store: Credentials, launch: Launch, now: int) -> bool:
    """Whether a launch is not over: its time is not up, and the credential that it was made for is open."""
    if now >= launch.expires:
        return False
    made_for = store.by_key(launch.for_key) if launch.for_key else None
    return not launch.for_key or (made_for is not None and not made_for.revoked)
