"""The audit log as an administrator meets it: every change goes through `audited`, and can be looked up."""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lrs.statements.instants import printed
from lrs.store.open_store import Store
from lrs.store.protocols.audit import Entry

REFUSED_MOST = 500


@contextmanager
def audited(store: Store, who: str, action: str, thing: str, **detail: Any) -> Iterator[None]:
    """Log the change before it is made, and once more, as refused, if it is not. `action` is a noun and a verb
    (`people.put`), `detail` what matters of it, never a secret."""
    store.audit.append(Entry(who, action, thing, detail))
    try:
        yield
    except Exception as error:
        store.audit.append(Entry(who, action, thing, detail, refused=str(error)[:REFUSED_MOST] or type(error).__name__))
        raise


def listed(store: Store, *, thing: str = "", who: str = "", action: str = "", before: int | None = None,
           limit: int = 100) -> list[dict[str, Any]]:
    """At most `limit` entries, the newest first, those with n < `before`; `action` may be a noun alone (`targets`)."""
    return [{"n": one.n, "at": printed(one.at), "who": one.who, "action": one.action, "thing": one.thing, "detail": dict(one.detail),
             "refused": one.refused} for one in store.audit.list(thing=thing, who=who, action=action, before=before, limit=limit)]
