"""A running LRS, and other people's client libraries, installed by name into a cache folder once."""
from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

CACHE = Path(os.environ.get("LRS_TEST_PARTS") or Path.home() / ".cache" / "concord-lrs") / "clients"
NODE = {"@xapi/cmi5": "1.4.0", "@xapi/xapi": "3.0.3", "tincanjs": "0.50.0"}
TINCAN = "tincan==1.0.0"
RALPH = ("ralph-malph[cli,backend-lrs]==5.1.0", "requests==2.32.5")


@dataclass(frozen=True)
class Lrs:
    url: str
    key: str
    secret: str

    @property
    def environ(self) -> dict[str, str]:
        return {**os.environ, "LRS_URL": self.url, "LRS_KEY": self.key, "LRS_SECRET": self.secret}


@pytest.fixture(scope="session")
def lrs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lrs]:
    """`lrs serve` on a free port, with its first credential."""
    data = tmp_path_factory.mktemp("clients") / "data"
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    server = subprocess.Popen([sys.executable, "-m", "lrs", "serve", "--data", str(data), "--port", str(port)], stdout=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=1)
                break
            except OSError:
                assert time.monotonic() < end, "the LRS did not start"
                assert server.poll() is None, "the LRS ended"
                time.sleep(0.05)
        first = json.loads((data / "first-credential").read_text())
        yield Lrs(f"http://127.0.0.1:{port}/xapi", first["key"], first["secret"])
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(30)


def needed(name: str, package: str) -> str:
    """A program on PATH: where it is missing the test fails in CI, and is skipped with the way to install it elsewhere."""
    found = shutil.which(name)
    if found is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{name} is not on PATH; install it: apt-get install {package}")
    return found


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """A folder in which Node finds the clients."""
    needed("node", "nodejs")
    npm = needed("npm", "npm")
    place = CACHE / "node"
    wanted = json.dumps({"private": True, "type": "module", "dependencies": NODE})
    if not (place / "node_modules").is_dir() or (place / "package.json").read_text() != wanted:
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        (place / "package.json").write_text(wanted)
        subprocess.run([npm, "install", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=place, check=True, capture_output=True)
    return place


@pytest.fixture(scope="session")
def tincan_folder() -> Path:
    """A folder for PYTHONPATH with TinCan for Python."""
    return _installed("tincan", TINCAN)


@pytest.fixture(scope="session")
def ralph_folder() -> Path:
    """A folder for PYTHONPATH with Ralph and all it needs, apart from what the product uses."""
    return _installed("ralph", *RALPH)


def _installed(name: str, *packages: str) -> Path:
    place = CACHE / name
    stamp = place / "installed"
    if not stamp.exists() or stamp.read_text() != " ".join(packages):
        shutil.rmtree(place, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--target", str(place), *packages],
                       check=True, capture_output=True)
        stamp.write_text(" ".join(packages))
    return place
