"""What the broker may be trusted with, and that nothing in the code asks it for more."""
from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from lrs.config import BadSetting, file_of
from workers.broker import HARD_LIMIT, VISIBILITY, configuration
from workers.consumers import CONSUMERS

ROOT = Path(__file__).parents[2]
PARTS = ("lrs", "workers", "analytics", "verbs", "tests")


@pytest.mark.parametrize("never", [r"task_always_eager", r"\bcountdown\s*=", r"\beta\s*=", r"\.apply_async\([^)]*(eta|countdown)"])
def test_no_task_runs_in_its_caller_and_no_message_waits_for_its_time(never):
    code = [path for part in PARTS for path in (ROOT / part).rglob("*.py") if path != Path(__file__)]
    found = [str(path) for path in code if re.search(never, path.read_text())]
    assert found == []


def test_a_message_is_acknowledged_late_taken_singly_and_comes_back_only_after_the_hard_limit():
    conf = configuration("redis://localhost/0")
    assert (conf["task_acks_late"], conf["task_reject_on_worker_lost"], conf["worker_prefetch_multiplier"]) == (True, True, 1)
    assert (conf["task_ignore_result"], conf["task_serializer"], conf["accept_content"]) == (True, "json", ["json"])
    assert conf["broker_transport_options"]["visibility_timeout"] == VISIBILITY > conf["task_time_limit"] == HARD_LIMIT


def test_the_beat_the_queues_and_the_tasks_are_those_of_the_one_table():
    conf = configuration("redis://localhost/0")
    assert set(conf["beat_schedule"]) == set(CONSUMERS)
    assert {queue.name for queue in conf["task_queues"]} == {f"lrs.{name}" for name in CONSUMERS}
    assert conf["worker_concurrency"] == sum(one.slots for one in CONSUMERS.values())
    assert {one.rings for one in CONSUMERS.values()} <= {"", *CONSUMERS}


@pytest.mark.parametrize(("broker", "told"), [("", "LRS_BROKER_URL"), ("ftp://x", "a broker's address")])
def test_celery_without_a_usable_broker_says_so_in_a_sentence(tmp_path, broker, told):
    done = subprocess.run([str(Path(sys.executable).with_name("celery")), "-A", "workers.app", "worker"], cwd=tmp_path, text=True,
                          capture_output=True, timeout=60, check=False, env={"LRS_BROKER_URL": broker, "PATH": "/usr/bin:/bin"})
    assert done.returncode != 0
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_a_settings_file_that_is_named_and_not_there_is_refused():
    with pytest.raises(BadSetting, match=r"no-such\.toml"):
        file_of({"LRS_CONFIG": "/no-such.toml"})
