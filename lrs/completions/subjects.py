"""Who an achievement belongs to: the normal forms of a learner's identifiers, and subject keys."""
from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from lrs.memo import Memo

# Open edX writes this address for learners it does not name: it stands for nobody (rule 17).
NOBODY = frozenset({"unknown@example.com"})
EMPLOYEES = "urn:concord-lrs:employees"
"""homePage of the account that stands for an employee id, so that a sender who knows only that id can name a person."""

_SHA1 = re.compile(r"[0-9a-f]{40}")


def email_identifiers(email: str) -> list[str]:
    """Every normal form a bare e-mail address can take in an actor: mbox, the standard's SHA-1 of `mailto:…`, and
    Open edX's SHA-1 of the bare address. Empty for no address and for the addresses of nobody."""
    return list(_ADDRESSES[email.strip().lower()])


def _of_address(address: str) -> tuple[str, ...]:
    if "@" not in address or address in NOBODY:
        return ()
    return f"mbox:{address}", f"sha1:{_sha1('mailto:' + address)}", f"sha1:{_sha1(address)}"


_ADDRESSES = Memo(_of_address, 8_192)


def identifier(actor: object) -> list[str]:
    """The normal forms of an actor, the one that names it first (rule 17); never raises.

    `mbox:a@b` (lower case; its two SHA-1 forms follow, so that a person known by hash only is met), `sha1:<hex>`,
    `account:<homePage>|<name>`, `openid:<uri>`. Empty for an actor without identifier, an anonymous one, or nobody.
    """
    if not (type(actor) is dict or isinstance(actor, Mapping)):
        return []
    found: list[str] = []
    mbox, sha1, openid, account = (actor.get(k) for k in ("mbox", "mbox_sha1sum", "openid", "account"))
    if isinstance(mbox, str) and mbox[:7].lower() == "mailto:":
        found += email_identifiers(mbox[7:])
    if isinstance(sha1, str) and _SHA1.fullmatch(sha1.lower()) and sha1.lower() not in _NOBODY_SHA1:
        found.append(f"sha1:{sha1.lower()}")
    if type(account) is dict or (account is not None and isinstance(account, Mapping)):
        home, name = account.get("homePage"), account.get("name")
        if isinstance(home, str) and isinstance(name, str) and home and name:
            found.append(f"account:{home}|{name}")
    if isinstance(openid, str) and openid:
        found.append(f"openid:{openid}")
    return list(dict.fromkeys(found))


def person_subject(employee_id: str) -> str:
    """The subject key of a person of the directory."""
    return f"person:{employee_id}"


def unknown_subject(identifiers: list[str] | tuple[str, ...]) -> str:
    """The subject key of a learner the directory does not know: by the identifier that names it ('' for none). One who
    is named in several ways waits under several keys; they become one when the directory learns him (`rebind`)."""
    return f"ifi:{identifiers[0]}" if identifiers else ""


def needs_person(subject: str) -> bool:
    """Whether nothing may be sent for this subject until the directory knows it (design: parked)."""
    return not subject.startswith("person:")


def _sha1(text: str) -> str:
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


_NOBODY_SHA1 = frozenset(_sha1(prefix + address) for address in NOBODY for prefix in ("mailto:", ""))
