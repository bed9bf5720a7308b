"""Folds what statements say of activities, each with the weight of who stored it: may its credential define?"""
from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from lrs.auth.scopes import allowed
from lrs.statements.definitions import Known, definitions_in
from lrs.statements.record import Record
from lrs.store.protocols.credentials import Credentials

Said = tuple[str, list[tuple[str, bytes]]]
"""The credential that stored a statement, and the activities it defines, each with its definition."""


def said(records: Iterable[Record]) -> Iterator[Said]:
    """What these records say of activities; voided ones teach nothing."""
    return ((record.credential_id, list(definitions_in(record.text))) for record in records if not record.voided)


def learned(
    credentials: Credentials, known: Mapping[str, Known], told: Iterable[Said], only: Collection[str] | None = None
) -> dict[str, Known]:
    """What is known after what was `told`, oldest first. Only what changed is given, of the
    activities `only` (None: of all). A credential that is gone may define nothing."""
    changed: dict[str, Known] = {}
    last: dict[tuple[str, bool], bytes] = {}
    may: dict[str, bool] = {}
    for who, definitions in told:
        for activity, definition in definitions:
            if only is not None and activity not in only:
                continue
            if who not in may:
                found = credentials.by_key(who)
                may[who] = found is not None and allowed(found.scopes, "define")
            # most content says the same with every statement
            if last.get((activity, may[who])) == definition:
                continue
            last[activity, may[who]] = definition
            before = changed.get(activity) or known.get(activity) or Known()
            after = before.learned(definition, may_define=may[who])
            if after != before:
                changed[activity] = after
    return changed
