"""Ingest: what the store is handed, all of a batch or nothing."""
from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from typing import Any

import pytest

import verbs.read
from lrs.auth.scopes import OPENED_BY
from lrs.config import Settings
from lrs.errors import Invalid
from lrs.ingest.batch import BatchRefused, accept
from lrs.ingest.prepare import VOID_ANY, VOIDED, Provider
from lrs.statements.record import Added, Prepared

UUID = "7C1E4F43-9B1A-4F0E-8F43-0123456789AB"
AUTHORITY = {"objectType": "Agent", "account": {"homePage": "http://lrs.example", "name": "key"}}
WHO = Provider("key", frozenset({"statements/write"}), "acme", AUTHORITY)
GOOD: dict[str, Any] = {
    "actor": {"mbox": "mailto:a@b.c"},
    "verb": {"id": "http://adlnet.gov/expapi/verbs/completed"},
    "object": {"id": "u:o"},
}


class Recorder:
    """A store of statements that keeps what it is handed."""

    term_key = b"k" * 16

    def __init__(self) -> None:
        self.batches: list[list[Prepared]] = []
        self.statements = self
        self.mappings = self

    def active(self, kind: str) -> None:
        """No installation's map."""

    def add(self, batch: Sequence[Prepared], same: Any) -> list[Added]:
        self.batches.append(list(batch))
        return [Added(item.id, n) for n, item in enumerate(batch)]


class Ingest:
    """Just what ingest needs of the services."""

    def __init__(self) -> None:
        self.store: Any = Recorder()
        self.settings = Settings()
        self.woken = 0

    def wake(self) -> None:
        self.woken += 1


def taken(value: Any, who: Provider = WHO, **more: Any) -> list[Prepared]:
    ingest = Ingest()
    accept(ingest, json.dumps(value).encode(), who, **more)
    (batch,) = ingest.store.batches
    assert ingest.woken == 1
    return batch


def test_a_batch_is_handed_over_whole_and_in_order() -> None:
    found = taken([{**GOOD, "id": UUID}, GOOD])
    assert found[0].id == UUID.lower()
    assert uuid.UUID(found[1].id).version == 4
    assert (found[0].credential_id, found[0].provider) == ("key", "acme")
    assert json.loads(b"T".join(found[0].parts))["authority"] == AUTHORITY


def test_the_reading_stands_beside_the_statement() -> None:
    (found,) = taken(GOOD)
    assert verbs.read.from_json(found.reading).verb == "completed"


def test_a_reference_is_the_target_and_a_void_names_it_twice() -> None:
    refer = {"objectType": "StatementRef", "id": UUID}
    plain, void = taken([{**GOOD, "object": refer}, {**GOOD, "object": refer, "verb": {"id": VOIDED}}])
    assert (plain.target, plain.voids) == (UUID.lower(), None)
    assert (void.target, void.voids) == (UUID.lower(), UUID.lower())


@pytest.mark.parametrize("scope", sorted(OPENED_BY))
def test_only_the_scopes_of_the_table_void_for_others(scope: str) -> None:
    (found,) = taken(GOOD, Provider("key", frozenset({scope}), "acme", AUTHORITY))
    assert found.may_void_any is (scope in OPENED_BY["statements/void"])


def test_the_scopes_that_void_for_others_are_those_of_the_table() -> None:
    assert OPENED_BY["statements/void"] == VOID_ANY


def test_a_put_gives_its_id_to_the_statement() -> None:
    (found,) = taken(GOOD, statement_id=UUID.lower())
    assert found.id == UUID.lower()


@pytest.mark.parametrize("value", [[GOOD], {**GOOD, "id": str(uuid.uuid4())}])
def test_a_put_of_another_id_or_an_array_is_refused(value: Any) -> None:
    with pytest.raises(Invalid):
        taken(value, statement_id=UUID.lower())


def test_one_bad_statement_keeps_the_batch_out_and_nobody_is_woken() -> None:
    ingest = Ingest()
    with pytest.raises(BatchRefused) as refused:
        accept(ingest, json.dumps([GOOD, {}, GOOD]).encode(), WHO)
    assert (refused.value.bad, refused.value.valid) == (1, 2)
    assert {finding.index for finding in refused.value.findings} == {1}
    assert (ingest.store.batches, ingest.woken) == ([], 0)
