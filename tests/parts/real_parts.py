"""Real servers for tests: found on PATH or in the cache folder, on a free port, asked until ready, stopped by their pid."""
from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis

CACHE = Path(os.environ.get("LRS_TEST_PARTS") or Path.home() / ".cache" / "concord-lrs" / "bin")


def program(name: str, install: str) -> str:
    """The path of a program. Where it is missing the test fails in CI, and is skipped with the way to install it elsewhere."""
    found = shutil.which(name) or shutil.which(name, path=str(CACHE))
    if found is None:
        say = pytest.fail if os.environ.get("CI") else pytest.skip
        say(f"{name} is not on PATH and not in {CACHE}; install it: {install}")
    return found


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(condition: Callable[[], Any], seconds: float, what: str) -> Any:
    """Ask until the condition holds; returns what it returned. Fails the test after `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if answer := condition():
            return answer
        time.sleep(0.02)
    pytest.fail(f"not within {seconds} s: {what}")


def get(url: str, **more: Any) -> httpx.Response:
    """GET over plain HTTP. `httpx.get` reads the authorities of certificates each time: 20 ms of the processor, and who asks until
    something is there asks twenty times a second."""
    assert url.startswith("http://")  # there is nothing to verify
    return httpx.get(url, verify=False, **more)


class Part:
    """A child process with a log of its own, stopped by its pid; the log is printed when it did not come up."""

    def __init__(self, command: Sequence[str], folder: Path, name: str, environ: Mapping[str, str] | None = None) -> None:
        self.name, self.log = name, folder / f"{name}.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(list(command), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder,
                                            env=dict(environ) if environ is not None else None)

    def ready(self, condition: Callable[[], object], seconds: float = 30) -> None:
        """Wait until it answers."""
        def there() -> object:
            if self.process.poll() is not None:
                pytest.fail(f"{self.name} ended ({self.process.returncode}):\n{self.log.read_text(errors='replace')[-4000:]}")
            return condition()
        try:
            until(there, seconds, f"{self.name} is ready")
        except BaseException:
            print(self.log.read_text(errors="replace")[-4000:])
            self.stop()
            raise

    def stop(self, number: signal.Signals = signal.SIGTERM, seconds: float = 15) -> int:
        """Ask it to end, and kill it if it does not; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
        return self.process.wait()


class Redis:
    """redis-server that can be stopped and started again on the same port."""

    def __init__(self, folder: Path) -> None:
        self._program = program("redis-server", "apt-get install redis-server")
        self.folder, self.port = folder, free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.client = redis.Redis(port=self.port, socket_timeout=2)
        self.start()

    def start(self) -> None:
        """Start it; returns when it answers."""
        self.part = Part([self._program, "--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--appendonly", "yes",
                          "--dir", str(self.folder)], self.folder, "redis")
        self.part.ready(self._answers)

    def stop(self) -> None:
        """Stop it in good order."""
        self.part.stop()

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except redis.RedisError:
            return False


class Toxiproxy:
    """toxiproxy-server: faults between a client and a server (https://github.com/Shopify/toxiproxy)."""

    def __init__(self, folder: Path) -> None:
        found = program("toxiproxy-server", "go install github.com/Shopify/toxiproxy/v2/cmd/server@v2.5.0, named toxiproxy-server")
        port = free_port()
        self._api = f"http://127.0.0.1:{port}"
        self.part = Part([found, "-host", "127.0.0.1", "-port", str(port)], folder, "toxiproxy")
        self.part.ready(self._answers)

    def _answers(self) -> bool:
        try:
            return get(self._api + "/version").status_code == 200
        except httpx.TransportError:
            return False

    def proxy(self, name: str, port: int) -> int:
        """A port in front of this one."""
        front = free_port()
        httpx.post(self._api + "/proxies", json={"name": name, "listen": f"127.0.0.1:{front}",
                                                 "upstream": f"127.0.0.1:{port}", "enabled": True}).raise_for_status()
        return front

    def black_hole(self, name: str) -> None:
        """From now on nothing comes through, and no connection is closed: the `timeout` toxic with 0."""
        httpx.post(f"{self._api}/proxies/{name}/toxics",
                   json={"name": "hole", "type": "timeout", "stream": "upstream", "attributes": {"timeout": 0}}).raise_for_status()

    def switch(self, name: str, on: bool) -> None:
        """Off: every connection is closed, and none is accepted."""
        httpx.post(f"{self._api}/proxies/{name}", json={"enabled": on}).raise_for_status()

    def mend(self, name: str) -> None:
        """Everything comes through again."""
        httpx.delete(f"{self._api}/proxies/{name}/toxics/hole").raise_for_status()
