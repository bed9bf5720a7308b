"""The supervisor: starts web and worker, starts them again when they die, and stops them in good order."""
from __future__ import annotations

import logging
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from types import FrameType

from lrs.config import Settings

_log = logging.getLogger("lrs.serve")

#: Connections that the kernel keeps waiting on the listening socket.
BACKLOG = 1_024
#: Seconds before the n-th restart in a row; a child that lived `SOUND` seconds starts the row anew.
BACKOFF = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0)
SOUND = 30.0
#: Seconds within which the web process must serve for the first time.
START_SECONDS = 60.0
#: glibc gives each thread a heap of its own, and each keeps what a large batch once needed: a fifth to a third more memory.
ALLOCATOR = {"MALLOC_ARENA_MAX": "2"}


class CannotStart(Exception):
    """The LRS did not come up; the child's own words are on stderr above this."""


class Child:
    """One process that shall always run."""

    def __init__(self, name: str, module: str, environ: Mapping[str, str], listening: socket.socket | None = None) -> None:
        self.name, self._module, self._environ, self._listening = name, module, environ, listening
        self._failures = 0
        self._started = 0.0
        self._due: float | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> int:
        """Start the process; returns the read end of a pipe that gets a byte when it serves (web) or is closed."""
        inner, outer = os.pipe()
        arguments = [str(os.getpid())]
        files: tuple[int, ...] = ()
        if self._listening is not None:
            files = (self._listening.fileno(), outer)
            arguments += [str(fd) for fd in files]
        # -P: the working directory is no place to import from.
        command = [sys.executable, "-P", "-m", self._module, *arguments]
        self._process = subprocess.Popen(command, env=ALLOCATOR | dict(self._environ), pass_fds=files, stdin=subprocess.DEVNULL)
        os.close(outer)
        self._started, self._due = time.monotonic(), None
        return inner

    def look_after(self) -> None:
        """Start the process again if it died and its pause is over."""
        now = time.monotonic()
        if self._due is not None:
            if now >= self._due:
                os.close(self.start())
            return
        if self._process is None or self._process.poll() is None:
            return
        self._failures = 0 if now - self._started > SOUND else self._failures
        pause = BACKOFF[min(self._failures, len(BACKOFF) - 1)]
        self._failures += 1
        self._due = now + pause
        _log.warning("%s ended (%s); starting it again in %.1f s", self.name, self._process.returncode, pause)

    def running(self) -> bool:
        """Whether the process is there now."""
        return self._process is not None and self._process.poll() is None

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, if it is there."""
        if self.running() and self._process is not None:
            self._process.send_signal(number)


class Supervisor:
    """Web processes on one listening socket, and a worker; with a broker the web alone, as Celery's workers do the work. `run`
    returns when the LRS was told to stop (SIGTERM, SIGINT, SIGHUP)."""

    def __init__(self, settings: Settings, listening: socket.socket, environ: Mapping[str, str]) -> None:
        self._settings = settings
        self._web = [Child("web", "lrs.serve.web", environ, listening) for _ in range(settings.web_processes)]
        self._workers = [] if settings.broker_url else [Child("worker", "lrs.serve.worker", environ)]
        self._told = 0

    def start(self) -> None:
        """Start them; returns when requests are served. Raises `CannotStart` if that does not come about."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._tell)
        serving = [one.start() for one in self._web]
        for worker in self._workers:
            os.close(worker.start())
        deadline = time.monotonic() + START_SECONDS
        try:
            for ready in serving:
                while not select.select([ready], [], [], 0.2)[0]:
                    if self._told:
                        return
                    if time.monotonic() > deadline:
                        self._end()
                        raise CannotStart(f"the web process did not serve within {START_SECONDS:g} seconds")
                if not os.read(ready, 1):
                    self._end()
                    raise CannotStart("the web process ended before it served; the reason stands above")
        finally:
            for ready in serving:
                os.close(ready)

    def run(self) -> bool:
        """Keep all running until told to stop; whether all that was in flight was answered."""
        while not self._told:
            for one in (*self._web, *self._workers):
                one.look_after()
            time.sleep(0.05)
        return self._end()

    def _tell(self, number: int, frame: FrameType | None) -> None:
        self._told += 1

    def _end(self) -> bool:
        """Web first, so that the worker may still see what it accepted; a second signal ends the patience."""
        orderly = True
        for some in (self._web, self._workers):
            for one in some:
                one.send(signal.SIGTERM)
            deadline = time.monotonic() + self._settings.stop_seconds + 5
            while any(one.running() for one in some) and time.monotonic() < deadline and self._told < 2:
                time.sleep(0.02)
            for late in (one for one in some if one.running()):
                _log.warning("%s did not stop in time and is killed", late.name)
                orderly = False
                late.send(signal.SIGKILL)
        return orderly
