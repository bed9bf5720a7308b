"""Processes that end with their test."""
import subprocess
import sys

import pytest
from ports import free_port, listens, until
from running import SECRET, Running


@pytest.fixture
def run(tmp_path):
    """Starts an LRS in a folder; whatever happens, nothing of it runs on."""
    made = []

    def start(name="", place="", **environment):
        made.append(Running(tmp_path / name, place, **environment))
        return made[-1]

    yield start
    for one in made:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()
        one.log.close()


@pytest.fixture
def receiver(tmp_path):
    """The URL of a target that takes what is signed with SECRET, and remembers it."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "lrs.sandbox.webhook", "--port", str(port), "--data", str(tmp_path / "received.db"),
                                "--key", SECRET], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until(lambda: listens(port), 10, "the receiver listens")
    yield f"http://127.0.0.1:{port}"
    process.kill()
    process.wait()
