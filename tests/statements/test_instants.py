"""Timestamps are read the same however long they are, and only short ones are remembered."""
from __future__ import annotations

from lrs.statements import instants


def test_a_long_fraction_is_read_and_not_remembered() -> None:
    text = f"2026-11-24T12:00:00.{'1' * 100_000}Z"
    kept = len(instants._INSTANTS)
    found = instants.instant(text)
    assert found is not None
    assert found.fraction == "1" * 100_000
    assert len(instants._INSTANTS) == kept
