"""Why a signature's certificates prove nothing is said in words, whatever was sent as x5c."""
from __future__ import annotations

from typing import Any

import pytest

from lrs.ingest.certified import HASHES, fault
from lrs.ingest.signed import ALGORITHMS


def test_every_algorithm_that_is_taken_has_its_hash() -> None:
    assert set(HASHES) == set(ALGORITHMS)


@pytest.mark.parametrize(("chain", "why"), [
    (None, "no list"), ("", "no list"), ({}, "no list"), ([], "no list"),
    (["%"], "no chain"), (["QUJD"], "no chain"), ([1], "no chain"), ([None], "no chain"), (["é"], "no chain"),
])
def test_what_is_no_chain_of_certificates_is_told(chain: Any, why: str) -> None:
    for algorithm in ALGORITHMS:
        assert why in fault(chain, algorithm, b"signed text", b"signature")
