"""A twin that cannot start says why in a sentence, and leaves nothing running."""
from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest


def started(*words: str) -> subprocess.CompletedProcess[str]:
    """`lrs sandbox …` as a process of its own, to its end."""
    call = [sys.executable, "-c", "from lrs.cli.main import main; main()", "sandbox", *words]
    return subprocess.run(call, capture_output=True, text=True, timeout=30, check=False)


def test_a_port_in_use_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = started("webhook", "--port", str(port))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"cannot listen on port {port}: Address already in use; choose another with --port\n"


@pytest.mark.parametrize("port", ["-1", "65536", "9" * 20, "x", ""])
def test_what_is_no_port_is_wrong_usage(port: str) -> None:
    done = started("hris", "--port", port)
    assert (done.returncode, "Traceback" in done.stderr, "--port" in done.stderr) == (2, False, True)


@pytest.mark.parametrize("which", ["hris", "crm", "zoom"])
def test_a_file_that_cannot_be_written_is_said(which: str, tmp_path: Path) -> None:
    done = started(which, "--file", str(tmp_path / "no" / "such.db"), "--key", "secret-token")
    assert (done.returncode, "Traceback" in done.stderr, "cannot keep anything in" in done.stderr) == (2, False, True), done.stderr
