"""A short cut of the kill campaign: `make campaign ARGS="--only kill"` is the whole of it."""
from __future__ import annotations

import random
from pathlib import Path

import pytest

from campaign import kill, ledger
from campaign.served import Broken, serving
from campaign.witness import Known, statement


@pytest.mark.slow
def test_nothing_is_lost_or_doubled_by_kills_under_load(tmp_path: Path) -> None:
    seed = random.randrange(10**6)
    print(f"python -m campaign --only kill --seed {seed}")
    print(kill.run(tmp_path, seed, cycles=5, clients=3, pause=0.05, exports=2))


def test_the_audit_takes_a_statement_apart_to_the_byte() -> None:
    assert ledger.members('{"a":1.10,"b":{"c":[1e2,"\\u00fc"]},"d":"x"}') == {"a": "1.10", "b": '{"c":[1e2,"\\u00fc"]}', "d": '"x"'}


@pytest.mark.slow
def test_the_audit_sees_what_is_lost_or_altered(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        served.start()
        known, call = Known(), served.caller()
        for _ in range(3):
            name, text = statement(random.Random(7 + len(known.sent)))
            known.sent[name] = text
            known.acknowledged[name] = 0.0
            assert call("POST", "/xapi/statements", text.encode()).status == 200
        call.close()
        assert ledger.statements(served, known).keys() == known.acknowledged.keys()
        first = next(iter(known.sent))
        right = known.sent[first]
        known.sent[first] = right.replace('"timestamp":"2026', '"timestamp":"2025')
        with pytest.raises(Broken, match="timestamp was sent as"):
            ledger.statements(served, known)
        known.sent[first] = right
        known.groups.append((first, "not there"))
        with pytest.raises(Broken, match="half a batch: 1 of 2"):
            ledger.statements(served, known)
        known.acknowledged["not there"] = 0.0
        with pytest.raises(Broken, match="1 acknowledged statements are lost"):
            ledger.statements(served, known)
