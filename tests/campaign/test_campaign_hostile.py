"""A short cut of hostile input: `make campaign ARGS="--only hostile"` is the whole of it."""
from __future__ import annotations

import random
from pathlib import Path

import pytest

from campaign import floods, hostile
from campaign.grammar import Request
from campaign.served import serving
from campaign.wire import over_the_wire


@pytest.mark.slow
def test_no_mutated_request_is_a_fault_or_hangs(tmp_path: Path) -> None:
    seed = random.randrange(10**6)
    print(f"python -m campaign --only hostile --seed {seed}")
    print(hostile.fuzz(tmp_path, seed, 3000))


@pytest.mark.slow
def test_floods_are_refused_early_and_others_are_served_meanwhile(tmp_path: Path) -> None:
    seed = random.randrange(10**6)
    print(f"python -m campaign --only hostile --seed {seed}")
    with serving(tmp_path, {"LRS_LOG_LEVEL": "error", "LRS_BODY_SECONDS": "4"}) as served:
        served.start()
        print(over_the_wire(served, seed, 150))
        for said in floods.all_of_them(served, uploads=100, seconds=2):
            print(said)


def test_the_judge_wants_a_legible_refusal() -> None:
    get = Request("GET", "/x")
    assert hostile.judged(get, 404, b'{"status":404,"code":"not_found","message":"no","request_id":"1"}', 0.1) == ""
    assert "no JSON" in hostile.judged(get, 404, b"<html>", 0.1)
    assert "without what a refusal tells" in hostile.judged(get, 400, b"{}", 0.1)
    assert "answered 503" in hostile.judged(get, 503, b"{}", 0.1)
    assert "took 6.0 s" in hostile.judged(get, 200, b"", 6)
    assert hostile.judged(Request("HEAD", "/x"), 404, b"", 0.1) == ""
