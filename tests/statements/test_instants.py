"""Timestamps are read the same however long they are, and only short ones are remembered."""
from __future__ import annotations

from lrs.statements import instants


def test_a_long_fraction_is_read_and_not_remembered() -> None:
    text = f"2026-11-24T12:00:00.{'1' * 100_000}Z"
    kept = instants._instant_memo.cache_info().currsize
    found = instants.instant(text)
    assert found is not None
    assert found.fraction == "1" * 100_000
    assert instants._instant_memo.cache_info().currsize == kept
