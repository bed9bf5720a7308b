"""Statements by any of some terms of their own: as a plain look at all of them would find them."""
from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from typing import Any

import pytest


@pytest.mark.parametrize("merged", ["none", "some", "all"])
def test_any_of_the_terms_in_order_between_two_seqs_voided_ones_too(
    open_statements: Callable[..., Any], make: Callable[..., Any], equal: Any, merged: str,
) -> None:
    store = open_statements()
    draw = random.Random(7)
    said: list[tuple[int, set[int], str]] = []
    for _ in range(120):
        terms = set(draw.sample(range(1, 9), draw.randint(0, 3)))
        one = make(str(uuid.uuid4()), tuple(sorted(terms)))
        said.append((store.add([one], equal)[0].seq, terms, one.id))
    referrer = store.add([make(None, (50,), target=said[3][2])], equal)[0].seq
    void = store.add([make(None, (51,), target=said[0][2], void=True)], equal)[0].seq
    while merged != "none" and store.merge_postings(40 if merged == "some" else 5_000) and merged == "all":
        pass
    for _ in range(60):
        wanted, n = draw.sample(range(1, 12), draw.randint(0, 5)), draw.randint(1, 40)
        after, until = sorted(draw.choice([0, void + 1, *(seq for seq, _, _ in said)]) for _ in range(2))
        found = [record.seq for record in store.bearing(wanted, after, until, n)]
        assert found == [seq for seq, terms, _ in said if terms & set(wanted) and after < seq <= until][:n]
    # what is a statement's only by the one it refers to is not its own
    assert [record.seq for record in store.bearing([50], 0, void, 9)] == [referrer]
    first = store.bearing(sorted(said[0][1]) or [51], 0, said[0][0], 1)
    assert all(record.voided for record in first)
