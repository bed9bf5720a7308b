"""What a store shows to `lrs verify` of its log of statements: a sound one has nothing to tell, of each kind."""
from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from lrs.ingest.prepare import Provider, prepared
from lrs.management import verify
from lrs.statements.equality import same
from lrs.statements.limits import Limits
from lrs.statements.parse import parse
from lrs.statements.terms import terms_of

WHO = Provider("k", frozenset({"all"}), "lab", {"objectType": "Agent", "account": {"homePage": "https://x.example", "name": "k"}})


def said(verb: str, target: dict[str, Any] | None = None, name: str = "") -> dict[str, Any]:
    referred = None if target is None else {"objectType": "StatementRef", "id": target["id"]}
    return {"id": name or str(uuid.uuid4()), "actor": {"mbox": "mailto:ada@acme.example"},
            "verb": {"id": f"http://adlnet.gov/expapi/verbs/{verb}"}, "object": referred or {"id": f"https://c.example/{verb}"}}


def test_references_voids_and_terms_are_sound_and_what_is_missing_is_seen(open_statements: Callable[..., Any]) -> None:
    log = open_statements()

    def take(*given: dict[str, Any]) -> list[int]:
        received = parse(json.dumps(given).encode(), Limits())
        batch = [prepared(item, one["id"], WHO, terms_of(log.term_key)) for item, one in zip(received, given, strict=True)]
        return [one.seq for one in log.add(batch, same)]

    first, late = said("passed"), said("experienced")
    second = said("commented", first)
    seqs = take(first, second, said("commented", second), said("commented", late))
    take(late, said("voided", late))
    while log.do_shadow_todo():
        pass
    store = SimpleNamespace(statements=log, attachments=None)
    assert list(verify.statements(store)) == []
    kept = log.kept(0, 100)
    assert [one.record.seq for one in kept][:4] == seqs
    assert len(kept) == 6
    assert log.kept_at([seqs[0], 7]).keys() == {seqs[0]}
    referred = {(seq, via) for some in log.index_rows() for _, seq, via in some if via}
    assert (seqs[1], seqs[0]) in referred
    assert (seqs[2], seqs[0]) in referred, "by way of another"
    term = kept[0].terms[0]
    assert log.indexed([(term, seqs[0], 0), (term, seqs[1], seqs[0]), (7, seqs[0], 0), (term, 7, 0)]) == {
        (term, seqs[0], 0), (term, seqs[1], seqs[0])}
    assert [one.voids for one in log.referring(late["id"]) if one.voids] == [late["id"]]
    assert not log.owes_index()
    assert log.ceiling() >= kept[-1].record.seq
