"""A statement's document is that statement again: the shape alone, on a mock, without a server."""
from __future__ import annotations

import mongomock
import pytest

from lrs.statements.record import Prepared, Record
from lrs.store.mongo import rows

STATEMENT, TARGET = "7ccd3322-e1a5-411a-a67d-6a735c76f119", "6690e6c9-3ef0-4ed3-8b37-7f3964730bee"


@pytest.mark.parametrize(("target", "voids"), [(None, None), (TARGET, None), (TARGET, TARGET)])
def test_what_was_prepared_is_read_back_from_its_document(target: str | None, voids: str | None) -> None:
    new = Prepared(STATEMENT, (b"", b"|body"), b"body", (7, -(1 << 63)), b'{"verb":"completed"}', "key", "acme", target, voids)
    statements = mongomock.MongoClient().lrs.statements
    statements.insert_one(rows.document(new, 1_700_000_000_000_016, b"text", voided=False, void_effective=voids is not None))
    found = statements.find_one({"terms": 7, "seq": {"$gt": 0}}, rows.FIELDS)
    assert rows.record(found) == Record(STATEMENT, 1_700_000_000_000_016, b"text", new.reading, "key", "acme", target, voids, False,
                                        voids is not None)


def test_a_statements_id_is_bsons_own_type_for_it() -> None:
    statements = mongomock.MongoClient().lrs.statements
    statements.insert_one({"_id": rows.key(STATEMENT)})
    assert rows.uuid_text(statements.find_one({"_id": rows.key(STATEMENT)})["_id"]) == STATEMENT
