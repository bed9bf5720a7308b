"""The rejections log keeps what a provider needs, and no more than 60 rows a minute of one credential."""
import json
import time

import pytest

from lrs.store.protocols.rejections import COUNTED_BY, Rejection, Sought


@pytest.fixture
def rejections(open_part):
    kept = open_part("rejections")
    yield kept
    kept.flush()  # else its timer meets a store that is closed


def refusal(who="a", at=None):
    return Rejection(at or time.time_ns() // 1000, who, 400, "invalid", "{}", "…")


def test_a_credential_sees_its_own_newest_first(rejections):
    now = time.time_ns() // 1000
    for at, who in ((now, "a"), (now + 1, "b"), (now + 2, "a")):
        rejections.note(refusal(who, at))
    rejections.flush()
    assert [one.at for one in rejections.list("a")] == [now + 2, now]
    assert len(rejections.list()) == rejections.count() == 3


def test_a_flood_of_one_credential_is_cut_and_others_are_kept(rejections):
    for _ in range(200):
        rejections.note(refusal("flood"))
    rejections.note(refusal("calm"))
    rejections.flush()
    assert (len(rejections.list("flood", 500)), len(rejections.list("calm"))) == (60, 1)


def test_it_says_beforehand_whether_it_would_keep_one(rejections):
    now = time.time_ns() // 1000
    wanted = []
    for _ in range(61):
        wanted.append(rejections.wants("flood", now))
        rejections.note(refusal("flood", now))
    assert wanted == [True] * 60 + [False]
    assert rejections.wants("calm", now)
    assert rejections.wants("flood", now + 61_000_000)


def test_it_is_written_within_a_second_or_so(rejections):
    rejections.note(refusal())
    until = time.monotonic() + 5
    while rejections.count() == 0 and time.monotonic() < until:
        time.sleep(0.05)
    assert rejections.count() == 1


def test_rows_older_than_thirty_days_go(rejections):
    rejections.note(refusal(at=time.time_ns() // 1000 - 31 * 86_400_000_000))
    rejections.note(refusal())
    rejections.flush()
    assert rejections.count() == 1


DETAILS = [
    json.dumps({"findings": [{"rule": "a"}, {"rule": "a"}, {"rule": "b"}]}), json.dumps({"findings": [{"rule": "b"}, {}, 7]}),
    json.dumps({"conflict": {"cause": "id.reused"}}), json.dumps({"conflict": {"cause": ""}}), "no JSON {", "[]",
    json.dumps({"findings": "none"}),
]


def test_what_is_counted_and_sought_is_the_same_in_every_store(rejections):
    now = time.time_ns() // 1000
    for place, detail in enumerate(DETAILS):
        status, code = (409, "conflict") if "conflict" in detail else (400, "invalid")
        rejections.note(Rejection(now + place, "ab"[place % 2], status, code, detail, "…"))
    assert rejections.counts("rule") == {"invalid": 4, "b": 2, "conflict": 2, "a": 1}
    assert list(rejections.counts("cause").items()) == [("invalid", 5), ("conflict", 1), ("id.reused", 1)]
    assert rejections.counts("status") == {"400": 5, "409": 2}
    assert rejections.counts("credential", Sought(status=400)) == {"a": 3, "b": 2}
    assert rejections.counts("code", most=3) == {"invalid": 3}
    assert all(sum(rejections.counts(by).values()) >= 7 for by in COUNTED_BY)

    def ages(**sought):
        return [one.at - now for one in rejections.list(sought=Sought(**sought))]

    assert ages(rule="b") == [1, 0]
    assert ages(rule="invalid") == [6, 5, 4, 1, 0]
    assert ages(code="conflict", credential_id="b") == [3]
    assert ages(since=now + 1, until=now + 3) == [2, 1]
    newest = rejections.list(limit=1)[0]
    assert rejections.by_number(newest.n) == newest
    assert rejections.by_number(newest.n + 1) is None
    assert [one.at - now for one in rejections.list("a", before=newest.n)] == [4, 2, 0]
    assert rejections.purge(now + 3) == 3
    assert rejections.count() == 4
