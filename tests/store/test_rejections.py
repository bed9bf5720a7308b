"""The rejections log keeps what a provider needs, and no more than 60 rows a minute of one credential."""
import time

import pytest

from lrs.store.protocols.rejections import Rejection
from lrs.store.sqlite.database import Database
from lrs.store.sqlite.rejections import SqliteRejections


@pytest.fixture
def rejections(tmp_path):
    database = Database(tmp_path / "rejections.db")
    kept = SqliteRejections(database)
    kept.migrate()
    yield kept
    database.close()


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
