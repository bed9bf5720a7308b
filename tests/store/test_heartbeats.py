"""What every store promises about heartbeats."""
from lrs.store.protocols.heartbeats import KEPT_US, Heartbeat

NOW = 1_800_000_000_000_000


def test_the_latest_time_of_each_worker_at_each_work_is_kept(open_part):
    here, there = open_part("heartbeats"), open_part("heartbeats")
    assert here.list() == []
    here.beat("a", {})
    here.beat("a", {"route": NOW, "deliver": NOW + 1})
    there.beat("b", {"route": NOW + 5})
    there.beat("a", {"route": NOW - 7, "deliver": NOW + 9})
    assert here.list() == there.list() == [
        Heartbeat("a", "deliver", NOW + 9), Heartbeat("b", "route", NOW + 5), Heartbeat("a", "route", NOW)]


def test_a_worker_that_is_long_gone_is_forgotten(open_part):
    heartbeats = open_part("heartbeats")
    heartbeats.beat("gone", {"route": NOW})
    heartbeats.beat("b", {"route": NOW + KEPT_US})
    assert [one.worker for one in heartbeats.list()] == ["b", "gone"]
    heartbeats.beat("b", {"deliver": NOW + KEPT_US + 1})
    assert [one.worker for one in heartbeats.list()] == ["b", "b"]
