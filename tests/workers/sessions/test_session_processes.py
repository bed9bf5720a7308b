"""Conclusions survive kill -9 at any step, and several workers at once write the same statements once."""
from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from session_flow import attended, hear, opened, said_of, us, webhook

from lrs.ingest.prepare import VOIDED
from lrs.services import Services
from workers.sessions.conclude import conclude_due
from workers.sessions.follow import follow

NOW = us("12:00:00")
WORKER = """
import os, signal, sys
from pathlib import Path
from session_flow import opened
from workers.sessions import conclude, follow
at, step = int(sys.argv[2]), 0

def dying(function):
    def passed():
        global step
        step += 1
        if step == at:
            os.kill(os.getpid(), signal.SIGKILL)

    def called(*given, **named):
        passed()
        result = function(*given, **named)
        passed()
        return result
    return called

services = opened(Path(sys.argv[1]))
sessions = services.store.sessions
for name in ("advance", "put"):
    setattr(sessions, name, dying(getattr(sessions, name)))
conclude.accept = dying(conclude.accept)
conclude.BATCH = 2
conclude.conclude_due(services, int(sys.argv[3]))
print("whole")
"""


def meeting(services: Services) -> None:
    for n in range(5):
        hear(services, webhook("joined", "09:00:00", user_id=str(n), email=f"p{n}@example.com"))
    hear(services, webhook("ended", "10:00:00"))


def late(services: Services) -> None:
    for n in range(5):
        hear(services, webhook("left", f"09:{10 + n}:00", user_id=str(n), email=f"p{n}@example.com"))


def worker(folder: Path, step: int) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", WORKER, str(folder), str(step), str(NOW)], cwd=Path(__file__).parent,
                            env={"PYTHONPATH": f"{Path(__file__).parent}:{Path(__file__).parents[3]}", "PATH": ""},
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def counts(services: Services) -> tuple[int, int]:
    """How many statements there are, and how many voids."""
    found = [json.loads(record.text)["verb"]["id"] for record in services.store.statements.follow(0, 1000)]
    return len(found), found.count(VOIDED)


EXPECTED = [(f"p{n}@example.com", f"PT{600 + 60 * n}S", False) for n in range(5)]


@pytest.mark.slow
def test_killed_at_any_step_the_same_statements_are_there_once(tmp_path: Path) -> None:
    step, whole = 0, False
    while not whole:
        step += 1
        assert step < 40
        folder = tmp_path / str(step)
        services = opened(folder)
        meeting(services)
        conclude_due(services, NOW)
        late(services)
        process = worker(folder, step)
        out, errors = process.communicate(timeout=60)
        whole = out == "whole\n"
        assert whole or process.returncode == -9, errors
        conclude_due(services, NOW)
        conclude_due(services, NOW)
        assert sorted(map(said_of, attended(services))) == EXPECTED
        assert counts(services) == (6 + 5 + 5 + 5 + 5, 5)
        assert services.store.sessions.due(NOW, 10) == []
        services.store.close()
    assert step > 10


@pytest.mark.slow
def test_processes_that_conclude_at_once_write_the_same_statements_once(tmp_path: Path) -> None:
    services = opened(tmp_path)
    meeting(services)
    conclude_due(services, NOW)
    late(services)
    running = [worker(tmp_path, 0) for _ in range(4)]
    for process in running:
        out, errors = process.communicate(timeout=60)
        assert out == "whole\n", errors
    assert sorted(map(said_of, attended(services))) == EXPECTED
    assert counts(services) == (26, 5)
    services.store.close()


def test_threads_that_conclude_while_more_is_heard_end_with_one_statement_a_person(tmp_path: Path) -> None:
    services = opened(tmp_path)
    meeting(services)
    stop = threading.Event()

    def conclude() -> None:
        while not stop.is_set():
            conclude_due(services, NOW)

    threads = [threading.Thread(target=conclude) for _ in range(3)]
    for thread in threads:
        thread.start()
    for n in range(5):
        for left in ("09:30:00", f"09:{10 + n}:00"):
            hear(services, webhook("left", left, user_id=str(n), email=f"p{n}@example.com"))
    stop.set()
    for thread in threads:
        thread.join()
    while conclude_due(services, NOW):
        pass
    found = attended(services)
    assert sorted(said_of(one)[0] for one in found) == [f"p{n}@example.com" for n in range(5)]
    assert sorted(map(said_of, found)) == EXPECTED
    services.store.close()


def test_a_row_and_the_cursor_move_together_or_not_at_all(tmp_path: Path) -> None:
    services = opened(tmp_path)
    meeting(services)
    sessions = services.store.sessions
    was = sessions.cursor()
    follow(services, NOW)
    [row] = sessions.list()
    assert sessions.advance(was, was + 1, [row]) is False
    assert sessions.put(row) is True
    assert sessions.put(row) is False
    assert sessions.advance(sessions.cursor(), sessions.cursor() + 1, [row]) is False
    services.store.close()
