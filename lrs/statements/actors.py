"""What identifies an Agent, Group or Activity, in the form in which filters compare it."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

IFI = ("mbox", "mbox_sha1sum", "openid", "account")  # xAPI 1.0.3 Data 2.4.2.3: inverse functional identifiers
ACTORS = frozenset({"Agent", "Group"})


def mailbox(mbox: str) -> str:
    """A mailto IRI with its domain in lower case: domains have no case, the part before the @ may have."""
    local, at, domain = mbox.rpartition("@")
    return local + at + domain.lower() if at else mbox


def identifier(actor: Mapping[str, Any]) -> str | None:
    """The actor's inverse functional identifier as one text; None for an anonymous Group."""
    if "mbox" in actor:
        return "mbox " + mailbox(actor["mbox"])
    if "mbox_sha1sum" in actor:
        return "sha1 " + str(actor["mbox_sha1sum"]).lower()
    if "openid" in actor:
        return "openid " + str(actor["openid"])
    if "account" in actor:
        account = actor["account"]
        return f"account {account['homePage']} {account['name']}"  # an IRI holds no blank, so this is unambiguous
    return None


def identifiers(actor: Mapping[str, Any]) -> list[str]:
    """The identifiers under which a filter finds this actor: its own, and those of a Group's members
    (xAPI 1.0.3 Communication 2.1.3, parameter `agent`)."""
    names = [identifier(actor), *(identifier(member) for member in actor.get("member", ()))]
    return [name for name in names if name is not None]
