"""`lrs serve` as real processes that a campaign kills, starts again, watches and asks."""
from __future__ import annotations

import base64
import contextlib
import http.client
import itertools
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO

import psutil

from lrs.auth import credentials
from lrs.management import verify
from lrs.store.open_store import Store, open_store

START_SECONDS = 60.0
IDLE_SECONDS = 10.0
"""Longer than this no connection is left idle: the LRS closes one after `body_seconds`, at the very moment of a request it may be."""
SCOPES = ("all", "feeds/read")
SENDER = ("statements/write", "statements/read/mine", "state")


class Broken(AssertionError):
    """A promise of the product did not hold; the text says which, and what was seen."""


def must(holds: object, says: str) -> None:
    """Raise `Broken` unless it holds."""
    if not holds:
        raise Broken(says)


def until(condition: Callable[[], object], seconds: float, what: str, seen: Callable[[], object] = str) -> None:
    """Ask until the condition holds. Raises `Broken` when it does not within so many seconds, with what is `seen` then."""
    end = time.monotonic() + seconds
    while not condition():
        must(time.monotonic() < end, f"not within {seconds:g} s: {what} {seen() if time.monotonic() >= end else ''}")
        time.sleep(0.03)


def free_port() -> int:
    """A TCP port on which nobody listens now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    """Whether somebody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Answer:
    """What came back: status, headers by lower-case name, body."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    def __repr__(self) -> str:
        return f"{self.status} {self.body[:300]!r}"


class Caller:
    """One connection with a credential, kept open, and opened again when it breaks or was idle. Not for several threads."""

    def __init__(self, port: int, key: str, secret: str, timeout: float = 30.0) -> None:
        self._port, self._timeout = port, timeout
        self._basic = "Basic " + base64.b64encode(f"{key}:{secret}".encode()).decode()
        self._line: http.client.HTTPConnection | None = None
        self._used = 0.0

    def __call__(self, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
        """One request, sent once. Raises OSError or `http.client.HTTPException` when no whole answer came."""
        given = {"Authorization": self._basic, "X-Experience-API-Version": "1.0.3", "Content-Type": "application/json"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        if time.monotonic() - self._used > IDLE_SECONDS:
            self.close()
        if self._line is None:
            self._line = http.client.HTTPConnection("127.0.0.1", self._port, timeout=self._timeout)
        try:
            self._line.request(method, path, body or None, given)
            answer = self._line.getresponse()
            found = Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        except BaseException:
            self.close()
            raise
        self._used = time.monotonic()
        if found.headers.get("connection") == "close":
            self.close()
        return found

    def close(self) -> None:
        """Close the connection; the next call opens another."""
        if self._line is not None:
            self._line.close()
            self._line = None


class Served:
    """An LRS on a data folder. Its credential may do everything; `environ` holds settings (`LRS_*`) beside the defaults, and
    is what a command of its own must be run with."""

    def __init__(self, data: Path, log: IO[bytes], environ: Mapping[str, str] | None = None) -> None:
        self.data, self.port, self._log = data, free_port(), log
        self.environ = {n: v for n, v in os.environ.items() if not n.startswith("LRS_")} | {"LRS_DATA": str(data)} | dict(environ or {})
        self._place = self.environ.get("LRS_STORE") or str(data)
        with self.store() as store:
            made = credentials.create(store.credentials, name="Campaign", public_url="http://lrs.example", scopes=SCOPES)
            sender = credentials.create(store.credentials, name="Sender", public_url="http://lrs.example", scopes=SENDER)
        self.key, self.secret = made.credential.key, made.secret
        self.sending = self._sender = sender.credential.key, sender.secret
        self._process: subprocess.Popen[bytes] | None = None

    def caller(self, timeout: float = 30.0) -> Caller:
        """A connection to it."""
        return Caller(self.port, self.key, self.secret, timeout)

    def sender(self, timeout: float = 30.0) -> Caller:
        """A connection with a credential that stores, and reads its own only."""
        return Caller(self.port, *self._sender, timeout)

    @contextlib.contextmanager
    def store(self) -> Iterator[Store]:
        """Its store, opened by this process too."""
        with contextlib.closing(open_store(self._place)) as store:
            yield store

    def start(self) -> None:
        """Start it; returns when it answers."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "lrs", "serve", "--data", str(self.data), "--port", str(self.port)], env=self.environ,
            stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log)
        self.wait()

    def wait(self) -> None:
        """Until web and worker are there and the web answers that it is ready."""
        until(self._ready, START_SECONDS, "the LRS answers")

    def pid(self, role: str) -> int:
        """The process id of `web`, `worker` or `supervisor`."""
        must(self._process is not None, "it was started")
        if role == "supervisor":
            return self._process.pid  # type: ignore[union-attr]
        return next(child.pid for child in self._children() if _role(child) == role)

    def kill(self, who: str) -> None:
        """kill -9 of web, worker, the supervisor, or all; returns when it answers again (the supervisor's children die
        with it and it is started anew)."""
        children = self._children()
        victims = children if who == "all" else [child for child in children if _role(child) == who]
        if who in ("supervisor", "all"):
            os.kill(self.pid("supervisor"), signal.SIGKILL)
        for victim in victims:
            with contextlib.suppress(ProcessLookupError):
                os.kill(victim.pid, signal.SIGKILL)
        if who in ("supervisor", "all"):
            self._gone(children)
            self.start()
            return
        until(lambda: not any(map(_alive, victims)), 10, f"the killed {who} is gone")
        self.wait()

    def kill_for_good(self) -> None:
        """kill -9 of all of it; it is not started again."""
        children = self._children()
        for pid in (self.pid("supervisor"), *(child.pid for child in children)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._gone(children)

    def verify(self) -> None:
        """`lrs verify` of its store finds every promise kept. Raises `Broken` with what it names."""
        with self.store() as store:
            broken = [f"{one.promise}: {one.where}: {one.seen}" for one in itertools.islice(verify.verify(store), 20)]
        must(not broken, f"lrs verify: {broken}")

    def stop(self) -> None:
        """Stop it in good order, else by force; it does nothing when it was never started or is gone."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(40)
        except subprocess.TimeoutExpired:
            self.kill_for_good()

    def _gone(self, children: list[psutil.Process]) -> None:
        must(self._process is not None, "it was started")
        self._process.wait(10)  # type: ignore[union-attr]
        until(lambda: not any(map(_alive, children)), 10, "web and worker die with the supervisor")
        until(lambda: not listens(self.port), 5, "nothing is left listening")

    def _children(self) -> list[psutil.Process]:
        with contextlib.suppress(psutil.Error):
            found = psutil.Process(self.pid("supervisor")).children(recursive=True)
            return [child for child in found if _alive(child) and _role(child)]
        return []

    def _ready(self) -> bool:
        must(self._process is None or self._process.poll() is None, "`lrs serve` ended by itself; see the log above")
        # with a broker the work is Celery's, and `lrs serve` starts none
        if {_role(child) for child in self._children()} != ({"web"} if self.environ.get("LRS_BROKER_URL") else {"web", "worker"}):
            return False
        line = self.caller(2)
        try:
            return line("GET", "/health/ready").status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            line.close()


@contextlib.contextmanager
def serving(folder: Path, environ: Mapping[str, str] | None = None) -> Iterator[Served]:
    """An LRS that is not started yet, on a new data folder in `folder`; at the end nothing of it runs on. Its log is
    `serve.log` there, of which the end is printed when something breaks."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "serve.log"
    with path.open("ab") as log:
        served = Served(folder / "data", log, environ)
        try:
            yield served
        except BaseException:
            print("".join(path.read_text(errors="replace").splitlines(keepends=True)[-40:]), file=sys.stderr)
            raise
        finally:
            served.stop()


def _alive(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _role(process: psutil.Process) -> str:
    try:
        return next((part.rsplit(".", 1)[-1] for part in process.cmdline() if part.startswith("lrs.serve.")), "")
    except psutil.Error:
        return ""
