"""The demo's processes: started on free ports, waited for by asking them, stopped at the end whatever happens."""
from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

import httpx

READY_SECONDS = 30.0


class DidNotStart(RuntimeError):
    """A process ended or did not answer in time; the text ends with its log's last lines."""


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Processes:
    """A context that owns child processes, each with a log file in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        for name in reversed(list(self._running)):
            self.stop(name)

    def start(self, name: str, arguments: list[str], ready_url: str, environment: dict[str, str] | None = None) -> None:
        """Start `python <arguments>` and return once `ready_url` answers. Raises `DidNotStart`."""
        with (self._folder / f"{name}.log").open("wb") as log:
            self._running[name] = subprocess.Popen(
                [sys.executable, *arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})})
        until = time.monotonic() + READY_SECONDS
        # one client for all: each reads the authorities of certificates anew
        with httpx.Client(timeout=2) as client:
            while time.monotonic() < until and self._running[name].poll() is None:
                try:
                    if client.get(ready_url).status_code < 500:
                        return
                except httpx.TransportError:
                    pass
                time.sleep(0.05)
        tail = (self._folder / f"{name}.log").read_text(errors="replace")[-1500:]
        raise DidNotStart(f"{name} did not start:\n{tail}")

    def stop(self, name: str) -> None:
        """Terminate, wait, then kill."""
        process = self._running.pop(name, None)
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def wait(self, name: str) -> None:
        """Until the process ends."""
        self._running[name].wait()
