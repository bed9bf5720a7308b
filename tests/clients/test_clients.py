"""Client libraries of others talk to the LRS unchanged."""
from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent


@pytest.mark.parametrize("script", ["xapi_js.mjs", "tincan_js.mjs"])
def test_clients_for_node(lrs: Any, node_modules: Path, script: str) -> None:
    done = subprocess.run(["node", str(HERE / script)], env=lrs.environ | {"MODULES": str(node_modules)}, capture_output=True, text=True,
                          timeout=120)
    assert (done.returncode, done.stdout.strip().splitlines()[-1:]) == (0, ["all good"]), done.stdout + done.stderr


def test_tincan_for_python(lrs: Any, tincan_folder: Path) -> None:
    done = subprocess.run([sys.executable, str(HERE / "tincan_py.py")], env=lrs.environ | {"PYTHONPATH": str(tincan_folder)},
                          capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout.strip().splitlines()[-1:]) == (0, ["all good"]), done.stdout + done.stderr


def test_ralph_pushes_and_fetches(lrs: Any, ralph_folder: Path) -> None:
    environ = {**os.environ, "PYTHONPATH": str(ralph_folder), "PATH": f"{ralph_folder / 'bin'}:{os.environ['PATH']}"}
    options = ["-b", "lrs", "--lrs-base-url", lrs.url.removesuffix("/xapi"), "--lrs-statements-endpoint", "/xapi/statements",
               "--lrs-username", lrs.key, "--lrs-password", lrs.secret]
    sent = [{"id": str(uuid.uuid4()), "actor": {"mbox": "mailto:ralph@example.com"}, "verb": {"id": "http://adlnet.gov/expapi/verbs/passed"},
             "object": {"id": "http://ralph.example.com/a"}, "timestamp": "2026-11-24T10:00:00Z"} for _ in range(20)]
    ralph = [sys.executable, "-m", "ralph"]
    lines = "\n".join(map(json.dumps, sent)) + "\n"
    pushed = subprocess.run([*ralph, "write", *options], input=lines, env=environ, capture_output=True, text=True, timeout=120)
    assert pushed.returncode == 0, pushed.stderr
    fetched = subprocess.run([*ralph, "read", *options], env=environ, capture_output=True, text=True, timeout=120)
    assert fetched.returncode == 0, fetched.stderr
    assert {one["id"] for one in sent} <= {json.loads(line)["id"] for line in fetched.stdout.splitlines()}
